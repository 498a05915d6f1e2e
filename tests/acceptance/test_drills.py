"""Drills, the whole way: every scenario, people who take part, and a daemon that is killed in the middle of one."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.app.drills.scenarios import SCENARIOS
from tests.acceptance.daemon import PARAMEDIC, Daemon, prepared_daemon, rule_file
from tests.services.service import eventually


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    tables = {"drill": {"enabled": True}, "collectors": {"processes": {"interval": "1s"}}}
    with prepared_daemon(tables, rule_file()) as prepared:
        prepared.start()
        yield prepared


def said(*words: str, **more: str) -> Any:
    done = subprocess.run(
        (*PARAMEDIC, *words, "--json"), capture_output=True, text=True, timeout=120, check=False, env=os.environ | more
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def socket_of(daemon: Daemon) -> tuple[str, str]:
    return ("--socket", str(daemon.directory / "state/paramedic.sock"))


def test_every_scenario_is_passed_and_leaves_nothing_behind():
    with tempfile.TemporaryDirectory(prefix="drills-", dir="/tmp") as folder:
        results = said("drill", "all", TMPDIR=folder)
        assert [(result["scenario"], result["ok"], result["points"]) for result in results] == [
            (name, True, 100) for name in SCENARIOS
        ]
        assert len(results[-1]["incidents"]) == 2
        assert list(Path(folder).iterdir()) == []
        assert not at_work_below(folder)


def test_a_person_who_acknowledges_a_drill_and_sees_it_passed_is_certified(daemon: Daemon):
    held = daemon.client.post("drill", scenario="memory-pressure", people_seconds=60.0)["drill"]
    waiting = daemon.await_state("DrillMemoryPressure", "escalated")
    assert waiting["attempts"] == [], "nothing is done before somebody has taken it"
    said("incident", "ack", waiting["id"], *socket_of(daemon))

    result = eventually(lambda: over(daemon, held), 60.0, daemon.tail)

    assert (result["ok"], result["failed"], result["points"]) == (True, None, 100)
    assert f"(uid {os.getuid()})" in result["acknowledged_by"]
    assert [each["drill"] for each in eventually(lambda: said("drill", "list", *socket_of(daemon)))] == [held]
    assert said("drill", "operators", *socket_of(daemon)) == {result["acknowledged_by"]: [held]}
    assert daemon.metric("paramedic_incidents_opened_total") == 0.0
    assert daemon.metric("paramedic_remediation_attempts_total") == 0.0


def test_a_drill_that_nobody_acknowledges_is_failed_and_over(daemon: Daemon):
    held = daemon.client.post("drill", scenario="service-down", people_seconds=1.0)["drill"]
    result = eventually(lambda: over(daemon, held), 60.0, daemon.tail)
    assert (result["ok"], result["failed"]) == (False, "nobody acknowledged it within 1 s")
    assert not at_work_below(str(daemon.directory / "state/drill"))
    eventually(lambda: daemon.incidents() == [], what=daemon.tail)


def test_what_a_daemon_leaves_that_is_killed_in_a_drill_is_cleared_when_it_starts_again(daemon: Daemon):
    daemon.client.post("drill", scenario="disk-filling", people_seconds=60.0)
    daemon.await_state("DrillDiskFilling", "escalated")
    disk = daemon.directory / "state/drill/disk"
    assert any(disk.iterdir())
    daemon.kill()
    daemon.start()
    assert not disk.exists()
    eventually(lambda: daemon.incidents() == [], what=daemon.tail)
    daemon.client.post("drill", scenario="service-down")
    daemon.kill()
    daemon.start()
    eventually(lambda: not at_work_below(str(daemon.directory / "state/drill")), what=daemon.tail)


def over(daemon: Daemon, drill: str) -> Any:
    result = daemon.client.get("drill", drill)
    return result if result["finished"] else None


def at_work_below(folder: str) -> list[bytes]:
    """Return command lines that name the folder; processes of others may end while we look."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if folder.encode() in line:
            found.append(line)
    return found
