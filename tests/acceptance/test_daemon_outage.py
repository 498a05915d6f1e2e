"""Ticket system and broker are down when the daemon starts and while many things break: nothing is lost or doubled."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.commands import told
from tests.acceptance.daemon import Daemon, prepared_daemon, rule, rule_file
from tests.acceptance.test_daemon_whole import USERS, Reader, asked, secret, ticketing
from tests.services.faults import FaultProxy, fault_proxy
from tests.services.mosquitto import Broker, running_mosquitto
from tests.services.service import Server, eventually

NAMES = [f"part{number:02}" for number in range(20)]
MENDED = NAMES[:6]
BROKEN_AGAIN = NAMES[:2]
RULES = rule_file(rule("Broken", "test_broken == 1"))
PARAMEDIC = (sys.executable, "-P", "-m", "agent.cli.main")


@pytest.fixture
def broker() -> Iterator[tuple[Broker, FaultProxy]]:
    with running_mosquitto(tls=True, users=USERS) as server, fault_proxy(server.port) as proxy:
        yield server, proxy


def states(daemon: Daemon) -> Counter[str]:
    return Counter(incident["state"] for incident in daemon.incidents())


def tickets(server: Server, name: str) -> dict[str, str]:
    """Subjects and states of the tickets whose subject has this word; fails if two have one subject."""
    query = {"query": f"Subject LIKE '{name}'", "fields": "Subject,Status", "per_page": "100"}
    items = asked(server, "/REST/2.0/tickets", **query).json()["items"]
    subjects = [item["Subject"] for item in items]
    assert len(set(subjects)) == len(subjects), subjects
    return {item["Subject"]: item["Status"] for item in items}


def test_nothing_is_lost_or_doubled_and_each_incident_is_told_in_order(rt: Server, broker: tuple[Broker, FaultProxy]):
    mosquitto, wire = broker
    wire.refuse = True
    with fault_proxy(rt.port) as line, prepared_daemon({}, RULES) as daemon:
        line.refuse = True
        folder = daemon.directory
        tables = {
            "host": {"name": "outage-host"},
            "guards": {"storm_incidents": 1000},
            "tickets": [ticketing("rt", rt, folder) | {"url": f"http://127.0.0.1:{line.port}"}],
            "mqtt": {
                "host": mosquitto.host,
                "port": wire.port,
                "tls": True,
                "ca_file": mosquitto.ca_file,
                "user": "agent",
                "password_file": secret(folder, "agent", USERS["agent"]),
            },
        }
        daemon.configure(tables, RULES)
        daemon.tell(**dict.fromkeys(NAMES, True))
        daemon.start()
        eventually(lambda: states(daemon) == {"escalated": 20}, what=lambda: states(daemon))
        daemon.tell(**{name: name not in MENDED for name in NAMES})
        eventually(lambda: states(daemon) == {"escalated": 14, "resolved": 6}, what=lambda: states(daemon))
        daemon.kill()
        daemon.tell(**{name: name not in MENDED or name in BROKEN_AGAIN for name in NAMES})
        daemon.start()
        eventually(lambda: states(daemon) == {"escalated": 16, "resolved": 4}, what=lambda: states(daemon))
        assert daemon.metric("paramedic_effects_total", target="rt", result="retry") >= 1
        assert tickets(rt, "outage-host") == {}
        wire.heal()
        line.heal()
        for incident in daemon.incidents():
            eventually(lambda: not owed(daemon, incident["id"]), 90.0, lambda: owed(daemon, incident["id"]))  # noqa: B023 - called at once
        found = tickets(rt, "outage-host")
        assert len(found) == 20
        unfinished = {subject.split()[2] for subject, status in found.items() if status != "resolved"}
        assert unfinished == {*NAMES[6:], *BROKEN_AGAIN}
        with Reader(mosquitto) as reader:
            topics = {f"paramedic/outage-host/incidents/{each['id']}": each for each in daemon.incidents()}
            eventually(lambda: topics.keys() <= {topic for topic, _, _ in list(reader.seen)})
            for topic, incident in topics.items():
                (body,) = reader.of(topic)
                shown = json.loads(body)
                assert (shown["state"], shown["revision"]) == (incident["state"], incident["revision"])
            unresolved = [topic for topic, incident in topics.items() if incident["state"] == "escalated"]
            daemon.rules.write_text("groups: []")
            daemon.reload()
            eventually(lambda: all(reader.of(topic)[-1] == "" for topic in unresolved), what=daemon.tail)


def owed(daemon: Daemon, incident: str) -> list[tuple[str, str]]:
    """Return the effects of an incident that are not done."""
    effects = daemon.client.get("incidents", incident)["effects"]
    return [(effect["key"], effect["reason"]) for effect in effects if effect["state"] != "done"]


def test_a_ticket_that_is_refused_for_good_is_a_dead_letter_that_status_and_metrics_show(rt: Server):
    with prepared_daemon({}, RULES) as daemon:
        wrong = ticketing("rt", rt, daemon.directory) | {"name": "wrong", "queue": "Nope"}
        daemon.configure({"tickets": [wrong]}, RULES)
        daemon.tell(refused=True)
        daemon.start()
        eventually(lambda: status(daemon)["dead_letters"], what=daemon.tail)
        daemon.tell(refused=False)
        daemon.await_state("Broken", "resolved")
        letters = status(daemon)["dead_letters"]
        assert {letter["target"] for letter in letters} == {"wrong"}
        assert "Nope" in letters[-1]["reason"]
        assert daemon.metric("paramedic_effects_total", target="wrong", result="dead") >= 1


def status(daemon: Daemon) -> Any:
    return told(daemon, "status")
