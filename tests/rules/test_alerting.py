"""The alert machine of one rule."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.alert import AlertState, Recovery
from rules.alerting import Absence, AlertingRule, Element, Verdict, advance
from rules.annotations import compile_template
from rules.promql.compile import compile_query

PENDING, FIRING, NO_DATA, RESOLVED = AlertState.PENDING, AlertState.FIRING, AlertState.NO_DATA, AlertState.RESOLVED
LABELS = (("instance", "h"),)
HEALTHY = Absence(verdict=Verdict.HEALTHY)
GONE = Absence(verdict=Verdict.SERIES_GONE)
LOST = Absence(verdict=Verdict.LOST, reason="disk: timed out")
UNDECIDED = Absence(verdict=Verdict.UNDECIDED)


def rule(for_seconds=0.0, keep_firing_seconds=0.0, **more):
    return AlertingRule(
        identity="f;g;A",
        version="1",
        name="A",
        query=compile_query("up == 0"),
        text="up == 0",
        for_seconds=for_seconds,
        keep_firing_seconds=keep_firing_seconds,
        **more,
    )


@dataclass
class Machine:
    """Steps a rule with one element, and remembers what came out."""

    rule: AlertingRule
    held: dict = field(default_factory=dict)

    def step(self, at, what, *, value=1.0, warming=False):
        """`what`: True where the expression yields the element, else the verdict on its absence."""
        labels = self.rule.alert_labels(LABELS, value)
        fingerprint = self.rule.fingerprint(labels)
        element = Element(labels=LABELS, alert_labels=labels, value=value, sampled_at=at)
        elements = {fingerprint: element} if what is True else {}
        step = advance(self.rule, self.held, elements, at, absence=lambda _alert: what, warming=warming)
        self.held = step.alerts
        return [(change.before, change.alert.state) for change in step.changes]

    @property
    def alert(self):
        return next(iter(self.held.values()), None)


def test_an_alert_without_for_fires_at_once():
    machine = Machine(rule())
    assert machine.step(100, True) == [(None, FIRING)]
    assert (machine.alert.active_at, machine.alert.fired_at) == (100, 100)
    assert machine.step(115, True) == []


def test_an_alert_is_pending_until_it_has_held_for_as_long_as_for_says():
    machine = Machine(rule(for_seconds=30))
    assert machine.step(100, True) == [(None, PENDING)]
    assert machine.step(129, True) == []
    assert machine.step(130, True) == [(PENDING, FIRING)]
    assert machine.alert.active_at == 100


def test_for_starts_again_after_a_gap():
    machine = Machine(rule(for_seconds=30))
    machine.step(100, True)
    assert machine.step(115, HEALTHY) == [(PENDING, RESOLVED)]
    assert machine.step(130, True) == [(None, PENDING)]
    assert machine.step(145, True) == []


def test_keep_firing_for_holds_the_alert_and_starts_again_when_it_is_back():
    machine = Machine(rule(keep_firing_seconds=60))
    machine.step(100, True)
    assert machine.step(115, HEALTHY) == []
    assert machine.alert.keep_until == 175
    assert machine.step(130, True) == []
    assert machine.alert.keep_until is None
    assert machine.step(145, HEALTHY) == []
    assert machine.step(204, HEALTHY) == []
    assert machine.step(205, HEALTHY) == [(FIRING, RESOLVED)]


def test_lost_data_never_resolve_and_say_why():
    machine = Machine(rule())
    machine.step(100, True)
    assert machine.step(115, LOST) == [(FIRING, NO_DATA)]
    assert machine.alert.reason == "disk: timed out"
    assert machine.step(130, LOST) == []
    assert machine.step(145, UNDECIDED) == []
    assert machine.step(160, True) == [(NO_DATA, FIRING)]
    assert (machine.alert.reason, machine.alert.active_at, machine.alert.fired_at) == ("", 100, 100)


@pytest.mark.parametrize(("absence", "recovery"), [(HEALTHY, Recovery.HEALTHY), (GONE, Recovery.SERIES_GONE)])
def test_an_alert_without_data_resolves_when_the_sources_are_back(absence, recovery):
    machine = Machine(rule())
    machine.step(100, True)
    machine.step(115, LOST)
    fingerprint, labels = machine.alert.fingerprint, machine.alert.labels
    step = advance(machine.rule, machine.held, {}, 130, absence=lambda _alert: absence)
    (change,) = step.changes
    assert (change.before, change.alert.state, change.alert.recovery) == (NO_DATA, RESOLVED, recovery)
    assert (change.alert.resolved_at, change.alert.fingerprint, change.alert.labels) == (130, fingerprint, labels)
    assert not step.alerts


def test_a_pending_alert_is_kept_while_nobody_can_say_and_dropped_when_data_are_lost():
    machine = Machine(rule(for_seconds=60))
    machine.step(100, True)
    assert machine.step(115, UNDECIDED) == []
    assert machine.step(130, LOST) == [(PENDING, RESOLVED)]


def test_an_alert_that_fired_while_warming_up_tells_when_history_is_long_enough():
    machine = Machine(rule())
    assert machine.step(100, True, warming=True) == [(None, FIRING)]
    assert machine.alert.warming
    assert machine.step(115, True, warming=True) == []
    assert machine.step(130, True) == [(FIRING, FIRING)]
    assert not machine.alert.warming
    assert machine.step(145, True, warming=True) == []
    assert not machine.alert.warming


def test_labels_and_annotations_are_rendered_and_follow_the_value():
    labels = (("severity", compile_template("{{ if gt $value 5.0 }}critical{{ else }}warning{{ end }}", "severity")),)
    annotations = (("summary", compile_template("{{ $labels.instance }}: {{ $value }}", "summary")),)
    machine = Machine(rule(labels=labels, annotations=annotations))
    machine.step(100, True, value=1.0)
    assert machine.alert.labels == (("alertname", "A"), ("instance", "h"), ("severity", "warning"))
    machine.step(115, True, value=2.0)
    assert machine.alert.annotations == (("summary", "h: 2"),)
    assert machine.alert.value == 2.0


def test_an_empty_label_is_no_label():
    own = (("instance", compile_template("", "instance")), ("team", compile_template("{{ $labels.none }}", "team")))
    assert rule(labels=own).alert_labels(LABELS, 1.0) == (("alertname", "A"),)


@dataclass
class Model:
    """What the machine must do, told in another way: the whole story is looked at anew at each step."""

    for_seconds: float
    keep: float
    story: list = field(default_factory=list)

    def state(self):
        """Return the state after the story so far; None where there is no alert."""
        active, fired, lost, ended = None, False, False, None
        for at, what in self.story:
            if what is True:
                active, lost, ended = (at if active is None else active), False, None
                fired = fired or at - active >= self.for_seconds
            elif active is None or what is UNDECIDED:
                continue
            elif what is LOST and fired:
                lost, ended = True, None
            elif fired and self.keep:
                lost, ended = False, (at if ended is None else ended)
                if at - ended >= self.keep:
                    active, fired, ended = None, False, None
            else:
                active, fired, lost, ended = None, False, False, None
        if active is None:
            return None
        return NO_DATA if lost else FIRING if fired else PENDING


events = st.lists(
    st.tuples(st.sampled_from([1, 10, 30, 60]), st.sampled_from([True, HEALTHY, GONE, LOST, UNDECIDED])), max_size=30
)


@given(st.sampled_from([0, 10, 45]), st.sampled_from([0, 20, 60]), events)
def test_the_machine_does_what_the_model_says(for_seconds, keep, story):
    machine, model, at = Machine(rule(for_seconds, keep)), Model(for_seconds, keep), 0
    for gap, what in story:
        at += gap
        before = model.state()
        model.story.append((at, what))
        after = model.state()
        changes = machine.step(at, what)
        assert (machine.alert.state if machine.alert else None) == after
        if before != after:
            assert changes == [(before, after or RESOLVED)]
        else:
            assert changes == []


@given(events)
def test_a_firing_alert_ends_only_with_a_verdict_of_health_or_absence(story):
    machine, at = Machine(rule()), 0
    for gap, what in story:
        at += gap
        for before, after in machine.step(at, what):
            if after is RESOLVED and before is not PENDING:
                assert what in (HEALTHY, GONE)
