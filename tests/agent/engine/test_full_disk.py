"""A disk that takes nothing for a long time: what waits for it has an end, and nothing that counts is lost."""

import pytest

from agent.engine import durable
from agent.engine.commands import BusyError, Ingest, PostAlerts, SetMaintenance, SetStop
from agent.engine.durable import lasting
from agent.incidents.incident import State
from agent.incidents.posted import post_of
from agent.store import writes
from agent.store.database import set_meta
from agent.telemetry import metrics
from collectors.sample import Origin
from tests.agent.engine.conftest import LATER
from tests.agent.engine.test_ingest import reading

FEW = 300


@pytest.fixture
def full(bench, monkeypatch):
    """An engine on a disk on which there is no room, and which is allowed to keep little in memory."""
    monkeypatch.setattr(durable, "MOST", FEW)
    monkeypatch.setattr(durable, "_STEP", FEW // 10)
    bench.process(up=1)
    fill(bench)
    return bench


def fill(bench):
    execute = bench.database.connection.execute
    execute(f"PRAGMA max_page_count = {execute('PRAGMA page_count').fetchone()[0]}")
    execute("BEGIN")  # what is free inside the file is used up, too
    while execute("PRAGMA freelist_count").fetchone()[0]:
        execute("INSERT INTO drafts VALUES (hex(randomblob(8)), '', 0, hex(randomblob(3000)))")
    execute("COMMIT")


def make_room(bench):
    bench.database.connection.execute("PRAGMA max_page_count = 1000000")


def waiting(bench):
    return len(bench.engine._durable.unwritten)


def flap(bench, times, name="web"):
    for _ in range(times):
        bench.process(up=0, name=name)
        bench.clock.advance(1.0)
        bench.process(up=1, name=name)
        bench.clock.advance(1.0)


def post(name):
    return PostAlerts(alerts=[post_of({"labels": {"alertname": name, "severity": "critical"}})], origin=Origin.HTTP)


def test_what_waits_has_an_end_however_long_the_disk_stays_full(full):
    flap(full, 50)
    reached = waiting(full)
    assert metrics.UNWRITTEN._value.get() == reached
    for _ in range(8):
        flap(full, 50)
        full.pass_time(86400.0)
    assert waiting(full) <= FEW + FEW // 5 + 100
    assert len(full.parts.delivery._fresh) <= waiting(full)
    assert "nothing more is judged" in full.parts.situations.stopped()


def test_what_is_so_when_there_is_room_again_is_what_goes_on_record(full):
    flap(full, 400)
    assert full.engine._durable.is_full
    full.process(up=0, name="db")
    assert full.incidents() == []
    make_room(full)
    full.pass_time(1.0)
    full.pass_time(20.0)
    assert waiting(full) == 0
    assert full.parts.situations.stopped() == ""
    found = {dict(incident["labels"])["name"]: incident["state"] for incident in full.incidents()}
    assert set(found) == {"web", "db"}
    assert found["db"] in {State.OPEN, State.REMEDIATING}
    assert len(full.reader.incident(next(i["id"] for i in full.incidents()))["timeline"]) > 0


def test_the_row_of_an_incident_waits_once_and_all_of_its_timeline(full):
    flap(full, 20)
    full.engine._durable.unwritten = lasting(full.engine._durable.unwritten)
    statements = [write[0] for write in full.engine._durable.unwritten if not callable(write)]
    assert sum("INTO incidents" in each for each in statements) == 1
    assert sum("INTO audit" in each for each in statements) >= 40
    make_room(full)
    full.pass_time(1.0)
    (incident,) = full.incidents()
    assert len(full.reader.incident(incident["id"])["timeline"]) >= 40


def test_no_action_runs_while_it_is_full_and_one_does_afterwards(full):
    flap(full, 400)
    full.process(up=0)
    assert full.take("runner") == []
    make_room(full)
    full.pass_time(1.0)
    for _ in range(3):
        full.pass_time(LATER)
        full.process(up=0)
    assert len(full.take("runner")) == 1


def test_nobody_is_verified_by_what_nobody_saw(bench, monkeypatch):
    monkeypatch.setattr(durable, "MOST", 20)
    monkeypatch.setattr(durable, "_STEP", 2)
    bench.process(up=0)
    bench.settle(bench.take("runner")[0], outcome="succeeded")
    fill(bench)
    for _ in range(8):
        bench.processes({"web": 0, "db": 0})
        bench.clock.advance(1.0)
        bench.processes({"web": 0, "db": 1})
    assert bench.engine._durable.is_full
    bench.clock.advance(3600.0)
    make_room(bench)
    bench.turn()
    bench.processes({"web": 0, "db": 1})
    (web,) = (each for each in bench.incidents() if dict(each["labels"])["name"] == "web")
    assert web["state"] == "verifying", "it has its time once more"
    bench.processes({"web": 1, "db": 1})
    for _ in range(3):
        bench.clock.advance(10.0)
        bench.processes({"web": 1, "db": 1})
    assert bench.reader.incident(web["id"])["resolution"] == "fixed"


def test_posted_alerts_are_refused_while_nothing_can_be_written_and_taken_afterwards(full):
    for number in range(3):
        with pytest.raises(BusyError):
            full.order(post(f"Posted{number}"))
    before = waiting(full), full.parts.intake._backlog.alerts
    for number in range(100):
        with pytest.raises(BusyError):
            full.order(post(f"More{number}"))
        with pytest.raises(BusyError):
            full.order(Ingest(readings=[], alerts=[post(f"More{number}")]))
    assert (waiting(full), full.parts.intake._backlog.alerts) == before
    make_room(full)
    full.pass_time(1.0)
    assert full.order(post("Taken")) == {}
    full.pass_time(1.0)
    assert "Taken" in {incident["alertname"] for incident in full.incidents()}


def test_when_too_much_waits_commands_are_refused_but_to_stop_is_not_and_readings_are_kept(full):
    flap(full, 400)
    with pytest.raises(BusyError):
        full.order(SetMaintenance(actor="me", reason="x", seconds=60.0))
    assert full.parts.situations.muting.maintained(full.clock.now()) == ""
    with pytest.raises(BusyError):
        full.order(SetStop(actor="me", reason="enough", origin="operator"))
    with pytest.raises(BusyError):
        full.order(Ingest(readings=[reading(full, "cache", 0)]))
    make_room(full)
    full.pass_time(1.0)
    full.pass_time(20.0)
    assert "enough" in full.parts.situations.stopped(), "not answered for, but done"
    assert "cache" in {dict(incident["labels"])["name"] for incident in full.incidents()}


def test_the_engine_rests_while_it_waits_for_the_disk(full):
    for _ in range(3):
        with pytest.raises(BusyError):
            full.order(post("Posted"))
    flap(full, 400)
    full.pass_time(3600.0)
    assert full.engine._patience() == pytest.approx(1.0)


def test_of_writes_to_one_row_the_last_counts_and_the_rest_stays_in_order():
    shift = ("UPDATE passes SET unhealthy_at = unhealthy_at + ?", (5.0,))
    pairs = [writes.put_passes("r", "a", 1, 0.0), writes.put_passes("r", "b", 1, 0.0), shift]
    later = [writes.put_passes("r", "a", 2, 9.0), set_meta("alive_at", "1"), set_meta("alive_at", "2")]
    told = [writes.drop_alert("f"), ("INSERT INTO audit VALUES (?)", (1,)), ("INSERT INTO audit VALUES (?)", (1,))]
    assert lasting([*pairs, *later, *told]) == [pairs[1], shift, later[0], later[2], *told]
