"""A month of incidents through the real engine, and figures that a second computation must confirm."""

import math
import random
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from statistics import mean, median

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.app.budgets import budgets
from agent.app.reporting import FORMS, evidence
from agent.cli.report import period
from agent.engine.commands import OnIncident, SetMaintenance
from agent.incidents import windows
from agent.incidents.events import Acknowledged
from agent.incidents.incident import Resolution, Span
from agent.incidents.windows import Recurrence
from agent.itsm.availability import down
from agent.itsm.calendars import Calendar
from agent.itsm.catalogue import NO_SERVICES, Agreement, Catalogue, Criticality, Objective, Service, Target, Worth
from agent.itsm.figures import PHASES
from agent.itsm.page import html
from agent.itsm.report import duration, report
from agent.itsm.training import Training
from agent.telemetry import metrics
from rules import matchers
from tests.agent.engine.conftest import RULES, Bench

DAY = 86400.0
NAMES = ("web", "postgres", "worker")
CATALOGUE = Catalogue(
    [
        Service(
            name="shop",
            match=(matchers.parse_all('{name="web"}'),),
            criticality=Criticality.HIGH,
            targets={"P1": Target(respond=60.0, resolve=300.0)},
            objective=Objective(availability=0.999, window=30 * DAY, agreement=Agreement(review_by="2020-01-01")),
        ),
        Service(
            name="database",
            match=(matchers.parse_all('{name="postgres"}'),),
            criticality=Criticality.LOW,
            calendar=Calendar(
                name="office", hours=windows.parse(Recurrence(days=("mon-fri",), times=("08:00-18:00",), zone="UTC"))
            ),
        ),
    ]
)
SLOW = """
  - alert: ProcessSlow
    expr: paramedic_process_up == 0.5
    for: 30s
    labels: {severity: warning}
"""
WORTH = {"restart_command": Worth(labour=600.0, outage=1800.0)}


class Month:
    """Thirty days of seeded faults: most are mended by the remediation, some end by themselves or come back soon, some
    happen in maintenance, and one goes on. Beside the engine's record it keeps a diary of its own."""

    def __init__(self, directory):
        self.bench = Bench(directory, rules=RULES + SLOW, catalogue=CATALOGUE, worth=WORTH)
        self.chance = random.Random(20261122)
        self.start = self.bench.clock.now()
        self.maintained = []
        """When there was maintenance."""
        self.broken = defaultdict(list)
        """When a process broke, by its name."""
        self.slowed = []
        """When the worker became slow, for which nobody has a remedy."""
        while self.bench.clock.now() < self.start + 30 * DAY:
            self.pause()
            if self.chance.random() < 0.2:
                self.slow()
            else:
                self.fault(self.chance.choice(NAMES))
        self.bench.process(up=0, name="web")
        self.broken["web"].append(self.bench.clock.now())
        for _ in range(5):
            for row in self.bench.take("runner"):
                self.bench.settle(row, outcome="failed")
            self.bench.process(up=0, name="web")
            self.bench.pass_time(61.0)
        self.end = self.bench.clock.now()

    def pause(self):
        soon = self.chance.random() < 0.25
        seconds = self.chance.uniform(600, 3000) if soon else self.chance.uniform(2, 30) * 3600
        while seconds > 0:  # the engine closes what is over in the meantime
            self.bench.pass_time(min(seconds, 1800.0))
            seconds -= 1800.0

    def fault(self, name):
        bench, chance = self.bench, self.chance
        if planned := chance.random() < 0.1:
            self.maintain(3600.0)
        self.broken[name].append(bench.clock.now())
        bench.process(up=0, name=name)
        for row in bench.take("runner"):  # none in maintenance, or when the circuit breaker is open
            bench.clock.advance(chance.uniform(0.1, 20))
            bench.settle(row, outcome=chance.choice(["succeeded", "failed"]))
        if chance.random() < 0.3:  # it takes a second attempt, or goes away by itself
            bench.process(up=0, name=name)
            bench.pass_time(61)
            for again in bench.take("runner"):
                bench.settle(again, outcome="succeeded")
        bench.clock.advance(1)
        for _ in range(3):
            bench.process(up=1, name=name)
            bench.pass_time(11)
        if planned:
            self.maintain(0.0)

    def slow(self):
        bench = self.bench
        self.slowed.append(bench.clock.now())
        lasts = self.chance.choice([45.0, 150.0, 900.0])
        while bench.clock.now() < self.slowed[-1] + lasts:
            bench.process(up=0.5, name="worker")
            bench.pass_time(self.chance.uniform(1.0, 15.0))
            if len(self.slowed) % 2:
                self.take_charge()
        bench.process(up=1, name="worker")
        bench.pass_time(1.0)

    def take_charge(self):
        for each in self.bench.incidents():
            if each["alertname"] == "ProcessSlow" and each["state"] == "escalated" and not each["acknowledged_by"]:
                self.bench.order(OnIncident(incident_id=each["id"], event=Acknowledged(actor="ann")))

    def maintain(self, seconds):
        now = self.bench.clock.now()
        self.bench.order(SetMaintenance(actor="ann", reason="new disks", seconds=seconds))
        if seconds:
            self.maintained.append((now, now))
        else:
            self.maintained[-1] = (self.maintained[-1][0], now)

    def evidence(self, start=None, end=None):
        first = start if start is not None else self.start
        last = end if end is not None else self.end
        return evidence(self.bench.reader, self.bench.policy, "web1", first, last)

    def figures(self):
        return report(self.evidence()).measures


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    made = Month(tmp_path_factory.mktemp("month") / "state")
    yield made
    made.bench.database.close()


