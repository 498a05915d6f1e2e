"""Capacity over months of a fake clock: roll-ups, forecasts, one dated change with one ticket, and restarts."""

import json
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.app import attaching, capacity_view
from agent.app.farewell import Leaving
from agent.app.surveying import Surveying
from agent.config.capacity_options import CapacityOptions, DemandOptions, ResourceOptions
from agent.config.options import Config
from agent.engine.batch import Batch
from agent.engine.commands import Farewell, KeepSurvey
from agent.incidents.policy import TicketPolicy
from agent.itsm.capacity import DAY, Forecast, Hour, Why
from agent.itsm.capacity_plan import Outlook, Subject, Survey
from agent.itsm.changes import ChangeState, Word, approved, closed, rejected
from agent.itsm.evidence import Evidence
from agent.itsm.report import markdown, report
from agent.store import rollups
from agent.telemetry.metrics import REGISTRY
from collectors.sample import Reading, Sample, Source, labels
from tests.agent.engine.conftest import NOW, Bench

HOUR = 3600.0
GB = 1e9
SIZE = 1000 * GB
DISK = ResourceOptions(
    name="filesystem",
    used="node_filesystem_size_bytes - node_filesystem_avail_bytes",
    limit="node_filesystem_size_bytes",
    labels=("mountpoint",),
    unit="bytes",
)
CONFIG = Config(capacity=CapacityOptions(usual=False, resources=(DISK,)))


class Months:
    """A host whose disks follow functions of the day; nobody looks while it is down."""

    def __init__(self, bench, config=CONFIG):
        self.bench, self.config = bench, config
        self.start = bench.clock.now()
        self.size = SIZE
        self.levels = {}
        self.rows = []
        self.began()

    @property
    def day(self):
        return (self.bench.clock.now() - self.start) / DAY

    def began(self):
        """Set up what a start of the daemon does."""
        parts = self.bench.parts
        self.bench.database.connection.execute("PRAGMA synchronous = OFF")  # no power fails here
        parts.orders.survey = attaching.surveyor(self.config, parts)
        self.surveying = Surveying(lambda: self.config, parts.series, self.bench.reader, self.bench.clock, self._order)

    def restart(self, down=60.0):
        self.bench.restart(down)
        self.began()

    def _order(self, survey):
        self.answer = self.bench.order(KeepSurvey(survey=survey))
        for row in self.bench.take("rt"):
            self.rows.append(row)
            self.bench.settle(row, id="RT-1", url="", state="open")

    def pass_days(self, days):
        for _ in range(round(days * 24)):
            self.pass_hour()

    def live_through(self, days):
        """Let days pass of which only the roll-ups are left, and then an hour as it really goes."""
        connection = self.bench.database.connection
        self.pass_hour()
        connection.execute("BEGIN")
        for _ in range(round(days * 24) - 2):
            self.bench.clock.advance(HOUR)
            for outlook in self.surveying._known.values():
                value = self.levels[outlook.subject.name](self.day) * GB
                hour = Hour(at=self.bench.clock.now(), low=value, mean=value, high=value, limit=self.size)
                connection.execute(*rollups.put_hour(outlook.subject, hour))
        connection.execute("COMMIT")
        self.pass_hour()

    def pass_hour(self):
        """Twelve readings, one every five minutes, and a look back on them."""
        for _ in range(12):
            self.bench.clock.advance(300.0)
            samples = []
            for mountpoint, level in self.levels.items():
                where = labels(mountpoint=mountpoint, device=f"/dev{mountpoint}")
                samples.append(Sample("node_filesystem_size_bytes", self.size, where))
                samples.append(Sample("node_filesystem_avail_bytes", self.size - level(self.day) * GB, where))
            source = Source("filesystem", "")
            at = self.bench.clock.now()
            self.bench.parts.series.append(Reading(source=source, at=at, samples=samples, complete=True))
        self.surveying.look()
        self.bench.parts.series.drop_old(self.bench.clock.now())

    def outlook(self, name="/srv"):
        connection = self.bench.database.connection
        known = [each for each, _ in rollups.outlooks(connection, self.bench.clock.now())]
        return next(each for each in known if each.subject.name == name)

    def rolled_up(self):
        return rollups.hours(self.bench.database.connection, self.outlook().subject, 0.0, NOW + 10 * DAY)

    def told(self):
        return [row.payload["op"] for row in self.rows]

    def changes(self):
        return self.bench.reader.changes()

    def hours(self):
        return self.bench.database.connection.execute("SELECT count(*) FROM capacity_hours").fetchone()[0]


