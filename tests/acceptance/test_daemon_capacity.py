"""A real daemon with a history: it says when the disk will be full, asks for one change, and says so once."""

import sqlite3
import time
from contextlib import closing
from typing import Any

import pytest

from agent.itsm.capacity import DAY, Forecast, Hour
from agent.itsm.capacity_plan import Outlook, Subject
from agent.store import rollups
from agent.store.database import Database
from tests.acceptance.commands import told
from tests.acceptance.daemon import Daemon, rule_file, running_daemon
from tests.services.service import eventually

PACE = 2_000.0
USED, LIMIT = 960_000.0, 1_000_000.0
SRV = Subject(resource="widgets", name="srv", labels=(("shelf", "srv"),))
DAYS_LEFT = (LIMIT - USED) / PACE
TABLES: dict[str, Any] = {
    "capacity": {
        "interval": "2s",
        "usual": False,
        "resources": [
            {"name": "widgets", "used": "widgets_used", "limit": "widgets_limit", "labels": ["shelf"]},
        ],
    },
}


def tell(daemon: Daemon, used: float) -> None:
    daemon.tell_anything(
        "# TYPE widgets_used gauge\n# TYPE widgets_limit gauge\n"
        f'widgets_used{{shelf="srv"}} {used}\nwidgets_limit{{shelf="srv"}} {LIMIT}\n'
    )


def lived_through(daemon: Daemon, days: int) -> None:
    """Put the roll-ups of so many days into the state of a daemon that does not run."""
    now = time.time()
    unknown = Forecast(used=None, limit=None)
    with Database(daemon.directory / "state") as database:
        writes = [rollups.put_outlook(Outlook(subject=SRV, at=now - DAY, forecast=unknown, measured_at=now - 3600.0))]
        for back in range(days * 24, 0, -1):
            used = USED - PACE * back / 24
            hour = Hour(at=now - back * 3600.0, low=used, mean=used, high=used, limit=LIMIT)
            writes.append(rollups.put_hour(SRV, hour))
        database.commit(writes)


def asked_for(daemon: Daemon) -> list[Any]:
    return [each for each in told(daemon, "change", "list") if each["kind"] == "capacity"]


def tickets(daemon: Daemon) -> list[tuple[str, str, str]]:
    with closing(sqlite3.connect(daemon.directory / "state/paramedic.db")) as connection:
        return connection.execute("SELECT title, state, body FROM book_tickets").fetchall()


@pytest.fixture
def daemon():
    with running_daemon(TABLES, rule_file()) as daemon:
        tell(daemon, USED)
        yield daemon


def planned(daemon: Daemon) -> Any:
    """Return the outlook once a change has been asked for."""

    def look() -> Any:
        return next((each for each in told(daemon, "capacity") if each["plan"]), None)

    return eventually(look, 60.0, lambda: f"{told(daemon, 'capacity')}\n{daemon.tail()}")


def test_a_disk_that_fills_is_one_change_and_one_ticket_across_restarts(daemon):
    daemon.stop()
    lived_through(daemon, 60)
    daemon.start()
    outlook = planned(daemon)
    left = (outlook["forecast"]["full_at"] - time.time()) / DAY
    assert left == pytest.approx(DAYS_LEFT, abs=1.0)
    (change,) = asked_for(daemon)
    assert (change["state"], change["subject"]) == ("proposed", "widgets srv")
    assert change["ends_at"] == pytest.approx(outlook["forecast"]["full_at"], abs=DAY)
    ((title, state, body),) = tickets(daemon)
    assert title == "[P4] Capacity: widgets srv on test-host"
    assert state == "open"
    assert f"Change: {change['id']}" in body
    full = daemon.metric("paramedic_capacity_full_timestamp_seconds", resource="widgets", subject="srv")
    assert full == pytest.approx(outlook["forecast"]["full_at"], abs=DAY / 2)
    assert daemon.metric("paramedic_capacity_fit", resource="widgets") > 0.9
    for end in (daemon.kill, daemon.stop):
        before = told(daemon, "capacity")[0]["measured_at"]
        end()
        daemon.start()
        eventually(lambda: daemon.metric("paramedic_capacity_full_timestamp_seconds", resource="widgets"))
        eventually(lambda: told(daemon, "capacity")[0]["measured_at"] > before + 2.0, what=daemon.tail)  # noqa: B023 - at once
    assert [each["id"] for each in asked_for(daemon)] == [change["id"]]
    assert len(tickets(daemon)) == 1


def test_a_daemon_without_history_says_why_there_is_no_date(daemon):
    (outlook,) = eventually(lambda: told(daemon, "capacity"), what=daemon.tail)
    assert outlook["forecast"]["why"] == "too_short"
    assert outlook["forecast"]["used"] == USED
    assert tickets(daemon) == []
    assert daemon.metric("paramedic_capacity_used_ratio", resource="widgets") == USED / LIMIT