class Second:
    """The second computation: over the columns, the audit trail and the diary, not over the documents' own figures."""

    def __init__(self, month):
        self.month = month
        self.audit = defaultdict(list)
        """Rows (at, reason, state) by incident."""
        for incident, *row in self.rows("SELECT incident_id, at, reason, state FROM audit ORDER BY id"):
            if incident:
                self.audit[incident].append(row)
        self.counted = [each for each in self.audit if not self.is_planned(each)]
        self.over = [each for each in self.counted if self.audit[each][-1][2] in ("resolved", "closed")]

    def rows(self, query, *arguments):
        return self.month.bench.database.connection.execute(query, arguments).fetchall()

    def column(self, name, incident):
        ((found,),) = self.rows("SELECT json_extract(document, '$.' || ?) FROM incidents WHERE id = ?", name, incident)
        return found

    def active(self, incident):
        """Return when the incident was active, by what the audit says of its state."""
        found, since = [], None
        for at, _, state in self.audit[incident]:
            is_active = state not in ("resolved", "closed")
            if is_active and since is None:
                since = at
            if not is_active and since is not None:
                found.append((since, at))
                since = None
        spans = [*found, (since, self.month.end)] if since is not None else found
        if self.column("alertname", incident) == "ProcessDown":
            return spans
        return [(max(at for at in self.month.slowed if at <= first), last) for first, last in spans]

    def is_planned(self, incident):
        return all(
            any(a <= first and last <= b for a, b in self.month.maintained) for first, last in self.active(incident)
        )

    def seconds(self, incident, begin=-math.inf, end=math.inf):
        """Return how long it was active outside of maintenance, of the time from `begin` to `end`."""
        within = [(max(first, begin), min(last, end)) for first, last in self.active(incident)]
        return sum(
            (last - first) - sum(max(0.0, min(last, b) - max(first, a)) for a, b in self.month.maintained)
            for first, last in within
            if first < last
        )

    def phases(self, incident):
        """Return how long it took to detect, react, act and verify."""
        over = self.active(incident)[-1][1]
        starts, ends = self.reasons(incident, "attempt_started"), self.reasons(incident, "attempt_settled")
        moments = (self.audit[incident][0][0], starts[0] if starts else over, ends[-1] if ends else over, math.inf)
        return [self.seconds(incident, *each) for each in pairwise((-math.inf, *moments))]

    def reasons(self, incident, *names):
        return [at for at, reason, _ in self.audit[incident] if reason in names]


@pytest.fixture(scope="module")
def second(month):
    return Second(month)


def test_the_month_has_everything_that_figures_could_get_wrong(second):
    assert len(second.month.maintained) >= 2
    assert len(second.counted) < len(second.audit)
    assert any(len(second.active(each)) > 1 for each in second.counted)
    assert any(len(second.reasons(each, "attempt_started")) > 1 for each in second.over)
    assert any(second.column("escalated_reason", each) for each in second.counted)
    assert len(second.over) < len(second.counted)


def test_incidents_are_counted_as_the_audit_has_them(month, second):
    found = month.figures()
    assert found.incidents == len(second.counted)
    assert found.open == len(second.counted) - len(second.over)
    priorities = [second.column("priority", each) for each in second.counted]
    assert found.by_priority == {each: priorities.count(each) for each in sorted(set(priorities))}