def shown(name):
    return REGISTRY.get_sample_value(name, {"resource": "filesystem", "subject": "/srv"})


@pytest.fixture
def months(bench):
    return Months(bench)


def test_roll_ups_are_what_was_measured_hour_by_hour(months):
    months.levels["/srv"] = lambda day: 100 + 24 * day
    months.pass_days(1)
    found = months.rolled_up()
    assert len(found) == 24
    last = found[-1]
    assert last.at == months.bench.clock.now()
    assert (last.low / GB, last.mean / GB, last.high / GB) == pytest.approx((100 + 23 + 1 / 12, 123.5 + 1 / 24, 124))
    assert last.limit == SIZE


def test_downtime_leaves_a_gap_and_half_an_hour_is_none(months):
    months.levels["/srv"] = lambda _day: 100.0
    months.pass_days(1)
    months.restart(down=6 * HOUR)
    months.surveying.look()
    months.pass_days(0.25)
    times = [hour.at for hour in months.rolled_up()]
    assert len(times) == 30
    assert max(later - earlier for earlier, later in pairwise(times)) == 7 * HOUR


def test_ninety_days_end_in_one_change_and_one_ticket_whose_date_is_right(months):
    """A steady growth that meets the limit on day 120: asked for once, 30 days before, and never repeated."""
    months.levels["/srv"] = lambda day: 400 + 5 * day
    months.pass_days(89)
    assert months.changes() == []
    months.pass_days(5)
    (change,) = months.changes()
    assert (change["key"], change["kind"], change["state"]) == ("capacity:filesystem:/srv", "capacity", "proposed")
    full = months.start + 120 * DAY
    assert change["ends_at"] == pytest.approx(full, abs=DAY)
    assert change["starts_at"] == pytest.approx(full - 7 * DAY, abs=DAY)
    assert months.told() == ["open"]
    draft = months.rows[0].payload["draft"]
    assert draft["correlation"] == f"h1:{change['id']}"
    assert draft["title"].startswith("[P4] Capacity: filesystem /srv on ")
    assert draft["priority"] == "P4"
    assert "Growth: 4.65" in draft["body"].replace("4.66", "4.65")  # GiB a day


def test_the_ticket_is_more_urgent_when_the_day_draws_near_and_says_so_once(months):
    months.levels["/srv"] = lambda day: 400 + 5 * day
    for days in (92, 15, 11):
        months.live_through(days)
        months.restart()
        months.pass_hour()
    told = [(row.payload["op"], row.payload["update"]["priority"]) for row in months.rows]
    assert told == [("open", "P4"), ("update", "P3"), ("update", "P2")]
    (change,) = months.changes()
    assert change["state"] == "proposed"


def test_restarts_change_nothing(months):
    months.levels["/srv"] = lambda day: 400 + 5 * day
    months.live_through(92)
    before, outlook = months.changes(), months.outlook()
    for down in (60.0, 0.4 * HOUR, 3 * HOUR, 10 * HOUR):
        months.restart(down)
        months.pass_hour()
    assert months.told() == ["open"]
    assert [each["id"] for each in months.changes()] == [each["id"] for each in before]
    assert months.outlook().forecast.full_at == pytest.approx(outlook.forecast.full_at, abs=0.3 * DAY)


def test_the_ticket_follows_a_date_that_moves_and_is_closed_when_it_recedes(months):
    pace = {"per_day": 5.0, "from": 0.0, "level": 400.0}

    def turn(per_day):
        pace.update(level=months.levels["/srv"](months.day), per_day=per_day)
        pace["from"] = months.day

    months.levels["/srv"] = lambda day: pace["level"] + pace["per_day"] * (day - pace["from"])
    months.live_through(95)
    (change,) = months.changes()
    assert months.told() == ["open"]
    months.size = SIZE + 60 * GB  # twelve days more
    months.pass_days(1)
    assert months.told() == ["open", "update"]
    assert months.changes()[0]["ends_at"] == pytest.approx(months.start + 132 * DAY, abs=DAY)
    assert [row.incident_id for row in months.rows] == [change["id"]] * 2
    months.size = 2 * SIZE
    months.pass_days(1)
    assert months.told() == ["open", "update", "close"]
    assert shown("paramedic_capacity_full_timestamp_seconds") == pytest.approx(months.outlook().forecast.full_at)
    assert shown("paramedic_capacity_fit") == pytest.approx(months.outlook().forecast.fit)
    assert 0.6 <= shown("paramedic_capacity_fit") <= 1.0
    closed = months.changes()[0]
    assert (closed["id"], closed["state"]) == (change["id"], "expired")
    assert "days only" in closed["result"]
    turn(0.0)
    months.live_through(30)
    assert len(months.rows) == 3
    assert shown("paramedic_capacity_full_timestamp_seconds") is None
    assert shown("paramedic_capacity_used_ratio") == pytest.approx(months.outlook().forecast.used / months.size)
    assert len(months.changes()) == 1


