"""The guard rails: what forbids the next attempt, in their fixed order."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from remediations.limits import BreakerLimits, Limits
from remediations.mode import Mode, lowest
from remediations.situation import HostPhase, Situation
from remediations.standing import Breaker, Standing, breaker, half_opens_at


class Guard(StrEnum):
    """The guards, in the order in which the first refusal is reported."""

    STOP = "stop"
    SETTLING = "settling"
    TARGET = "target"
    FREEZE = "freeze"
    ACKNOWLEDGED = "acknowledged"
    OPERATOR = "operator"
    MODE = "mode"
    BREAKER = "breaker"
    STORM = "storm"
    ATTEMPTS = "attempts"
    RATE = "rate"
    COOLDOWN = "cooldown"
    PARALLEL = "parallel"
    LOOP = "loop"
    PREFLIGHT = "preflight"


class Then(StrEnum):
    """What a refusal means for the incident."""

    WAIT = "wait"
    ESCALATE = "escalate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why the next attempt must not run. `retry_at` is wall seconds, None: only a person or an event can lift it."""

    guard: Guard
    reason: str
    then: Then
    retry_at: float | None = None


def refusals(limits: Limits, situation: Situation, now: float) -> tuple[Refusal, ...]:
    """Return every guard's refusal at wall second `now`, in the guards' order; empty: nothing forbids the attempt."""
    answers = (guard(limits, situation, now) for guard in GUARDS)
    return tuple(answer for answer in answers if answer)


def refusal(limits: Limits, situation: Situation, now: float) -> Refusal | None:
    """Return why the next attempt must not run, the first guard's answer, or None."""
    return next(iter(refusals(limits, situation, now)), None)


def _wait(guard: Guard, reason: str, retry_at: float | None = None) -> Refusal:
    return Refusal(guard=guard, reason=reason, then=Then.WAIT, retry_at=retry_at)


def _escalate(guard: Guard, reason: str) -> Refusal:
    return Refusal(guard=guard, reason=reason, then=Then.ESCALATE)


def _stop(_limits: Limits, situation: Situation, _now: float) -> Refusal | None:
    return _wait(Guard.STOP, f"the global stop is on: {situation.stopped}") if situation.stopped else None


def _settling(_limits: Limits, situation: Situation, now: float) -> Refusal | None:
    if situation.phase is not HostPhase.RUNNING:
        return _wait(Guard.SETTLING, f"the host is {situation.phase}")
    if now < situation.settled_at:
        left = situation.settled_at - now
        return _wait(Guard.SETTLING, f"settling for another {left:.0f} s", situation.settled_at)
    return None


def _target(_limits: Limits, situation: Situation, _now: float) -> Refusal | None:
    problem = situation.target_error or situation.origin_error
    return _escalate(Guard.TARGET, problem) if problem else None


def _freeze(_limits: Limits, situation: Situation, now: float) -> Refusal | None:
    if situation.frozen and not _over(situation.frozen_until, now):
        return _escalate(Guard.FREEZE, situation.frozen)
    if not situation.muted or _over(situation.muted_until, now):
        return None
    return _wait(Guard.FREEZE, f"muted by {situation.muted}", situation.muted_until)


def _acknowledged(_limits: Limits, situation: Situation, now: float) -> Refusal | None:
    if not situation.acknowledged_by or _over(situation.acknowledged_until, now):
        return None
    reason = f"acknowledged by {situation.acknowledged_by}, who works on it"
    return _wait(Guard.ACKNOWLEDGED, reason, situation.acknowledged_until)


def _operator(_limits: Limits, situation: Situation, now: float) -> Refusal | None:
    if not situation.operator or not situation.disruptive or _over(situation.operator_until, now):
        return None
    return _wait(Guard.OPERATOR, f"somebody is at work here: {situation.operator}", situation.operator_until)


def _mode(_limits: Limits, situation: Situation, _now: float) -> Refusal | None:
    """Hold back what the mode does not run by itself. Observe and propose refuse nothing: see `shadow`."""
    if situation.mode is Mode.AUTO or (situation.approved_by and may_be_taken_up(situation)):
        return None
    if situation.mode is Mode.APPROVE:
        return _wait(Guard.MODE, "mode approve: nobody has approved it yet")
    return None if situation.shadow else _wait(Guard.MODE, f"mode {situation.mode}: planned, not run")


def may_be_taken_up(situation: Situation) -> bool:
    """Tell whether an attempt may run on a person's word, whatever mode its remediation is in."""
    return lowest(situation.most, Mode.APPROVE) is Mode.APPROVE


