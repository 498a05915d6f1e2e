"""Judging: rules are evaluated, what they yield is handed to the desk, and repairs are held against fresh samples."""

import math
import time
from collections.abc import Callable, Iterable
from functools import lru_cache, partial

from agent.engine.batch import Batch
from agent.engine.casebook import Casebook
from agent.engine.desk import Desk
from agent.engine.judgements import Judgements
from agent.engine.situations import Situations
from agent.incidents.events import HealthSeen
from agent.incidents.incident import Incident
from agent.telemetry import log, metrics
from rules.alert import AlertChange, AlertState
from rules.promql.compile import Query, compile_query
from rules.ruleset import Evaluation, Health, Ruleset

_log = log.get("rules")
_REPEAT_SECONDS = 3600.0
_REST = 3.0
"""How many times as long as an evaluation of what messages brought the rest after it is: while rules are evaluated,
the thread that takes the messages in gets hardly anything done."""
_FRESH_SECONDS = 120.0
"""How old what a pre-flight expression is judged by may be."""
_HEALTHY = {Health.HEALTHY: True, Health.UNHEALTHY: False, Health.UNKNOWN: None}


class Judging:
    """Joins the ruleset and the desk."""

    def __init__(self, *, ruleset: Ruleset, desk: Desk, casebook: Casebook, situations: Situations) -> None:
        self._ruleset = ruleset
        self._desk = desk
        self._casebook = casebook
        self._situations = situations
        self.judgements = Judgements()
        self._complaints: dict[str, tuple[str, float]] = {}
        self._limited: frozenset[str] = frozenset()
        self._touched: set[str] = set()
        self._rest_until = 0.0

    def touched(self, batch: Batch, names: frozenset[str]) -> None:
        """Evaluate at once what depends on metrics that an event brought."""
        began = time.perf_counter()
        evaluation = self._ruleset.touched(names, batch.now)
        self._judged(batch, evaluation, "", time.perf_counter() - began)
        self.verify(batch)

    def touch(self, names: Iterable[str]) -> None:
        """Note metrics that messages brought; `catch_up` evaluates what depends on them."""
        self._touched.update(names)

    def catch_up(self, batch: Batch, boottime: Callable[[], float]) -> None:
        """Evaluate what waits, and then rest for a few times as long as that took.

        So a flood of messages over very many series is stored as it comes, and judged as often as can be.
        """
        began = boottime()
        if not self._touched or began < self._rest_until:
            return
        names, self._touched = frozenset(self._touched), set()
        self.touched(batch, names)
        ended = boottime()
        self._rest_until = ended + _REST * (ended - began)

    def rest(self, running: float) -> float:
        """Return in how many seconds `catch_up` has something to do."""
        return max(0.0, self._rest_until - running) if self._touched else math.inf

    def group(self, batch: Batch, key: str, between: Callable[[], None]) -> None:
        """Evaluate a group rule by rule; `between` rules there is time for what is more urgent."""
        began = step_began = time.perf_counter()
        for evaluation in self._ruleset.steps(key, batch.now):
            self._judged(batch, evaluation, key, time.perf_counter() - step_began)
            between()
            step_began = time.perf_counter()
        batch.judged = True  # alerts that did not change have new values
        seconds = time.perf_counter() - began
        metrics.RULE_GROUP_SECONDS.labels(key).set(seconds)
        metrics.RULE_GROUP_LAST_SECONDS.labels(key).set(seconds)
        metrics.RULE_EVALUATIONS.labels(key).inc()
        self.verify(batch)

    def _judged(self, batch: Batch, evaluation: Evaluation, key: str, seconds: float) -> None:
        self.judgements.note(evaluation, batch.now, seconds)
        for identity, error in evaluation.errors.items():
            metrics.RULE_FAILURES.labels(key or _group(identity)).inc()
            self._complain(identity, error, batch.now)
        for identity in evaluation.rules:
            if identity in evaluation.limited:
                metrics.RULE_LIMITED.labels(identity).set(1)
            elif identity in self._limited:
                metrics.RULE_LIMITED.remove(identity)
        self._limited = (self._limited - set(evaluation.rules)) | evaluation.limited
        for change in sorted(evaluation.changes, key=partial(self._urgency, batch.now)):
            self._desk.alert_changed(batch, change)

    def _urgency(self, now: float, change: AlertChange) -> tuple[bool, str]:
        """Return what is told later, the priority last: of faults that come together the gravest goes first.

        What ends comes after what begins: an alert whose severity changes is another one, of the same incident.
        """
        policy, alert = self._situations.policy, change.alert
        over = alert.state is AlertState.RESOLVED
        return over, policy.priorities.of(policy.catalogue.of(alert.labels), alert.label("severity"), now)

    def _complain(self, identity: str, error: str, now: float) -> None:
        """Log that a rule failed: at once, and once an hour while the error stays the same."""
        said, at = self._complaints.get(identity, ("", 0.0))
        if said != error or now - at >= _REPEAT_SECONDS:
            self._complaints[identity] = (error, now)
            _log.error("rule failed", rule=identity, error=error)

    def verify(self, batch: Batch) -> None:
        """Show every incident under verification what fresh samples say."""
        for incident in self._casebook.verifying():
            self._desk.happened(batch, incident, self.health(incident, batch.now))

    def health(self, incident: Incident, now: float) -> HealthSeen:
        """Return what samples newer than the attempt say about the incident."""
        work = incident.work
        if work is None or work.settled_at is None:
            return HealthSeen(healthy=None)
        if incident.rule.startswith("posted;"):
            return HealthSeen(healthy=True if incident.alert_state == "resolved" else None)
        ladder = self._situations.policy.ladder(work.remediation)
        if ladder is not None and ladder.verify.expr:
            seen = self._ruleset.holds(_query(ladder.verify.expr), work.settled_at, now)
        else:
            seen = self._ruleset.healthy(incident.rule, incident.labels, work.settled_at, now)
        worse_if = ladder.verify.worse_if if ladder is not None else ""
        return HealthSeen(
            healthy=_HEALTHY[seen.health],
            at=seen.at,
            value=seen.value,
            worse=bool(worse_if) and self._holds(worse_if, work.settled_at, now),
        )

    def _holds(self, expression: str, since: float, now: float) -> bool:
        return self._ruleset.holds(_query(expression), since, now).health is Health.HEALTHY


def unmet(ruleset: Ruleset, expression: str, now: float) -> str:
    """Return why a pre-flight expression does not hold, on samples of the last minutes; empty: it does."""
    health = ruleset.holds(_query(expression), now - _FRESH_SECONDS, now).health
    if health is Health.HEALTHY:
        return ""
    if health is Health.UNHEALTHY:
        return f"the precondition does not hold: {expression}"
    return f"no fresh data says whether the precondition holds: {expression}"


def stopped_on_purpose(ruleset: Ruleset, unit: str, now: float) -> bool:
    """Return whether somebody told a unit to stop and it has not been started since."""
    name = unit.replace("\\", "\\\\")
    query = _query(f'paramedic_systemd_service_ended{{name="{name}",cause="request"}} == 1')
    return ruleset.holds(query, 0.0, now).health is Health.HEALTHY


@lru_cache(maxsize=256)
def _query(expression: str) -> Query:
    return compile_query(expression)


def _group(identity: str) -> str:
    """Return the key of a rule's group."""
    return ";".join(identity.split(";")[:2])