def test_every_fault_of_the_diary_is_an_incident_or_re_opened_one(month, second):
    faults = sum(map(len, month.broken.values())) + len(month.slowed)
    assert faults == sum(len(second.active(each)) for each in second.audit)


def test_time_to_detect_is_that_from_the_diary_to_the_audit(month, second):
    found = month.figures().detect
    waits = [second.audit[each][0][0] - second.active(each)[0][0] for each in second.counted]
    assert found.mean == pytest.approx(mean(waits), abs=1e-6)
    assert found.greatest == pytest.approx(max(waits), abs=1e-6)
    assert found.greatest >= 30.0


def test_what_ended_at_once_by_itself_is_false(month, second):
    found = month.figures()
    ends = {each: _last_end(second.audit[each]) for each in second.over}
    false = [
        each
        for each in second.over
        if ends[each] == "resolved_by_itself"
        and not second.reasons(each, "attempt_started")
        and second.active(each)[-1][1] - second.audit[each][0][0] < 300.0
    ]
    assert (found.false.count, found.false.of) == (len(false), len(second.over))
    assert 0 < len(false) < sum(reason == "resolved_by_itself" for reason in ends.values())
    noise = {rule.alertname: rule.noise for rule in found.rules}
    assert noise["ProcessSlow"] == len(false) / sum(
        second.column("alertname", each) == "ProcessSlow" for each in second.counted
    )


def test_changes_that_succeeded_are_those_that_the_table_has(month, second):
    states = [state for (state,) in second.rows("SELECT json_extract(document, '$.state') FROM changes")]
    done, failed = states.count("done"), states.count("failed")
    assert (month.figures().change_success.count, month.figures().change_success.of) == (done, done + failed)
    assert done > failed > 0


def test_times_to_respond_and_resolve_are_those_of_the_audit(month, second):
    found = month.figures()
    began = {each: second.reasons(each, "attempt_started", "acknowledged") for each in second.counted}
    waits = [starts[0] - second.audit[each][0][0] for each, starts in began.items() if starts]
    assert any(second.reasons(each, "acknowledged") for each in second.counted)
    assert found.respond.count == len(waits)
    assert found.respond.mean == pytest.approx(mean(waits), abs=1e-6)
    lengths = [second.seconds(each) for each in second.over]
    assert found.resolve.count == len(lengths)
    assert found.resolve.mean == pytest.approx(mean(lengths), abs=1e-6)
    assert found.resolve.median == pytest.approx(median(lengths), abs=1e-6)
    assert found.resolve.greatest == pytest.approx(max(lengths), abs=1e-6)


def test_the_time_of_all_phases_is_the_time_of_all_incidents(month, second):
    found = month.figures()
    assert sum(found.phases.values()) == pytest.approx(sum(second.seconds(each) for each in second.over), rel=1e-9)
    assert tuple(found.phases) == PHASES
    columns = zip(*(second.phases(each) for each in second.over), strict=True)
    assert list(found.phases.values()) == pytest.approx([sum(column) for column in columns], abs=1e-6)
    assert min(found.phases.values()) > 0


def test_what_was_mended_how_is_what_the_audit_says(month, second):
    found = month.figures()
    fixed = [each for each in second.over if _last_end(second.audit[each]) == "fixed"]
    assert (found.auto_fixed.count, found.auto_fixed.of) == (len(fixed), len(second.over))
    tried = [each for each in second.over if second.reasons(each, "attempt_started")]
    at_once = [each for each in fixed if len(second.reasons(each, "attempt_started")) == 1]
    assert (found.first_time.count, found.first_time.of) == (len(at_once), len(tried))
    seen, returned = set(), 0
    for each in second.counted:
        key = second.column("key", each)
        returned += key in seen or bool(second.reasons(each, "reopened") or len(second.active(each)) > 1)
        seen.add(key)
    assert (found.recurred.count, found.recurred.of) == (returned, len(second.counted))
    handed = [each for each in second.counted if "escalated" in [state for _, _, state in second.audit[each]]]
    assert (found.escalated.count, found.escalated.of) == (len(handed), len(second.counted))


def test_each_rule_has_its_incidents_and_how_they_ended(month, second):
    found = {rule.alertname: rule for rule in month.figures().rules}
    assert list(found) == ["ProcessDown", "ProcessSlow"], "the one with most incidents first"
    for name, rule in found.items():
        own = [each for each in second.counted if second.column("alertname", each) == name]
        fixed = [each for each in own if each in second.over and _last_end(second.audit[each]) == "fixed"]
        assert (rule.incidents, rule.fixed) == (len(own), len(fixed))
        assert rule.returned == sum(len(second.active(each)) - 1 for each in own)


