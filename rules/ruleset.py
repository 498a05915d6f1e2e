"""All loaded rules with the states of their alerts: evaluation, restoring, reloading and the question of health."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import count
from typing import TYPE_CHECKING

from collectors.sample import Labels, Source
from rules.alert import Alert, AlertChange, AlertState, removed, shifted
from rules.alerting import AlertingRule, RuleEvaluationError
from rules.annotations import Moment, TemplateError
from rules.evaluation import LimitExceededError, RuleState, Scene, evaluate, fingerprinted, instant, yielded
from rules.gotemplate.functions import Sampled
from rules.group import RuleGroup
from rules.promql.compile import Query, compile_query
from rules.promql.errors import ExpressionError
from rules.provenance import ALERTS, RULES, Hearing, Provenance, Reach, Witnesses, reaches
from rules.recording import RecordingRule
from rules.series import SeriesStore

if TYPE_CHECKING:
    from rules.overrides import Variant

_OVERTAKEN_SECONDS = 60.0
"""Further ahead no push can have come: the clock was set back."""


class Health(StrEnum):
    """What fresh samples say of an alert's subject."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"
    """There are no samples from every source since the moment asked about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What fresh samples say: the time of the least fresh of them, and what the expression yields (None: nothing)."""

    health: Health = Health.UNKNOWN
    at: float = 0.0
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What evaluating rules led to: `errors` by rule identity, and in `limited` those rules that exceed their limit."""

    changes: tuple[AlertChange, ...] = ()
    errors: Mapping[str, str]
    limited: frozenset[str] = frozenset()
    rules: tuple[str, ...] = ()
    """The rules that were evaluated, by identity, in their order."""


class Ruleset:
    """The loaded rules over one store. Not for more than one thread; it reads no clock: every call is told the time."""

    def __init__(
        self, groups: Iterable[RuleGroup], store: SeriesStore, *, external_url: str = "", external_labels: Labels = ()
    ) -> None:
        """`external_url` and `external_labels` are what templates call by these names."""
        self._store = store
        self._external_url = external_url
        self._external_labels = external_labels
        self._known: set[Source] = set()
        self._restored_at = -math.inf
        self.groups: Mapping[str, RuleGroup] = {}
        self._states: dict[str, RuleState] = {}
        self.vary: Callable[[AlertingRule], tuple[Variant, ...]] = lambda _rule: ()
        """Says which other limits there are for some alerts of a rule; `varied` asks it anew."""
        self._dependents: dict[str, tuple[str, ...]] = {}
        self._nameless: tuple[str, ...] = ()
        self._take(groups)

    # -- evaluating

    def evaluate(self, key: str, at: float) -> Evaluation:
        """Evaluate a group, by its key, in the order of its rules."""
        return _together(self.steps(key, at))

    def steps(self, key: str, at: float) -> Iterator[Evaluation]:
        """Evaluate a group one rule at a time, so that the caller can do what is more urgent in between.

        A rule that a push had evaluated later than `at` meanwhile is left out: it would see less than it has seen.
        """
        # Twins share an identity: one evaluation is for both.
        for identity in dict.fromkeys(rule.identity for rule in self.groups[key].rules):
            if not at < self._states[identity].evaluated_at <= at + _OVERTAKEN_SECONDS:
                yield self._evaluate(identity, self._scene(at))

    def touched(self, names: Collection[str], at: float) -> Evaluation:
        """Evaluate at once the rules that depend on these metrics: recording rules first, then in group order."""
        identities = {identity for name in names for identity in self._dependents.get(name, ())}
        identities.update(self._nameless)
        if not identities:
            return Evaluation(errors={})
        scene = self._scene(at)
        return _together(
            self._evaluate(identity, scene) for identity in sorted(identities, key=self._order.__getitem__)
        )

    # -- alerts

    def active(self) -> Iterator[Alert]:
        """Yield every alert that is pending, firing or without data."""
        for state in self._states.values():
            yield from state.alerts.values()

    @property
    def identities(self) -> Iterator[str]:
        return (rule.identity for group in self.groups.values() for rule in group.rules)

    @property
    def warming(self) -> Mapping[str, bool]:
        """Whether a rule, by identity, lacked history when it was last evaluated."""
        return {identity: state.warming for identity, state in self._states.items()}

    def varied(self) -> None:
        """Take over other limits. They show at each rule's next evaluation."""
        for state in self._states.values():
            state.variants = self.vary(state.rule) if isinstance(state.rule, AlertingRule) else ()

    def restore(self, alerts: Iterable[Alert], now: float, cutoff: float) -> tuple[AlertChange, ...]:
        """Take alerts back after a restart; return those that ended because their rule is gone.

        The `for` of a pending alert whose `sampled_at` is before `cutoff` starts again. An alert that was written down
        when it last changed says less than was known: pass 0 to let every timer go on, `now` to start all again.
        """
        changes: list[AlertChange] = []
        self._restored_at = now
        for alert in alerts:
            state = self._states.get(alert.rule)
            if state is None or not isinstance(state.rule, AlertingRule):
                changes.append(removed(alert, now))
                continue
            late = alert.state is AlertState.PENDING and alert.sampled_at < cutoff
            state.alerts = {**state.alerts, alert.fingerprint: replace(alert, active_at=now) if late else alert}
        return tuple(changes)

    def replace(self, groups: Iterable[RuleGroup], now: float) -> tuple[AlertChange, ...]:
        """Take over other groups; return the alerts that end because their rule is gone.

        Rules of the same identity keep their alerts; what changed in them shows at their next evaluation.
        """
        before = self._states
        self._take(groups)
        gone = [state for identity, state in before.items() if identity not in self._states]
        for state in gone:
            collector = RULES if isinstance(state.rule, RecordingRule) else ALERTS
            self._store.forget(Source(collector, state.rule.identity))
        return tuple(removed(alert, now) for state in gone for alert in state.alerts.values())

    def shift(self, seconds: float) -> None:
        """Move every open deadline after the wall clock was set."""
        self._restored_at += seconds
        for state in self._states.values():
            state.evaluated_at += seconds
            state.alerts = {fingerprint: shifted(alert, seconds) for fingerprint, alert in state.alerts.items()}

    # -- health

    def healthy(self, rule: str, labels: Labels, since: float, at: float) -> Seen:
        """Return whether the rule yields nothing for `labels`, on samples of all its sources newer than `since`.

        The expression is evaluated afresh: `for` and `keep_firing_for` do not count. `labels` may be fewer than the
        alert's: an element with all of them is meant.
        """
        state = self._states.get(rule)
        if state is None or not isinstance(state.rule, AlertingRule):
            return Seen()
        held = [alert for alert in state.alerts.values() if _has(alert.labels, labels, state.rule)]
        sources = {source for alert in held for source in alert.sources}
        state.provenance.refresh(self._store)
        sources.update(state.provenance.behind(labels))
        scene = self._scene(at)
        if not self._fresh(state.provenance, sources, since, scene):
            return Seen()
        try:
            vector = yielded(state, scene, at)
        except RuleEvaluationError:
            return Seen()
        newest = state.rule.query.newest(self._store, at) or at
        for own, value in vector:
            _, alert_labels = fingerprinted(state, state.rule, own, value, scene.moment)
            if _has(alert_labels, labels, state.rule):
                return Seen(health=Health.UNHEALTHY, at=newest, value=value)
        return Seen(health=Health.HEALTHY, at=newest)

    def holds(self, query: Query, since: float, at: float, labels: Labels = ()) -> Seen:
        """Return HEALTHY if the expression yields an element with these labels on samples newer than `since`."""
        provenance = Provenance(reaches(query.text))
        provenance.refresh(self._store)
        sources = provenance.behind(labels)
        if not self._fresh(provenance, sources, since, self._scene(at)):
            return Seen()
        try:
            vector = instant(query, self._store, at)
        except RuleEvaluationError:
            return Seen()
        newest = query.newest(self._store, at) or at
        found = next((value for own, value in vector if set(labels) <= set(own)), None)
        return Seen(health=Health.UNHEALTHY if found is None else Health.HEALTHY, at=newest, value=found)

    def horizons(self) -> dict[str, float]:
        """Return how many seconds of which metric the rules look back on."""
        longest: dict[str, float] = {}
        for state in self._states.values():
            for name, seconds in state.rule.query.horizons.items():
                longest[name] = max(seconds, longest.get(name, 0.0))
        return longest

    # -- inside

    def _take(self, groups: Iterable[RuleGroup]) -> None:
        before = self._states
        self.groups = {group.key: group for group in groups}
        recorded = _recorded(self.groups.values())
        self._states = {}
        for group in self.groups.values():
            for rule in group.rules:
                own = {name for name, _ in rule.labels} | {"alertname"}
                provenance = Provenance(_resolved(reaches(rule.text), recorded), own)
                state = RuleState(rule=rule, group=group, provenance=provenance)
                old = before.get(rule.identity)
                if old is not None:
                    state.alerts, state.written = old.alerts, old.written
                    state.warming, state.evaluated_at = old.warming, old.evaluated_at
                self._states[rule.identity] = state
        self.varied()
        self._index()

    def _index(self) -> None:
        """Note which rules depend on which metric, through recording rules too, and in which order they go."""
        position = count()
        self._order = {
            identity: (isinstance(state.rule, AlertingRule), next(position)) for identity, state in self._states.items()
        }
        dependents: dict[str, set[str]] = {}
        nameless: set[str] = set()
        for identity, state in self._states.items():
            for reach in (*reaches(state.rule.text), *state.provenance.reaches):
                if reach.name is None:
                    nameless.add(identity)
                else:
                    dependents.setdefault(reach.name, set()).add(identity)
        self._dependents = {name: tuple(identities) for name, identities in dependents.items()}
        self._nameless = tuple(nameless)

    def _evaluate(self, identity: str, scene: Scene) -> Evaluation:
        try:
            changes = evaluate(self._states[identity], scene)
        except LimitExceededError as error:
            return Evaluation(errors={identity: str(error)}, limited=frozenset({identity}), rules=(identity,))
        except RuleEvaluationError as error:
            return Evaluation(errors={identity: str(error)}, rules=(identity,))
        return Evaluation(changes=changes, errors={}, rules=(identity,))

    def _scene(self, at: float) -> Scene:
        moment = Moment(
            query=lambda text: self._asked(text, at),
            now=at,
            external_url=self._external_url,
            external_labels=self._external_labels,
        )
        witnesses = Witnesses(self._store, at, self._known, self._restored_at)
        return Scene(store=self._store, at=at, moment=moment, witnesses=witnesses)

    def _asked(self, text: str, at: float) -> list[Sampled]:
        """Answer a template's `query`."""
        try:
            vector = instant(compile_query(text), self._store, at)
        except (ExpressionError, RuleEvaluationError) as error:
            raise TemplateError(str(error)) from error
        return [{"Labels": dict(labels), "Value": value} for labels, value in vector]

    def _fresh(self, provenance: Provenance, sources: Collection[Source], since: float, scene: Scene) -> bool:
        if not provenance.reaches:
            return True
        if not sources or not provenance.covered(self._store, scene.at):
            return False
        return scene.witnesses.since(sources, since)[0] is Hearing.FRESH


