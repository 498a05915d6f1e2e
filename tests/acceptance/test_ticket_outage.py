"""The ticket system is down for eight hours: every incident gets its one ticket, in order, and memory stays small."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.crash.outside import ticket_desk

TREE = Path(__file__).parents[2]
INCIDENTS = int(os.environ.get("OUTAGE_INCIDENTS", "1000"))
MOST_MIB = 30.0
LEAST_PER_SECOND = 50.0


def test_eight_hours_of_incidents_are_delivered_once_in_order_quickly_and_in_little_memory(tmp_path, record_property):
    with ticket_desk() as desk:
        argv = (sys.executable, "-P", "-m", "tests.acceptance.outage", str(tmp_path / "state"), str(desk.port))
        done = subprocess.run(
            (*argv, str(INCIDENTS)),
            env=os.environ | {"PYTHONPATH": str(TREE), "MALLOC_ARENA_MAX": "1"},  # as in the unit file
            cwd=TREE,
            stdout=subprocess.PIPE,
            text=True,
            timeout=300 + INCIDENTS / 5,
            check=True,
        )
    figures = json.loads(done.stdout.splitlines()[-1])
    assert desk.refused == []
    assert len(desk.tickets) == len({ticket.correlation for ticket in desk.tickets}) == INCIDENTS
    assert {tuple(op for op, _ in ticket.changes) for ticket in desk.tickets} == {("close",)}
    assert figures["delivered"] == figures["owed"] > INCIDENTS
    assert figures["refused"] >= 50, "it was asked all the time"
    grown, rate = figures["most"] - figures["before"], figures["delivered"] / figures["seconds"]
    record_property(
        f"tickets, {INCIDENTS} incidents after 8 h without a ticket system",
        f"{figures['delivered']} rows, {rate:.0f}/s, memory + {grown:.1f} MiB",
    )
    assert grown < MOST_MIB
    assert rate > LEAST_PER_SECOND