def _last_end(rows):
    """Return why it was over the last time."""
    states = ["open", *(state for _, _, state in rows)]
    ends = [row[1] for before, row in zip(states, rows, strict=False) if before != "resolved" and row[2] == "resolved"]
    return ends[-1]


def test_attempts_that_helped_are_those_that_fresh_data_confirmed(month, second):
    found = month.figures()
    runs = second.rows("SELECT incident_id FROM runs")
    assert sum(action.attempts for action in found.actions) == sum(each in second.counted for (each,) in runs)
    fixed = sum(len(second.reasons(each, "fixed")) for each in second.counted)
    assert found.verified.count == fixed
    ended = second.rows("SELECT json_extract(document, '$.incident') FROM changes WHERE state IN ('done', 'failed')")
    assert found.verified.of == sum(each in second.counted for (each,) in ended) > fixed
    record = month.evidence()
    running = [
        replace(each, attempts=(replace(each.attempts[0], verified=None),))
        for each in record.incidents
        if each.attempts
    ]
    assert report(replace(record, incidents=tuple(running))).measures.verified.of == 0, "fresh data has not judged yet"
    assert found.labour_saved == 600.0 * sum(len(second.reasons(each, "fixed")) for each in second.over)


def test_changes_are_the_runs_and_end_as_the_audit_says(month, second):
    found = month.figures()
    (standard,) = [each for each in found.changes if each.type == "standard"]
    ends = [reason for rows in second.audit.values() for _, reason, _ in rows]
    (outcomes,) = second.rows("SELECT count(*) FROM runs WHERE outcome IS NOT NULL")
    assert standard.done + standard.failed == outcomes[0]
    assert standard.done == ends.count("fixed")
    assert standard.failed > 0
    assert (found.change_success.count, found.change_success.of) == (standard.done, outcomes[0])


def test_what_each_remediation_saved_adds_up_to_what_all_did(month):
    found = month.figures()
    helped = {action.remediation: action.verified for action in found.actions}
    assert {action.remediation: action.labour for action in found.actions} == {
        name: 600.0 * count for name, count in helped.items()
    }
    assert sum(action.labour for action in found.actions) == found.labour_saved > 0


def test_outage_avoided_is_what_was_declared_less_what_it_took(month, second):
    mended = [each for each in second.over if _last_end(second.audit[each]) == "fixed"]
    avoided = sum(max(0.0, 1800.0 - second.seconds(each)) for each in mended)
    assert month.figures().outage_avoided == pytest.approx(avoided, abs=1e-6)
    assert avoided > 0


def test_a_service_is_down_while_any_of_its_incidents_goes_on_and_nobody_planned_it(month, second):
    found = {service.service: service for service in month.figures().services}
    down = defaultdict(float)
    for each in second.audit:
        if second.column("severity", each) == "critical":  # who is slow is not down
            down[second.column("service", each)] += second.seconds(each)
    assert {name: service.down for name, service in found.items()} == pytest.approx(down, abs=1e-6)
    planned = {second.column("service", each) for each in second.audit if second.is_planned(each)}
    slow = {second.column("service", each) for each in second.audit if second.column("severity", each) == "warning"}
    assert (planned, slow) == ({"database"}, {"default"}), "what must not count is there"
    lost = down["shop"]
    assert found["shop"].seen == pytest.approx(lost, abs=1e-6)  # it is open around the clock
    assert found["shop"].availability == pytest.approx(1 - lost / (month.end - month.start))
    assert found["shop"].budget_used == pytest.approx(lost / (0.001 * (month.end - month.start)))
    assert found["database"].objective is None


def test_the_metrics_about_a_services_goal_say_what_the_audit_says(month, second):
    shown = set()
    budgets(month.bench.reader, lambda: month.bench.policy, lambda: month.end, shown)
    since = month.end - 30 * DAY
    lost = sum(
        second.seconds(each)
        for each in second.audit
        if second.column("service", each) == "shop" and second.audit[each][0][0] >= since
    )
    ((found,),) = [[value.value] for value in samples("paramedic_error_budget_used_ratio") if value.labels]
    assert found == pytest.approx(lost / (0.001 * 30 * DAY))
    assert samples("paramedic_availability_ratio")[0].value == pytest.approx(1 - lost / (30 * DAY))
    budgets(month.bench.reader, lambda: replace(month.bench.policy, catalogue=NO_SERVICES), lambda: month.end, shown)
    assert samples("paramedic_availability_ratio") == samples("paramedic_error_budget_used_ratio") == []