def _breaker(limits: Limits, situation: Situation, now: float) -> Refusal | None:
    """Refuse while the remediation or the action kind has an open breaker; `retry_at` is when both let one try."""
    scopes: Sequence[tuple[str, Standing, BreakerLimits]] = (
        ("this remediation", situation.standing, limits.breaker),
        (f"action {situation.kind.name}", situation.kind.standing, situation.kind.limits.breaker),
    )
    open_ones = [
        (name, half_opens_at(standing, its))
        for name, standing, its in scopes
        if breaker(standing, its, now) is Breaker.OPEN
    ]
    if not open_ones:
        return None
    names = " and ".join(name for name, _ in open_ones)
    retry_at = max(at for _, at in open_ones)
    reason = (
        f"too few verified successes: the circuit breaker of {names} is open; one may try in {retry_at - now:.0f} s"
    )
    return Refusal(guard=Guard.BREAKER, reason=reason, then=Then.ESCALATE, retry_at=retry_at)


def _storm(limits: Limits, situation: Situation, now: float) -> Refusal | None:
    new = len(_recent(situation.new_incidents, limits.storm_within, now))
    if new <= limits.storm_incidents:
        return None
    return _escalate(
        Guard.STORM, f"{new} new incidents within {limits.storm_within:g} s, {limits.storm_incidents} allowed"
    )


def _attempts(limits: Limits, situation: Situation, _now: float) -> Refusal | None:
    if situation.continuing or situation.passes < limits.attempts:
        return None
    begun = f"{situation.passes} attempts without {limits.healthy_reset:g} s of health in between"
    return _escalate(Guard.ATTEMPTS, f"{begun}, {limits.attempts} allowed")


def _rate(limits: Limits, situation: Situation, now: float) -> Refusal | None:
    """Refuse when resource, action kind or host has had its share; `retry_at` is when all have room again."""
    kind = situation.kind
    full = [
        (f"{count} runs {scope} within {window:g} s", retry_at)
        for scope, runs, count, window in (
            ("on this resource", situation.runs, limits.runs, limits.per),
            (f"of action {kind.name}", kind.runs, kind.limits.runs, kind.limits.per),
            ("on this host", situation.host_runs, limits.actions_per_hour, _HOUR),
        )
        if count is not None and (retry_at := _room_at(runs, count, window, now)) is not None
    ]
    if not full:
        return None
    reason = "the limit is reached: " + " and ".join(text for text, _ in full)
    return _wait(Guard.RATE, reason, max(retry_at for _, retry_at in full))


def _cooldown(limits: Limits, situation: Situation, now: float) -> Refusal | None:
    """A person lifts both rests; later steps of a pass need none on their resource, only of their action kind."""
    if situation.cooldown_lifted:
        return None
    kind = situation.kind
    rests = [] if situation.continuing else [(situation.last_run_at, limits.cooldown)]
    rests.append((kind.last_run_at, kind.limits.cooldown))
    ends = max((last + rest for last, rest in rests if last is not None and rest), default=now)
    return _wait(Guard.COOLDOWN, f"cooling down for another {ends - now:.0f} s", ends) if now < ends else None


def _parallel(limits: Limits, situation: Situation, _now: float) -> Refusal | None:
    if situation.resource_busy:
        return _wait(Guard.PARALLEL, "another action runs on this resource")
    if situation.running >= limits.max_parallel:
        return _wait(Guard.PARALLEL, f"{situation.running} actions run on this host, {limits.max_parallel} allowed")
    return None


def _loop(_limits: Limits, situation: Situation, _now: float) -> Refusal | None:
    if not situation.side_effect_of:
        return None
    return _wait(Guard.LOOP, f"it began during our own work: {situation.side_effect_of}")


def _preflight(_limits: Limits, situation: Situation, _now: float) -> Refusal | None:
    return _escalate(Guard.PREFLIGHT, situation.unmet) if situation.unmet else None


GUARDS: tuple[Callable[[Limits, Situation, float], Refusal | None], ...] = (
    _stop,
    _settling,
    _target,
    _freeze,
    _acknowledged,
    _operator,
    _mode,
    _breaker,
    _storm,
    _attempts,
    _rate,
    _cooldown,
    _parallel,
    _loop,
    _preflight,
)
"""In the order of `Guard`."""

_HOUR = 3600.0


def _over(until: float | None, now: float) -> bool:
    return until is not None and until <= now


def _recent(times: Iterable[float], window: float, now: float) -> list[float]:
    """Return the times within the window that ends now, oldest first. A time leaves it at exactly `time + window`."""
    return sorted(time for time in times if now < time + window)


def _room_at(runs: Iterable[float], count: int, window: float, now: float) -> float | None:
    """Return when fewer than `count` of the runs will be within the window, None if that is so now."""
    recent = _recent(runs, window, now)
    return recent[-count] + window if len(recent) >= count else None