def test_what_nobody_knows_for_a_while_is_no_reason_to_close_a_ticket(months):
    months.levels["/srv"] = lambda day: 400 + 5 * day
    months.live_through(92)
    level = months.levels.pop("/srv")
    months.levels["/other"] = lambda _day: 100.0
    months.pass_days(4)
    assert str(months.outlook().forecast.why) == "stale"
    assert months.told() == ["open"]
    assert months.changes()[0]["state"] == "proposed"
    months.levels["/srv"] = level
    months.pass_days(1)
    assert months.told() == ["open"]
    months.levels.pop("/srv")
    months.pass_days(8)
    assert months.told() == ["open", "close"]
    assert months.changes()[0]["result"] == "nothing was measured lately"


def test_a_change_that_somebody_answers_closes_its_ticket_and_rests(months):
    months.levels["/srv"] = lambda day: 400 + 5 * day
    months.live_through(92)
    book = months.bench.parts.desk.changes
    batch = Batch(now=months.bench.clock.now())
    known = book.about("capacity:filesystem:/srv")
    book.keep(batch, rejected(known, Word(by="ann", via="cli", at=batch.now, comment="it is being replaced")))
    months.bench.database.commit(batch.writes)
    months.pass_days(6)
    assert months.told() == ["open", "close"]
    assert "rejected by cli:ann: it is being replaced" in months.rows[1].payload["update"]["comment"]
    assert len(months.changes()) == 1


def test_a_resource_that_is_full_keeps_its_one_change(months):
    """Nobody does anything about it: the change neither expires nor is asked for again."""
    months.levels["/srv"] = lambda day: min(995.0, 400 + 5 * day)
    months.live_through(119)
    months.pass_days(6)
    assert [each["state"] for each in months.changes()] == ["proposed"]
    assert months.told().count("open") == 1


def test_weekends_gaps_and_logs_that_are_rotated_ask_for_nothing(months):
    months.levels = {
        "/weekend": lambda day: 800 - 150 * (int(day) % 7 >= 5),
        "/logs": lambda day: 500 + 49 * (day % 10),
        "/flat": lambda _day: 900.0,
    }
    months.live_through(60)
    assert months.changes() == []
    assert {str(months.outlook(name).forecast.why) for name in months.levels} == {"flat"}


def test_each_subject_has_a_change_of_its_own(months):
    months.levels = {"/a": lambda day: 400 + 5 * day, "/b": lambda day: 300 + 6 * day}
    months.live_through(95)
    assert sorted(each["key"] for each in months.changes()) == ["capacity:filesystem:/a", "capacity:filesystem:/b"]
    assert months.told() == ["open", "open"]


def test_a_planned_demand_brings_the_date_forward(bench):
    soon = DemandOptions(resource="filesystem", subject="/srv", on="2027-02-20", step="500GB", note="old archive")
    months = Months(bench, replace(CONFIG, capacity=replace(CONFIG.capacity, demands=(soon,))))
    months.levels["/srv"] = lambda day: 300 + 5 * day  # alone it is full on day 140
    months.live_through(20)
    (change,) = months.changes()
    assert "Counting on old archive" in change["details"]
    assert change["ends_at"] == pytest.approx(1_803_081_600.0 + 4 * DAY, abs=DAY)


def test_a_system_that_gets_no_tickets_gets_none_and_a_second_one_its_own(make_bench):
    bench = make_bench(tickets=(TicketPolicy(name="rt"), TicketPolicy(name="glpi", open="never")))
    months = Months(bench)
    months.levels["/srv"] = lambda day: 400 + 5 * day
    months.live_through(92)
    assert [row.target for row in months.rows] == ["rt"]
    assert bench.take("glpi") == []


