"""The alert machine of one rule: what its expression yields, turned into alerts that are pending, firing or gone."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from collectors.sample import Labels, Origin, Source
from rules.alert import Alert, AlertChange, AlertState, Recovery
from rules.annotations import Moment, Template
from rules.promql.compile import Query

_NOWHERE = Moment()


class RuleEvaluationError(Exception):
    """A rule cannot be evaluated now; its alerts stay as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertingRule:
    """`alert:` in a rule file.

    `identity` is "file;group;name" with a hash of the labels, if it has any: it stays when the expression or what is
    beside the rule changes. `version` is a hash of all that makes the rule behave as it does.
    """

    identity: str
    version: str
    name: str
    query: Query
    text: str
    for_seconds: float = 0.0
    keep_firing_seconds: float = 0.0
    labels: tuple[tuple[str, Template], ...] = ()
    annotations: tuple[tuple[str, Template], ...] = ()
    line: int = 0
    own: Labels | None = field(init=False, repr=False, compare=False)
    """What its labels and `alertname` are for every alert; None if that depends on the alert."""

    def __post_init__(self) -> None:
        constant = all(template.constant for _, template in self.labels)
        object.__setattr__(self, "own", tuple(self._own((), 0.0, _NOWHERE).items()) if constant else None)

    def _own(self, labels: Labels, value: float, moment: Moment) -> dict[str, str]:
        pairs = {name: template.render(labels, value, moment=moment) for name, template in self.labels}
        return pairs | {"alertname": self.name}

    def alert_labels(self, labels: Labels, value: float, moment: Moment = _NOWHERE) -> Labels:
        """Return the labels of the alert for an element: its own, the rule's over them, and `alertname`."""
        # The same pairs for all alerts, not equal ones: there may be many.
        own = self.own if self.own is not None else tuple(self._own(labels, value, moment).items())
        taken = {"__name__", *(name for name, _ in own)}
        kept = [pair for pair in labels if pair[1] and pair[0] not in taken]
        return tuple(sorted([*kept, *(pair for pair in own if pair[1])]))

    def alert_annotations(self, labels: Labels, value: float, moment: Moment = _NOWHERE) -> Labels:
        """Return the rendered annotations for an element."""
        return tuple((name, template.render(labels, value, moment=moment)) for name, template in self.annotations)

    def fingerprint(self, labels: Labels) -> str:
        """Return what tells an alert with these labels from every other alert."""
        return hashlib.sha256(repr((self.identity, labels)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One thing that the expression yields: its labels, `__name__` too if it has one, and those of the alert."""

    labels: Labels
    alert_labels: Labels
    value: float
    sampled_at: float = 0.0
    sources: tuple[Source, ...] = ()
    origin: Origin = Origin.LOCAL


class Verdict(Enum):
    """What it means that the expression no longer yields an alert."""

    HEALTHY = auto()
    """Every source behind it has spoken since: the condition is over."""
    SERIES_GONE = auto()
    """The sources ran successfully and no longer have the series."""
    LOST = auto()
    """A source failed or fell silent: nobody knows."""
    UNDECIDED = auto()
    """Too early to tell: a source has not run yet, or history is too short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """A verdict and, where data are lost, which sources failed."""

    verdict: Verdict
    reason: str = ""


_RECOVERIES = {Verdict.HEALTHY: Recovery.HEALTHY, Verdict.SERIES_GONE: Recovery.SERIES_GONE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one evaluation made of a rule's alerts: those it has now, by fingerprint, and what changed."""

    alerts: Mapping[str, Alert]
    changes: tuple[AlertChange, ...]


def advance(
    rule: AlertingRule,
    held: Mapping[str, Alert],
    elements: Mapping[str, Element],
    at: float,
    *,
    absence: Callable[[Alert], Absence],
    warming: bool = False,
    moment: Moment = _NOWHERE,
) -> Step:
    """Advance a rule's alerts by one evaluation at `at`.

    `elements` is what the expression yields, by alert fingerprint; `absence` judges alerts that it no longer yields.
    """
    alerts: dict[str, Alert] = {}
    changes: list[AlertChange] = []
    for fingerprint, element in elements.items():
        before = held.get(fingerprint)
        if before is None:
            alert = _begun(rule, fingerprint, element, at, moment, warming=warming)
        else:
            alert = _yielded(rule, before, element, at, moment, warming=warming)
        _note(alerts, changes, before, alert, at)
    for fingerprint, before in held.items():
        if fingerprint not in elements:
            _note(alerts, changes, before, _missed(rule, before, absence(before), at), at)
    return Step(alerts=alerts, changes=tuple(changes))


def _note(alerts: dict[str, Alert], changes: list[AlertChange], before: Alert | None, now: Alert, at: float) -> None:
    if now.state is not AlertState.RESOLVED:
        alerts[now.fingerprint] = now
    if before is None or (before.state, before.warming, before.reason) != (now.state, now.warming, now.reason):
        changes.append(AlertChange(alert=now, before=before.state if before else None, at=at))


def _begun(
    rule: AlertingRule, fingerprint: str, element: Element, at: float, moment: Moment, *, warming: bool
) -> Alert:
    fires = rule.for_seconds <= 0
    return Alert(
        fingerprint=fingerprint,
        rule=rule.identity,
        rule_version=rule.version,
        labels=element.alert_labels,
        annotations=rule.alert_annotations(element.labels, element.value, moment),
        state=AlertState.FIRING if fires else AlertState.PENDING,
        value=element.value,
        active_at=at,
        fired_at=at if fires else None,
        sampled_at=element.sampled_at,
        sources=element.sources,
        origin=element.origin,
        warming=warming,
    )


def _yielded(rule: AlertingRule, alert: Alert, element: Element, at: float, moment: Moment, *, warming: bool) -> Alert:
    annotations = alert.annotations
    same = repr(element.value) == repr(alert.value) and alert.rule_version == rule.version
    if not same or any(template.asks for _, template in rule.annotations):
        annotations = rule.alert_annotations(element.labels, element.value, moment)
    # A pending alert fires when it has been pending for `for`.
    due = alert.state is AlertState.PENDING and at - alert.active_at >= rule.for_seconds
    fires = due or alert.state is AlertState.NO_DATA
    return replace(
        alert,
        rule_version=rule.version,
        value=element.value,
        annotations=annotations,
        sampled_at=element.sampled_at,
        sources=element.sources,
        origin=element.origin,
        keep_until=None,
        reason="",
        state=AlertState.FIRING if fires else alert.state,
        fired_at=at if due else alert.fired_at,
        warming=alert.warming and warming,
    )


def _missed(rule: AlertingRule, alert: Alert, absence: Absence, at: float) -> Alert:
    if absence.verdict is Verdict.UNDECIDED:
        return alert
    if absence.verdict is Verdict.LOST and alert.state is not AlertState.PENDING:
        return replace(alert, state=AlertState.NO_DATA, reason=absence.reason, keep_until=None)
    if alert.state is not AlertState.PENDING and rule.keep_firing_seconds:
        keep_until = alert.keep_until if alert.keep_until is not None else at + rule.keep_firing_seconds
        if at < keep_until:
            return replace(alert, state=AlertState.FIRING, reason="", keep_until=keep_until)
    recovery = _RECOVERIES.get(absence.verdict)
    return replace(alert, state=AlertState.RESOLVED, resolved_at=at, recovery=recovery, reason="", keep_until=None)
