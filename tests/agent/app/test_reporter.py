"""Reports that come again: made once, sent, kept, and the same when they are computed again."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from agent.app.reporter import Reporter
from agent.app.reporting import ReportDesk
from agent.engine.commands import BusyError, CommandError, OnIncident
from agent.engine.improvements import AssignSuggestion, CloseSuggestion, RecordReview
from agent.engine.improving import carry_out
from agent.incidents.events import Acknowledged
from agent.itsm.schedules import Schedule
from agent.itsm.stretches import Period
from agent.itsm.suggestions import Point
from tests.agent.engine.conftest import Bench

DAY = 86400.0
WEEKLY = Schedule(name="weekly", every="weekly", day=0, minute=7 * 60, zone="UTC", channels=("ops", "sales"))
POINT = Point(kind="noise", about="rule <b>Flappy", says="too often", suggestion="a longer for")


class Office:
    """A bench, the desk that makes reports of its record, and a reporter."""

    def __init__(self, directory):
        self.bench = Bench(directory)
        self.points = [POINT]
        self.planned = [WEEKLY]
        self.desk = ReportDesk(
            self.bench.reader,
            policy=lambda: self.bench.policy,
            host="web1",
            points=lambda _start, _end: self.points,
            audiences={"ops": "technical", "sales": "business"},
        )
        self.busy = False
        self.until("2027-01-13T12:00")  # a Wednesday
        self.begin()

    def begin(self):
        self.bench.parts.orders.improve = lambda batch, command: carry_out(
            batch, self.bench.database.connection, self.bench.parts.delivery, command
        )
        self.reporter = Reporter(
            lambda: self.planned, lambda: self.desk, self.bench.reader, self.order, self.bench.clock.now
        )

    def restart(self, seconds):
        self.bench.restart(seconds)
        self.begin()

    def order(self, command):
        if self.busy:
            raise BusyError
        return self.bench.order(command)

    def until(self, text):
        self.bench.clock.advance(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() - self.bench.clock.now())

    def tick(self):
        self.reporter.tick()
        return [each["id"] for each in self.desk.published()]

    def mails(self):
        return {row.target: row.payload["notice"] for name in ("ops", "sales") for row in self.bench.take(name)}


@pytest.fixture
def office(tmp_path):
    made = Office(tmp_path / "state")
    yield made
    made.bench.database.close()


def test_what_was_before_the_schedule_is_not_reported_and_then_every_week_once(office):
    assert office.tick() == []
    office.until("2027-01-18T06:59")
    assert office.tick() == []
    office.until("2027-01-18T07:00")
    assert office.tick() == ["weekly-2027-01-11"]
    office.until("2027-01-20T07:00")
    assert office.tick() == ["weekly-2027-01-11"]
    assert set(office.mails()) == {"ops", "sales"}


def test_a_daemon_that_was_away_for_weeks_makes_the_last_report_only_and_that_once(office):
    office.tick()
    office.restart(40 * DAY)  # 2027-02-22, a Monday, at noon
    assert office.tick() == ["weekly-2027-02-15"]
    office.restart(60.0)
    assert office.tick() == ["weekly-2027-02-15"]
    assert len(office.bench.database.connection.execute("SELECT 1 FROM outbox").fetchall()) == 2


def test_a_clock_that_is_set_back_brings_no_report_again(office):
    office.tick()
    office.until("2027-01-25T12:00")
    assert office.tick() == ["weekly-2027-01-18"]
    office.until("2027-01-18T12:00")
    assert office.tick() == ["weekly-2027-01-18"]


def test_a_schedule_that_was_changed_counts_from_then_on(office):
    office.planned = []
    office.until("2027-01-18T08:00")
    assert office.tick() == []
    office.planned = [WEEKLY]
    assert office.tick() == [], "nobody asked for the last week when it ended"
    office.until("2027-01-25T08:00")
    office.planned = [replace(WEEKLY, minute=9 * 60)]
    assert office.tick() == []
    office.until("2027-01-25T09:00")
    assert office.tick() == ["weekly-2027-01-18"]
    office.planned = [replace(WEEKLY, minute=10 * 60)]
    office.until("2027-01-25T10:00")
    assert office.tick() == ["weekly-2027-01-18"], "each week once, whatever its time"


def test_an_engine_that_is_busy_is_asked_again(office):
    office.tick()
    office.until("2027-01-18T08:00")
    office.busy = True
    assert office.tick() == []
    office.busy = False
    assert office.tick() == ["weekly-2027-01-11"]


def test_each_channel_gets_what_its_readers_understand(office):
    office.tick()
    office.until("2027-01-18T08:00")
    office.tick()
    mails = office.mails()
    assert "## To look at" in mails["ops"]["text"]
    assert "## To look at" not in mails["sales"]["text"]
    assert "## Services" in mails["sales"]["text"]
    assert mails["ops"]["page"].startswith("<!doctype html>")
    assert "<b>" not in mails["ops"]["page"]
    assert mails["ops"]["subject"].startswith("[paramedic] weekly report: web1, 2027-01-11")
    assert mails["ops"]["key"] == "weekly-2027-01-11:ops"


@pytest.mark.parametrize("form", ["markdown", "html", "json"])
def test_a_published_report_comes_out_the_same_whatever_happens_to_the_record_later(office, form):
    office.tick()
    office.until("2027-01-15T10:00")
    office.bench.process(up=0)
    office.until("2027-01-18T08:00")
    office.tick()
    before = office.desk.recomputed("weekly-2027-01-11", form)
    first = office.desk.text(period(office), form)
    office.points.clear()
    office.bench.process(up=1)
    office.bench.pass_time(30.0)
    office.restart(7 * DAY)
    office.tick()
    after = office.desk.recomputed("weekly-2027-01-11", form)
    assert after == before
    assert after["same"]
    assert office.desk.text(period(office), form) != first  # the record itself has moved on


def period(office):
    (row,) = [each for each in office.desk.published() if each["id"] == "weekly-2027-01-11"]
    return Period(start=row["start"], end=row["end"])


def test_a_report_that_is_published_again_is_not_sent_again(office):
    span = Period(start=0.0, end=office.bench.clock.now())
    assert office.order(office.desk.publication("q", "by-hand", span, ["ops"], "ann"))["new"]
    assert not office.order(office.desk.publication("q", "by-hand", span, ["ops"], "ann"))["new"]
    assert len(office.bench.take("ops")) == 1
    with pytest.raises(CommandError, match="no channel 'sails'"):
        office.desk.publication("r", "by-hand", span, ["sails"], "ann")
    assert office.desk.recomputed("r", "html") is None


def suggestions(office, *, closed=False):
    return office.desk.suggestions(closed=closed)


def test_a_suggestion_is_in_every_report_until_it_is_closed_and_survives_restarts(office):
    office.tick()
    office.until("2027-01-18T08:00")
    office.tick()
    (found,) = suggestions(office)
    office.order(AssignSuggestion(actor="ann", suggestion_id=found["id"], owner="bob", due="2027-01-20"))
    office.points.clear()
    office.restart(7 * DAY)
    office.tick()
    text = office.desk.recomputed("weekly-2027-01-18", "markdown")["text"]
    assert f"| {found['id']} | rule \\<b\\>Flappy | too often | a longer for | bob | 2027-01-20 (overdue) |" in text
    office.order(CloseSuggestion(actor="bob", suggestion_id=found["id"], reason="mended"))
    office.restart(7 * DAY)
    office.tick()
    assert found["id"] not in office.desk.recomputed("weekly-2027-01-25", "markdown")["text"]
    assert [each["closed_why"] for each in suggestions(office, closed=True)] == ["mended"]
    with pytest.raises(CommandError, match="no open suggestion"):
        office.order(CloseSuggestion(actor="bob", suggestion_id=found["id"], reason="again"))


def test_what_somebody_closed_while_a_report_was_made_stays_closed(office):
    span = Period(start=office.bench.clock.now() - 9 * DAY, end=office.bench.clock.now() - 2 * DAY)
    office.order(office.desk.publication("a", "by-hand", span, [], "ann"))
    slow = office.desk.publication("b", "by-hand", replace(span, end=span.end + DAY), [], "ann")
    (found,) = suggestions(office)
    office.order(CloseSuggestion(actor="bob", suggestion_id=found["id"], reason="mended"))
    office.order(slow)
    assert suggestions(office) == []


def test_a_review_keeps_decisions_and_its_actions_come_back_in_reports(office):
    order = RecordReview(
        actor="ann",
        report="weekly-2027-01-11",
        decisions=["keep the goal"],
        actions=[("split the disk", "bob", "2027-03-01"), ("ask the vendor", "", "")],
    )
    office.order(order)
    office.restart(10.0)
    (review,) = office.desk.reviews()
    assert (review["by"], review["decisions"]) == ("ann", ("keep the goal",))
    assert [(each["suggestion"], each["owner"], each["due"]) for each in review["actions"]] == [
        ("split the disk", "bob", "2027-03-01"),
        ("ask the vendor", "", "2027-01-27"),
    ]
    office.points.clear()
    text = office.desk.text(Period(start=0.0, end=office.bench.clock.now()), "markdown")
    assert "split the disk" in text
    assert "ask the vendor" in text


def test_everything_that_is_ordered_is_in_the_audit(office):
    span = Period(start=0.0, end=office.bench.clock.now())
    office.order(office.desk.publication("q", "by-hand", span, [], "ann"))
    (found,) = suggestions(office)
    office.order(AssignSuggestion(actor="ann", suggestion_id=found["id"], owner="bob"))
    office.order(CloseSuggestion(actor="bob", suggestion_id=found["id"], reason="mended"))
    office.order(RecordReview(actor="ann", report="q", decisions=["go on"]))
    query = "SELECT event, actor FROM audit WHERE reason = 'ordered' ORDER BY id"
    assert office.bench.database.connection.execute(query).fetchall() == [
        ("report_published", "ann"),
        ("suggestion_assigned", "ann"),
        ("suggestion_closed", "bob"),
        ("review_recorded", "ann"),
    ]


def test_what_a_review_has_to_look_at_is_told_without_any_report(office):
    office.bench.process(up=0)
    found = office.desk.due(office.bench.clock.now(), 30 * DAY)
    assert ("noise", "rule <b>Flappy") in {(each["kind"], each["about"]) for each in found}


def test_evidence_goes_through_the_database_unchanged(office):
    office.bench.process(up=0)
    span = Period(start=0.0, end=office.bench.clock.now() + 1)
    order = office.desk.publication("q", "by-hand", span, [], "ann")
    office.order(order)
    assert office.desk.recomputed("q", "json")["same"]
    tampered = replace(order, report_id="r", digest="0")
    office.order(tampered)
    assert not office.desk.recomputed("r", "json")["same"]


def test_evidence_does_not_grow_with_what_people_took_before_its_period(office):
    office.bench.process(up=0)
    incident = office.bench.incident()["id"]
    taken = office.bench.clock.now()
    office.order(OnIncident(incident_id=incident, event=Acknowledged(actor="ann")))
    found = office.desk.evidence(Period(start=taken - DAY, end=taken + DAY))
    assert found.acknowledged == {incident: taken}
    assert office.desk.evidence(Period(start=taken + DAY, end=taken + 2 * DAY)).acknowledged == {}


def test_a_report_is_dated_in_the_time_of_its_reader(office):
    start = datetime(2026, 10, 19, tzinfo=ZoneInfo("Europe/Berlin"))
    end = datetime(2026, 10, 26, tzinfo=ZoneInfo("Europe/Berlin"))
    span = Period(start=start.timestamp(), end=end.timestamp(), zone="Europe/Berlin")
    text = office.desk.text(span, "markdown")
    assert text.startswith("# web1, 2026-10-19 00:00 CEST to 2026-10-26 00:00 CET")
    office.order(office.desk.publication("q", "by-hand", span, [], "ann"))
    assert office.desk.recomputed("q", "markdown")["text"].splitlines()[0] == text.splitlines()[0]