def test_hostile_names_stay_within_their_line(months):
    name = "/srv\n[P1] Everything is lost\x1b[31m password=hunter2"
    months.levels[name] = lambda day: 400 + 5 * day
    months.live_through(92)
    draft = months.rows[0].payload["draft"]
    assert "\n" not in draft["title"]
    assert "\x1b" not in draft["title"] + draft["body"]
    assert "hunter2" not in draft["title"] + draft["body"]
    assert not [line for line in draft["body"].splitlines() if line.startswith("[P1]")]


@pytest.mark.parametrize("used", ["sum(", "1 +", "up * on(x) group_left up", '"text"', "up[5m]"])
def test_an_expression_that_yields_nothing_does_not_keep_the_others_from_being_measured(bench, used):
    broken = ResourceOptions(name="broken", used=used, limit="1")
    months = Months(bench, replace(CONFIG, capacity=replace(CONFIG.capacity, resources=(broken, DISK))))
    months.levels["/srv"] = lambda _day: 100.0
    months.pass_days(0.1)
    assert months.hours() == 2


def test_what_was_told_is_on_record(months):
    months.levels["/srv"] = lambda day: 400 + 5 * day
    months.live_through(92)
    rows = months.bench.database.connection.execute("SELECT plan FROM capacity_subjects").fetchall()
    (plan,) = [json.loads(text) for (text,) in rows if text]
    assert plan["tickets"] == ["rt"]
    assert plan["change"] == months.changes()[0]["id"]


def test_an_hour_is_kept_once_whatever_the_clock_does(months):
    months.levels["/srv"] = lambda _day: 100.0
    months.pass_days(0.5)
    count = months.hours()
    months.surveying.look()
    assert months.hours() == count


def test_a_changed_configuration_is_followed_at_the_next_look(months):
    months.levels["/srv"] = lambda day: 300 + 5 * day
    months.live_through(20)
    assert months.outlook().forecast.note == ""
    day = "2027-02-10"
    planned = DemandOptions(resource="filesystem", on=day, step="100GB", note="old archive")
    months.config = replace(CONFIG, capacity=replace(CONFIG.capacity, demands=(planned,)))
    months.pass_hour()
    assert months.outlook().forecast.note == "counting on old archive"
    months.config = replace(CONFIG, capacity=replace(CONFIG.capacity, enabled=False))
    before = months.hours()
    months.pass_hour()
    assert months.hours() == before


def test_the_ticket_of_a_resource_that_nobody_watches_any_more_is_closed(months):
    months.levels["/srv"] = lambda day: 400 + 5 * day
    months.live_through(92)
    assert months.told() == ["open"]
    months.config = replace(CONFIG, capacity=CapacityOptions(usual=False))
    months.restart()
    months.pass_hour()
    assert months.told() == ["open", "close"]
    (change,) = months.changes()
    assert (change["state"], change["result"]) == ("expired", "it is not watched any more")
    months.pass_hour()
    assert months.told() == ["open", "close"]


def test_a_report_says_what_was_known_at_its_end_and_says_the_same_later(months):
    months.levels = {"/srv": lambda day: 400 + 5 * day, "/flat": lambda _day: 500.0}
    months.live_through(92)
    end = months.bench.clock.now()

    def made():
        outlooks = capacity_view.as_of(CONFIG, months.bench.reader, end)
        return markdown(report(Evidence(host="web1", start=end - 7 * DAY, end=end, capacity=outlooks)))

    first = made()
    section = first.partition("## Capacity\n")[2].partition("##")[0]
    practice = "ITIL: capacity and performance management. COBIT: BAI04 Managed Availability and Capacity."
    assert f"*{practice}*" in section
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| filesystem")]
    assert [(row[0], row[4]) for row in rows] == [
        ("| filesystem /flat", "-"),
        ("| filesystem /srv", datetime.fromtimestamp(months.start + 120 * DAY, UTC).strftime("%Y-%m-%d")),
    ]
    assert rows[0][-1] == "it does not grow |"
    months.live_through(5)
    assert made() == first


def test_a_report_forgets_what_was_not_there_for_a_month(months):
    months.levels = {"/srv": lambda day: 100.0 + day, "/old": lambda day: 50.0 + day}
    months.live_through(20)
    gone = months.bench.clock.now()
    del months.levels["/old"]
    months.surveying._known = {key: each for key, each in months.surveying._known.items() if key.name == "/srv"}
    months.live_through(40)

    def named(at):
        return [each.subject.name for each in capacity_view.as_of(CONFIG, months.bench.reader, at)]

    assert named(gone + 10 * DAY) == ["/old", "/srv"]
    assert named(months.bench.clock.now()) == ["/srv"]
    assert named(months.start - DAY) == []


