"""Alerts in great number from outside: nothing that was acknowledged is lost, memory is bounded, the rest goes on."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.acceptance.daemon import Daemon, prepared_daemon, rule, rule_file
from tests.services.service import eventually

LABEL_SETS = int(os.environ.get("LABEL_SETS", "50000"))
"""`make soak` posts a million."""
CAP = 20_000 if LABEL_SETS < 1_000_000 else 200_000
MEMORY_MIB = 160 if LABEL_SETS < 1_000_000 else 512
BATCH = 500
RULES = rule_file(rule("Broken", "test_broken == 1"))
OPEN = {"web": {"open_ingest": True}}
END = "2020-01-01T00:00:00Z"


def batch(start: int, count: int = BATCH, **more: str) -> bytes:
    labels = [{"alertname": f"Storm{n % 10}", "severity": "warning", "n": str(n)} for n in range(start, start + count)]
    return json.dumps([{"labels": each, "annotations": {"summary": "a storm"}} | more for each in labels]).encode()


def post(session: requests.Session, daemon: Daemon, body: bytes) -> int:
    headers = {"content-type": "application/json"}
    return session.post(f"{daemon.url}/api/v2/alerts", body, headers=headers, timeout=30).status_code


def held(daemon: Daemon) -> set[str]:
    listed = requests.get(f"{daemon.url}/api/v2/alerts", timeout=60).json()
    return {alert["labels"]["n"] for alert in listed if "n" in alert["labels"]}


def memory_mib(daemon: Daemon) -> float:
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@pytest.fixture(scope="module")
def crowded() -> Iterator[Daemon]:
    """A daemon that has been told of more label sets than it has room for."""
    tables = OPEN | {
        "incidents": {"posted_alerts": CAP},
        "rules": {"packs": ["paramedic"]},
        "collectors": {"process_self": {"enabled": True, "interval": "1s"}},
    }
    with prepared_daemon(tables, RULES) as daemon:
        daemon.start()
        yield daemon


def test_a_flood_of_label_sets_is_cut_off_while_rules_are_on_time_and_memory_is_bounded(crowded: Daemon):
    statuses: list[int] = []
    with requests.Session() as session:
        for start in range(0, LABEL_SETS, BATCH):
            statuses.append(post(session, crowded, batch(start)))
            if start == LABEL_SETS // 2 // BATCH * BATCH:
                crowded.tell(disk=True)
                crowded.await_incident("Broken", bool, 60.0, name="disk")
    assert set(statuses) == {200, 429}
    assert statuses.count(200) == CAP // BATCH
    assert memory_mib(crowded) < MEMORY_MIB
    assert crowded.metric("paramedic_posted_alerts_dropped_total") == LABEL_SETS - CAP


def test_one_incident_says_that_alerts_are_dropped_and_each_storm_is_one(crowded: Daemon):
    crowded.tell_anything("a collector that breaks has paramedic look at its own metrics at once {\n")
    crowded.await_incident("ParamedicDropping", bool, 60.0)
    listed = crowded.incidents(limit=10_000)
    assert sum(incident["alertname"] == "ParamedicDropping" for incident in listed) == 1
    storms = [incident["alertname"] for incident in listed if incident["members"]]
    assert sorted(storms) == [f"Storm{n}" for n in range(10)]
    assert len(listed) < 10 * 130


def test_alerts_that_end_make_room(crowded: Daemon):
    with requests.Session() as session:
        assert post(session, crowded, batch(0, endsAt=END)) == 200
        eventually(lambda: post(session, crowded, batch(10_000_000)) == 200)


def test_nothing_that_was_acknowledged_is_lost_when_the_daemon_is_killed():
    with prepared_daemon(OPEN, RULES) as daemon:
        daemon.start()
        acknowledged: set[str] = set()
        enough = threading.Event()

        def storm(worker: int) -> None:
            with requests.Session() as session:
                for start in range(worker * 1_000_000, worker * 1_000_000 + 100_000, 50):
                    try:
                        status = post(session, daemon, batch(start, 50))
                    except requests.RequestException:
                        return
                    if status == 200:
                        acknowledged.update(str(n) for n in range(start, start + 50))
                    if len(acknowledged) > 10_000:
                        enough.set()

        workers = [threading.Thread(target=storm, args=(number,)) for number in range(4)]
        for worker in workers:
            worker.start()
        assert enough.wait(60)
        daemon.kill()
        for worker in workers:
            worker.join(60)
        daemon.start()
        # What is on record is applied bit by bit, beside everything else that the daemon does.
        eventually(lambda: acknowledged <= held(daemon), 60.0, lambda: f"{len(acknowledged - held(daemon))} are lost")
