"""Evaluates one rule on the store, and keeps what it yielded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collectors.sample import Labels, Reading, Sample, Source, farthest
from rules.alert import Alert, AlertChange, AlertState
from rules.alerting import Absence, AlertingRule, Element, RuleEvaluationError, Verdict, advance
from rules.annotations import Moment
from rules.group import Rule, RuleGroup
from rules.promql.compile import Query, budget
from rules.promql.errors import EvaluationError
from rules.promql.values import Scalar, Vector
from rules.provenance import ALERTS, RULES, Hearing, Living, Provenance, Witnesses
from rules.recording import RecordingRule
from rules.series import SeriesStore
from rules.spells import Told

if TYPE_CHECKING:
    from rules.overrides import Variant

BUDGET_SECONDS = 10.0
"""What one evaluation may take: repairs wait for it."""
MAX_SERIES = 100_000
"""What one rule may yield on one host; less with the `limit` of its group."""

_SHOWN = {state: ("alertstate", state.value) for state in (AlertState.PENDING, AlertState.FIRING)}


class LimitExceededError(RuleEvaluationError):
    """The rule yields more than its group allows."""


@dataclass(slots=True, kw_only=True)
class RuleState:
    """A rule and what is remembered of it between evaluations."""

    rule: Rule
    group: RuleGroup
    provenance: Provenance
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    written: bool = False
    """Whether the store holds series of this rule that must be ended when it yields nothing."""
    warming: bool = True
    evaluated_at: float = 0.0
    variants: "tuple[Variant, ...]" = ()
    """Other limits for some of its alerts."""
    known: dict[Labels, tuple[str, Labels]] = field(default_factory=dict)
    """Fingerprint and alert labels by the labels of an element, for rules whose own labels are constant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where and when rules are evaluated."""

    store: SeriesStore
    at: float
    moment: Moment
    witnesses: Witnesses


def evaluate(state: RuleState, scene: Scene) -> tuple[AlertChange, ...]:
    """Evaluate the rule and store what it yields; return what changed. Raise RuleEvaluationError: nothing changed."""
    rule = state.rule
    state.evaluated_at = scene.at
    at = scene.at - state.group.query_offset_seconds
    vector = yielded(state, scene, at)
    state.warming = not state.provenance.covered(scene.store, at)
    if isinstance(rule, RecordingRule):
        _record(state, rule, vector, scene)
        return ()
    if not vector and not state.alerts and not state.written:
        return ()
    return _advance(state, rule, vector, scene)


def yielded(state: RuleState, scene: Scene, at: float) -> list[tuple[Labels, float]]:
    """Return what the rule yields, with other limits where they apply. Raise RuleEvaluationError."""
    rule = state.rule
    vector = instant(rule.query, scene.store, at)
    variants = [each for each in state.variants if scene.at < each.until]
    if not variants or isinstance(rule, RecordingRule):
        return vector
    found = _of(state, rule, vector, scene, lambda labels: not any(each.applies(labels) for each in variants))
    for index, variant in enumerate(variants):
        others = instant(variant.query, scene.store, at)
        first = _first(variants, index)
        found += _of(state, rule, others, scene, first)
    return found


def _first(variants: "Sequence[Variant]", index: int) -> Callable[[Labels], bool]:
    """Return what tells whether a variant is the first one that applies."""
    before = variants[:index]
    return lambda labels: variants[index].applies(labels) and not any(each.applies(labels) for each in before)


def _of(
    state: RuleState,
    rule: AlertingRule,
    vector: list[tuple[Labels, float]],
    scene: Scene,
    wanted: Callable[[Labels], bool],
) -> list[tuple[Labels, float]]:
    """Return the elements whose alerts are wanted."""
    return [
        (labels, value)
        for labels, value in vector
        if wanted(fingerprinted(state, rule, labels, value, scene.moment)[1])
    ]


def instant(query: Query, store: SeriesStore, at: float) -> list[tuple[Labels, float]]:
    """Return the labels, with `__name__` where there is a name, and values of the result. Raise RuleEvaluationError."""
    try:
        value = query.instant(store, at, limits=budget(BUDGET_SECONDS, max_series=MAX_SERIES))
    except EvaluationError as error:
        raise RuleEvaluationError(str(error)) from error
    if isinstance(value, Scalar):
        return [((), value.value)]
    if not isinstance(value, Vector):
        raise RuleEvaluationError("the expression yields no instant vector")
    return [
        ((("__name__", key.name), *key.labels) if key.name else key.labels, number)
        for key, number in zip(value.keys, value.values, strict=True)
    ]


def fingerprinted(
    state: RuleState, rule: AlertingRule, labels: Labels, value: float, moment: Moment
) -> tuple[str, Labels]:
    """Return the fingerprint and the labels of the alert for an element."""
    known = state.known.get(labels)
    if known is None:
        alert_labels = rule.alert_labels(labels, value, moment)
        known = rule.fingerprint(alert_labels), alert_labels
        if rule.own is not None:
            state.known[labels] = known
    return known


def _advance(
    state: RuleState, rule: AlertingRule, vector: list[tuple[Labels, float]], scene: Scene
) -> tuple[AlertChange, ...]:
    step = advance(
        rule,
        state.alerts,
        _elements(state, rule, vector, scene),
        scene.at,
        absence=Absences(state, scene).judge,
        warming=state.warming,
        moment=scene.moment,
    )
    if state.group.limit and len(step.alerts) > state.group.limit:
        raise LimitExceededError(f"{len(step.alerts)} alerts, and the group's limit is {state.group.limit}")
    state.alerts = step.alerts
    if len(state.known) > 2 * len(vector) + 1000:
        state.known.clear()
    _show(state, scene)
    return step.changes


def _elements(
    state: RuleState, rule: AlertingRule, vector: list[tuple[Labels, float]], scene: Scene
) -> dict[str, Element]:
    elements: dict[str, Element] = {}
    state.provenance.refresh(scene.store)
    for labels, value in vector:
        fingerprint, alert_labels = fingerprinted(state, rule, labels, value, scene.moment)
        if fingerprint in elements:
            raise RuleEvaluationError("two elements have the same labels once the rule's labels are set")
        sources = state.provenance.behind(alert_labels)
        elements[fingerprint] = Element(
            labels=labels,
            alert_labels=alert_labels,
            value=value,
            sampled_at=scene.witnesses.newest(sources),
            sources=sources,
            origin=state.provenance.origin(sources),
        )
    return elements


class Absences:
    """Judges the alerts that one evaluation of a rule no longer yields."""

    def __init__(self, state: RuleState, scene: Scene) -> None:
        self._state = state
        self._scene = scene
        self._living: Living | None = None
        self._heard: dict[tuple[tuple[Source, ...], float], tuple[Hearing, str]] = {}

    def judge(self, alert: Alert) -> Absence:
        """Return what the alert's sources say about its absence."""
        provenance = self._state.provenance
        sources = alert.sources or provenance.behind(alert.labels)
        asked = sources, alert.sampled_at
        if asked not in self._heard:
            self._heard[asked] = self._scene.witnesses.since(*asked)
        hearing, reason = self._heard[asked]
        if hearing is Hearing.LOST:
            return Absence(verdict=Verdict.LOST, reason=reason)
        if hearing is Hearing.WAITING or self._state.warming:
            return Absence(verdict=Verdict.UNDECIDED)
        if self._living is None:
            self._living = provenance.living(self._scene.store)
        alive = self._living.fits(provenance.told(alert.labels))
        return Absence(verdict=Verdict.HEALTHY if alive else Verdict.SERIES_GONE)