def test_open_tickets_are_told_when_nobody_looks_any_more(months):
    months.levels["/srv"] = lambda day: 400 + 5 * day
    months.live_through(92)
    parts = months.bench.parts
    Leaving(parts, None, lambda batch: attaching.capacity_desk(CONFIG, parts).leave(batch)).attach()
    assert months.bench.order(Farewell(actor="root"))["tickets"] == 1
    (row,) = months.bench.take("rt")
    assert row.payload["op"] == "update"
    assert "nothing watches this any more" in row.payload["update"]["comment"]


def said(bench, full_in_days, why=None):
    """Tell the engine of a forecast, whatever the measurements are."""
    now = bench.clock.now()
    full_at = now + full_in_days * DAY if full_in_days is not None else None
    found = Forecast(used=1.0, limit=2.0, full_at=full_at, why=why)
    subject = Subject(resource="filesystem", name="/srv", labels=(("mountpoint", "/srv"),))
    outlook = Outlook(subject=subject, at=now, forecast=found, measured_at=now)
    bench.order(KeepSurvey(survey=Survey(hours={}, outlooks=(outlook,))))


FORECASTS = st.one_of(
    st.tuples(st.floats(0, 60), st.none()),
    st.tuples(st.none(), st.sampled_from(list(Why))),
)
HAPPENINGS = st.lists(
    st.one_of(
        FORECASTS,
        st.sampled_from(["restart", "approve", "reject"]),
        st.floats(1, 72).map(lambda hours: ("pass", hours)),
    ),
    max_size=40,
)


@given(happenings=HAPPENINGS)
@settings(max_examples=40, deadline=None)
def test_whatever_happens_there_is_one_open_change_and_one_open_ticket_at_most(happenings):
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder) / "state", ladders=())
        bench.database.connection.execute("PRAGMA synchronous = OFF")
        open_tickets, ended, told = set(), set(), []
        try:
            for happening in happenings:
                happen(bench, happening)
                for row in bench.take("rt"):
                    told.append(row.key)
                    op = row.payload["op"]
                    assert (op == "open") == (row.incident_id not in open_tickets)
                    assert row.incident_id not in ended
                    ended |= {row.incident_id} if op == "close" else set()
                    (open_tickets.add if op == "open" else open_tickets.discard if op == "close" else str)(
                        row.incident_id
                    )
                    bench.settle(row, id="1", url="", state="open")
                assert len(open_tickets) <= 1
                changes = [each for each in bench.reader.changes() if each["kind"] == "capacity"]
                assert sum(each["state"] in ("proposed", "approved") for each in changes) <= 1
                assert open_tickets <= {each["id"] for each in changes}
            assert len(set(told)) == len(told)
        finally:
            bench.database.close()


def happen(bench, happening):
    bench.parts.orders.survey = attaching.surveyor(CONFIG, bench.parts)
    if happening == "restart":
        bench.restart(60.0)
        bench.database.connection.execute("PRAGMA synchronous = OFF")
    elif happening in ("approve", "reject"):
        answered(bench, approved if happening == "approve" else rejected)
    elif happening[0] == "pass":
        bench.pass_time(happening[1] * HOUR)
    else:
        bench.clock.advance(HOUR)
        said(bench, *happening)


def answered(bench, answer):
    book = bench.parts.desk.changes
    known = book.about("capacity:filesystem:/srv")
    if known is not None and known.state == "proposed":
        batch = Batch(now=bench.clock.now())
        book.keep(batch, answer(known, Word(by="ann", via="cli", at=batch.now)))
        bench.database.commit(batch.writes)


def test_a_change_that_was_approved_is_not_withdrawn_but_ends_with_the_work(months):
    months.levels["/srv"] = lambda day: 400 + 5 * day
    months.live_through(92)
    answered(months.bench, approved)
    months.size = 2 * SIZE
    months.pass_days(1)
    assert months.told() == ["open"]
    assert months.changes()[0]["state"] == "approved"
    batch = Batch(now=months.bench.clock.now())
    book = months.bench.parts.desk.changes
    book.keep(batch, closed(book.about("capacity:filesystem:/srv"), ChangeState.DONE, "a new disk", batch.now))
    months.bench.database.commit(batch.writes)
    months.pass_hour()
    assert months.told() == ["open", "close"]
    assert months.rows[1].payload["update"]["comment"] == "The change is closed. a new disk"