def samples(name):
    return [sample for family in metrics.REGISTRY.collect() for sample in family.samples if sample.name == name]


def test_users_see_what_happens_in_their_hours(month, second):
    found = {service.service: service for service in month.figures().services}["database"]
    seconds = 0
    for incident in second.audit:
        if second.column("service", incident) == "database":
            for first, last in second.active(incident):
                for at in range(int(first), int(last)):  # to the second, whatever the calendar's arithmetic says
                    local = datetime.fromtimestamp(at, UTC)
                    open_now = local.weekday() < 5 and 8 <= local.hour < 18
                    seconds += open_now and not any(a <= at < b for a, b in month.maintained)
    spans = sum(len(second.active(each)) for each in second.audit)
    assert 0 < seconds < found.down
    assert found.seen == pytest.approx(seconds, abs=2.0 * spans)


def test_the_healthy_time_before_a_re_opening_is_not_downtime(month, second):
    """What the diary says: nothing is down for longer than the longest of all repairs after it broke."""
    twice = next(each for each in second.counted if len(second.active(each)) > 1)
    (document,) = [each for each in month.evidence().incidents if each.id == twice]
    wall = document.resolved_at - document.opened_at
    assert sum(span.end - span.start for span in document.spans) < wall - 500.0


def test_tickets_that_are_open_are_as_old_as_their_incidents(month, second):
    found = month.figures()
    ages = [month.end - second.audit[each][0][0] for each in second.counted if each not in second.over]
    assert found.ticket_age.count == len(ages)
    assert found.ticket_age.greatest == pytest.approx(max(ages))
    record = month.evidence()
    nowhere = replace(record, incidents=tuple(replace(each, tickets=()) for each in record.incidents))
    assert report(nowhere).measures.ticket_age.count == 0 < found.ticket_age.count


def test_promises_are_kept_or_broken_as_the_clocks_say(month, second):
    kept = month.figures().promises["respond"]
    calls = second.rows(
        "SELECT DISTINCT incident_id FROM audit WHERE reason = 'promise_broken' AND detail LIKE 'respond%'"
    )
    assert kept.of - kept.count == sum(each in second.counted for (each,) in calls)
    assert kept.of > 0


@pytest.mark.parametrize("form", ["markdown", "html", "json"])
def test_the_same_record_gives_the_same_bytes_also_after_a_restart(month, form):
    before = FORMS[form](report(month.evidence()))
    month.bench.restart(seconds=0.0)
    assert FORMS[form](report(month.evidence())) == before


def test_what_must_be_looked_at_is_said(month):
    about = {(each.about, each.says) for each in report(month.evidence()).suggestions}
    assert ("service shop", "its goal is agreed with nobody") in about
    assert ("service shop", "its goal was to be reviewed by 2020-01-01") in about
    assert any(says.endswith("automation masks a fault") for _, says in about)


def test_a_problem_is_named_by_what_fails_and_not_by_its_number_alone(month):
    made = report(month.evidence())
    (shop,) = [each for each in made.problems if each.service == "shop"]
    assert f"| {shop.id} | ProcessDown | web is down | shop | open | {shop.why} | - |" in FORMS["markdown"](made)
    says = {each.says for each in made.suggestions if each.about == shop.id}
    assert says == {f"ProcessDown on shop: {shop.why}"}


def test_the_incidents_of_all_services_are_those_that_count(month):
    record = month.evidence()
    some = [each for each in record.incidents if each.clocks][:4]
    there, planned, storm, plain = (
        replace(some[0], preexisting=True),
        replace(some[1], spans=tuple(replace(span, planned=True, down=False) for span in some[1].spans)),
        replace(some[2], covered_by="storm"),
        some[3],
    )
    found = report(replace(record, incidents=(there, planned, storm, plain))).measures
    assert sum(each.incidents for each in found.services) == found.incidents == 1
    assert sum(each.promised for each in found.services) == sum(each.of for each in found.promises.values())


