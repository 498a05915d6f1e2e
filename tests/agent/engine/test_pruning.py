"""The record has a budget: what is over goes first, the oldest before all; what is open stays whatever it takes."""

from dataclasses import replace

import pytest

from agent.engine import pruning
from agent.engine.commands import CloseProblem
from agent.itsm.capacity import DAY, Forecast, Hour
from agent.itsm.capacity_plan import Outlook, Subject
from agent.store import rollups

HOUR = 3600.0
BUDGET = 1_000_000


@pytest.fixture
def idle(make_bench):
    """Nothing is repaired here, and no power fails."""
    bench = make_bench(ladders=())
    bench.database.connection.execute("PRAGMA synchronous = OFF")
    return bench


def fault(bench, name, down=()):
    """Let a fault come and go, and its incident be closed; `down` names what stays down."""
    others = dict.fromkeys(down, False)
    bench.processes({name: False, **others})
    bench.clock.advance(60)
    bench.processes({name: True, **others})
    bench.pass_time(2 * HOUR)


def limit(bench, most):
    bench.parts.orders.keep = replace(bench.parts.orders.keep, disk=most)


def prune(bench, passes=40):
    """Let so many minutes pass, and every hour what is due then."""
    for _ in range(passes):
        bench.pass_time(61)


def ids(bench):
    return [row[0] for row in bench.database.connection.execute("SELECT id FROM incidents ORDER BY opened_at, id")]


def count(bench, table, condition="1"):
    query = f"SELECT count(*) FROM {table} WHERE {condition}"  # noqa: S608 - constants
    return bench.database.connection.execute(query).fetchone()[0]


def test_the_oldest_go_until_the_record_fits_and_the_open_ones_stay(idle):
    idle.processes({"old-and-open": False})
    idle.pass_time(60)  # ids of one moment are in no order
    for number in range(150):
        fault(idle, f"job{number}", ["old-and-open"])
    idle.processes({"old-and-open": False, "new-and-open": False})
    before = ids(idle)
    assert idle.database.used_bytes() > BUDGET
    limit(idle, BUDGET)
    idle.pass_time(HOUR)
    prune(idle)
    after = ids(idle)
    assert idle.database.used_bytes() <= BUDGET
    assert after[0] == before[0]
    assert after[1:] == before[-len(after) + 1 :]  # without a hole: the newest are left
    assert 2 < len(after) < len(before)
    names = {dict(i.labels)["name"] for i in idle.parts.casebook.active()}
    assert names == {"old-and-open", "new-and-open"}


def test_nothing_hangs_on_what_has_gone(idle):
    for number in range(150):
        fault(idle, f"job{number}")
    limit(idle, BUDGET)
    idle.pass_time(HOUR)
    prune(idle)
    known = "(SELECT id FROM incidents)"
    assert count(idle, "incidents") > 0
    for table in ("audit", "runs", "tickets"):
        assert count(idle, table, f"incident_id != '' AND incident_id NOT IN {known}") == 0


def test_a_record_that_is_all_open_work_is_left_alone(idle):
    for number in range(19):
        idle.processes({f"job{each}": False for each in range(number + 1)})
        idle.pass_time(60)
    before = ids(idle)
    limit(idle, 1024)
    idle.pass_time(HOUR)
    prune(idle)
    assert ids(idle) == before
    assert len(idle.parts.casebook.active()) == 19


def test_what_is_open_stays_although_nothing_happened_to_it_for_longest(idle):
    for number in range(150):
        fault(idle, f"job{number}")
    idle.processes({"open": False})
    (incident,) = idle.parts.casebook.active()
    idle.database.commit([("UPDATE incidents SET updated_at = 1.0 WHERE id = ?", (incident.id,))])
    told = count(idle, "audit", f"incident_id = '{incident.id}'")
    limit(idle, BUDGET)
    for _ in range(40):
        due, _ = pruning.prune(idle.parts, idle.clock.now())
        idle.database.commit(due)
    assert 1 < count(idle, "incidents") < 150
    assert incident.id in ids(idle)
    assert count(idle, "audit", f"incident_id = '{incident.id}'") == told > 0