def _recorded(groups: Iterable[RuleGroup]) -> dict[str, tuple[Reach, ...]]:
    """Return what the recorded metrics are made of, by name."""
    found: dict[str, tuple[Reach, ...]] = {}
    for group in groups:
        for rule in group.rules:
            if isinstance(rule, RecordingRule):
                found[rule.name] = (*found.get(rule.name, ()), *reaches(rule.text))
    return found


def _resolved(
    wanted: Iterable[Reach], recorded: Mapping[str, tuple[Reach, ...]], within: frozenset[str] = frozenset()
) -> Iterator[Reach]:
    """Yield the selectors, and for recorded metrics what they are made of."""
    for reach in wanted:
        if reach.name is None or reach.name not in recorded or reach.name in within:
            yield reach
            continue
        yield replace(reach, recorded=True)
        for inner in _resolved(recorded[reach.name], recorded, within | {reach.name}):
            yield replace(inner, seconds=inner.seconds + reach.seconds, agrees=(*reach.agrees, *inner.agrees))


def _together(evaluations: Iterable[Evaluation]) -> Evaluation:
    parts = list(evaluations)
    return Evaluation(
        changes=tuple(change for part in parts for change in part.changes),
        errors={identity: error for part in parts for identity, error in part.errors.items()},
        limited=frozenset(identity for part in parts for identity in part.limited),
        rules=tuple(identity for part in parts for identity in part.rules),
    )


def _has(alert_labels: Labels, labels: Labels, rule: AlertingRule) -> bool:
    """Return whether the alert is one of those meant; labels that the rule sets may have changed with the value."""
    own = {name for name, _ in rule.labels}
    return {pair for pair in labels if pair[0] not in own} <= set(alert_labels)