def _show(state: RuleState, scene: Scene) -> None:
    """Store the rule's alerts as `ALERTS` and `ALERTS_FOR_STATE`."""
    if not state.alerts and not state.written:
        return
    told: dict[Told, float] = {}
    for alert in state.alerts.values():
        told[Told("ALERTS", alert.labels, _SHOWN.get(alert.state, _SHOWN[AlertState.FIRING]))] = 1.0
        told[Told("ALERTS_FOR_STATE", alert.labels)] = alert.active_at
    at = scene.at - state.group.query_offset_seconds
    origin = farthest(alert.origin for alert in state.alerts.values())
    scene.store.tell(Source(ALERTS, state.rule.identity), at, told, origin=origin)
    state.written = bool(told)


def _record(state: RuleState, rule: RecordingRule, vector: list[tuple[Labels, float]], scene: Scene) -> None:
    limit = state.group.limit
    if limit and len(vector) > limit:
        raise LimitExceededError(f"{len(vector)} series, and the group's limit is {limit}")
    own = dict(rule.labels)
    samples = [Sample(rule.name, value, _recorded(labels, own)) for labels, value in vector]
    if len({sample.labels for sample in samples}) < len(samples):
        raise RuleEvaluationError("two series have the same labels once the rule's labels are set")
    if samples or state.written:
        at = scene.at - state.group.query_offset_seconds
        origin = state.provenance.origin_of_all(scene.store)
        scene.store.append(Reading(source=Source(RULES, state.rule.identity), at=at, samples=samples, origin=origin))
    state.written = bool(samples)


def _recorded(labels: Labels, own: dict[str, str]) -> Labels:
    pairs = dict(labels) | own
    pairs.pop("__name__", None)
    return tuple(sorted((name, value) for name, value in pairs.items() if value))