def test_what_fits_is_kept_for_its_time(idle):
    for number in range(20):
        fault(idle, f"job{number}")
    before = ids(idle)
    limit(idle, 100 * BUDGET)
    idle.pass_time(30 * DAY)
    assert ids(idle) == before


def test_roll_ups_go_with_the_incidents_of_their_time(idle):
    """A year of roll-ups and a few incidents, the budget reached: both are cut off at the same day."""
    subject = Subject(resource="filesystem", name="/srv", labels=())
    now = idle.clock.now()
    empty = Forecast(used=None, limit=None)
    connection = idle.database.connection
    connection.execute(*rollups.put_outlook(Outlook(subject=subject, at=now, forecast=empty, measured_at=now)))
    connection.execute("BEGIN")
    for back in range(400 * 24, 0, -1):
        hour = Hour(at=now - back * HOUR, low=1.0, mean=2.0, high=3.0, limit=4.0)
        connection.execute(*rollups.put_hour(subject, hour))
    connection.execute("COMMIT")
    full = idle.database.used_bytes()
    limit(idle, full * 0.8)
    idle.pass_time(HOUR)
    prune(idle, 10)
    assert idle.database.used_bytes() <= full * 0.8
    kept = rollups.hours(connection, subject, 0.0, now)
    assert 100 * 24 < len(kept) < 350 * 24
    assert kept[-1].at == now - HOUR


def test_roll_ups_and_subjects_that_are_not_there_any_more_go_when_their_time_is_over(idle):
    gone = Subject(resource="filesystem", name="/mnt/stick")
    now = idle.clock.now()
    idle.parts.orders.keep = replace(idle.parts.orders.keep, rollups=10 * DAY)
    connection = idle.database.connection
    empty = Forecast(used=None, limit=None)
    connection.execute(*rollups.put_outlook(Outlook(subject=gone, at=now, forecast=empty, measured_at=now)))
    connection.execute(*rollups.put_hour(gone, Hour(at=now, low=1.0, mean=1.0, high=1.0, limit=2.0)))
    idle.pass_time(9 * DAY)
    assert (count(idle, "capacity_hours"), count(idle, "capacity_subjects")) == (1, 1)
    idle.pass_time(2 * DAY)
    idle.pass_time(2 * HOUR)
    assert (count(idle, "capacity_hours"), count(idle, "capacity_subjects")) == (0, 0)


def test_what_stays_however_old_it_is_does_not_keep_the_rest_from_going(idle):
    begin = idle.clock.now()
    connection = idle.database.connection
    for report, made in (("abandoned-1", begin - 900 * DAY), ("weekly-1", begin - 20 * DAY), ("weekly-2", begin)):
        name = report.partition("-")[0]
        connection.execute("INSERT INTO reports VALUES (?, ?, ?, ?, ?, '', '', x'00')", (report, name, 0, made, made))
    for number in range(150):
        fault(idle, f"job{number}")
    assert idle.database.used_bytes() > BUDGET
    limit(idle, BUDGET)
    idle.pass_time(HOUR)
    prune(idle)
    assert idle.database.used_bytes() <= BUDGET
    assert connection.execute("SELECT id FROM reports ORDER BY id").fetchall() == [("abandoned-1",), ("weekly-2",)]


def test_a_problem_is_kept_for_its_time_from_its_end_on(idle):
    idle.parts.orders.keep = replace(idle.parts.orders.keep, incidents=400 * DAY)
    for _ in range(3):
        idle.fault()
    (problem,) = idle.reader.problems()
    for _ in range(9):
        idle.pass_time(50 * DAY)
    idle.order(CloseProblem(actor="ann", problem_id=problem["id"], reason="patched"))
    idle.pass_time(2 * HOUR)
    idle.pass_time(2 * HOUR)
    assert [each["id"] for each in idle.reader.problems(closed=True)] == [problem["id"]]
    for _ in range(9):
        idle.pass_time(50 * DAY)
    idle.pass_time(2 * HOUR)
    assert idle.reader.problems(closed=True) == []