def test_drills_are_dated_in_the_time_of_their_reader(month):
    held = Training(drill="d-1", scenario="service-down", held_at=1_800_000_000.0, passed=True, points=90)
    made = FORMS["markdown"](report(replace(month.evidence(), zone="Asia/Tokyo", drills=(held,))))
    assert "| 2027-01-15 17:00 JST | service-down | passed |" in made


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_text_from_outside_neither_steers_a_terminal_nor_turns_the_reading(month, form):
    made = hostile_report(report(month.evidence()), "a\x1b[2Jb\u202ec\u200bd")
    assert all(char.isprintable() or char == "\n" for char in FORMS[form](made))


def test_hostile_text_stays_text(month):
    made = report(replace(month.evidence(), host="<b>|`x`\n# y"))
    problem = replace(made.problems[0], why="a | b\n<script>alert(1)</script>")
    made = replace(made, problems=(problem,))
    assert "<script>" not in FORMS["html"](made)
    assert "a \\| b \\<script\\>" in FORMS["markdown"](made)
    assert FORMS["markdown"](made).splitlines()[0].startswith("# \\<b\\>\\|\\`x\\` \\# y")


class Tags(HTMLParser):
    """What a browser would make of a page: its tags, and the text outside of them."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.said = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data):
        self.said.append(data)


@given(st.text(min_size=1, max_size=60))
@example("</td><script>alert(1)</script>")
@example("]]><svg onload=x>&lt;b&gt;\x00")
def test_no_text_from_outside_becomes_markup_of_the_page(made, text):
    plain, hostile = (Tags(html(hostile_report(made, word))) for word in ("word", text))
    assert hostile.tags == plain.tags


@pytest.fixture(scope="module")
def made(month):
    return report(month.evidence())


def hostile_report(made, text):
    figures = made.measures
    return replace(
        made,
        host=text,
        problems=(replace(made.problems[0], alertname=text, symptom=text, why=text, workaround=text),),
        suggestions=tuple(replace(each, about=text, says=text, owner=text) for each in made.suggestions[:2]),
        measures=replace(
            figures,
            rules=tuple(replace(rule, alertname=text) for rule in figures.rules),
            services=tuple(replace(service, service=text) for service in figures.services),
        ),
    )


def test_a_period_without_incidents_has_no_figures_and_divides_by_nothing(month):
    made = report(month.evidence(month.start - 10 * DAY, month.start - 3 * DAY))
    assert made.measures.incidents == 0
    assert made.measures.resolve.mean is None
    assert "0 of 0" in FORMS["markdown"](made)


def test_major_incidents_and_what_nobody_will_fix_are_in_the_report(month):
    record = month.evidence()
    first, second = record.incidents[:2]
    great = replace(first, major="declared by ann: the press | calls", spans=())
    declined = replace(second, resolution=Resolution.WONT_FIX, spans=())
    made = FORMS["markdown"](report(replace(record, incidents=(great, declined))))
    assert f"| {great.id} | ProcessDown | {great.service} | declared by ann: the press \\| calls |" in made
    assert "| won't fix | 1 |" in made


def test_spans_that_overlap_are_counted_once(month):
    base = month.evidence().incidents[0]
    spans = [(10.0, 20.0), (15.0, 30.0), (16.0, 17.0), (50.0, None), (90.0, 95.0)]
    incidents = [replace(base, spans=(Span(start=first, end=last),)) for first, last in spans]
    assert down(incidents, 0.0, 100.0) == [(10.0, 30.0), (50.0, 100.0)]
    assert down(incidents, 18.0, 60.0) == [(18.0, 30.0), (50.0, 60.0)]
    assert down([], 0.0, 100.0) == []


@pytest.mark.parametrize(
    ("name", "now", "first", "last"),
    [
        ("weekly", "2026-11-22T16:00", "2026-11-09", "2026-11-16"),
        ("weekly", "2026-11-23T00:00", "2026-11-16", "2026-11-23"),
        ("monthly", "2026-01-05T10:00", "2025-12-01", "2026-01-01"),
        ("monthly", "2024-03-31T10:00", "2024-02-01", "2024-03-01"),
        ("controls", "2024-03-31T10:00", "2024-02-01", "2024-03-01"),
    ],
)
def test_a_report_is_about_the_last_whole_week_or_month(name, now, first, last):
    start, end = period(name, datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert [datetime.fromtimestamp(at, UTC).date().isoformat() for at in (start, end)] == [first, last]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1 min"), (3900, "1 h 05 min"), (90000, "25 h 00 min")],
)
def test_durations_read_well(seconds, text):
    assert duration(seconds) == text
