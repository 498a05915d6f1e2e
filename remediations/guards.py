"""The guard rails: what forbids the next attempt, in their fixed order."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Guard(StrEnum):
    """The guards, in the order in which the first refusal is reported."""

    STOP = "stop"
    SETTLING = "settling"
    TARGET = "target"
    FREEZE = "freeze"
    ACKNOWLEDGED = "acknowledged"
    MODE = "mode"
    BREAKER = "breaker"
    STORM = "storm"
    ATTEMPTS = "attempts"
    RATE = "rate"
    COOLDOWN = "cooldown"
    PARALLEL = "parallel"


class Then(StrEnum):
    """What a refusal means for the incident."""

    WAIT = "wait"
    ESCALATE = "escalate"


class Mode(StrEnum):
    """How far a remediation may go by itself."""

    OBSERVE = "observe"
    PROPOSE = "propose"
    APPROVE = "approve"
    AUTO = "auto"


class HostPhase(StrEnum):
    """What the host's service manager is doing."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why the next attempt must not run. `retry_at` is wall seconds, None: only a person or an event can lift it."""

    guard: Guard
    reason: str
    then: Then
    retry_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a remediation may do; durations in seconds. Every count is at least 1; a cooldown of 0 is off.

    Raise ValueError naming every field that is out of range, and what it may be.
    """

    attempts: int = 3
    healthy_reset: float = 3600.0
    runs: int = 6
    per: float = 3600.0
    cooldown: float = 300.0
    max_parallel: int = 2
    actions_per_hour: int = 20
    storm_incidents: int = 20
    storm_within: float = 10.0

    def __post_init__(self) -> None:
        problems = [
            *(_out_of_range(self, name, least=1) for name in _COUNTS),
            *(_out_of_range(self, name, least=0, or_equal=False) for name in _DURATIONS),
            _out_of_range(self, "cooldown", least=0),
        ]
        if found := [problem for problem in problems if problem]:
            raise ValueError("; ".join(found))


_COUNTS = ("attempts", "runs", "max_parallel", "actions_per_hour", "storm_incidents")
_DURATIONS = ("healthy_reset", "per", "storm_within")


def _out_of_range(limits: Limits, name: str, *, least: int, or_equal: bool = True) -> str:
    value = getattr(limits, name)
    if math.isfinite(value) and (value > least or (or_equal and value == least)):
        return ""
    return f"{name} = {value}: must be {'at least' if or_equal else 'more than'} {least}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that guards may read, as it is at the moment of the decision. Times are wall seconds.

    Counters of attempts and runs belong to (remediation, resource), never to an incident, and survive restarts.
    """

    stopped: str = ""
    """Why the global stop is on; empty: off."""
    phase: HostPhase = HostPhase.RUNNING
    settled_at: float = 0.0
    """When the settling time after boot, start or maintenance ends."""
    target_error: str = ""
    """Why the rendered target is empty, unlisted or ambiguous; empty: it is fine."""
    origin_error: str = ""
    """Why the alert's origin may not start this remediation; empty: it may."""
    muted: str = ""
    """The silence, maintenance or freeze that covers this incident; empty: none."""
    muted_until: float | None = None
    acknowledged_by: str = ""
    acknowledged_until: float | None = None
    mode: Mode = Mode.OBSERVE
    approved_by: str = ""
    new_incidents: tuple[float, ...] = ()
    """When incidents were opened on this host, within the storm window or longer."""
    passes: int = 0
    """Passes of the ladder already begun on (remediation, resource) since it was last healthy for `healthy_reset`."""
    continuing: bool = False
    """True for the second and later steps of a pass already begun: neither counted again nor cooled down."""
    runs: tuple[float, ...] = ()
    """When executions on (remediation, resource) started."""
    host_runs: tuple[float, ...] = ()
    """When executions on this host started."""
    last_run_at: float | None = None
    """When the last execution on (remediation, resource) ended, or started if it has not ended."""
    resource_busy: bool = False
    running: int = 0
    """Executions running on this host now."""
    cooldown_lifted: bool = False
    """True after `incident retry`."""
    shadow: bool = field(default=False)
    """True while deciding what observe mode would have run."""


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
    if not situation.muted or _over(situation.muted_until, now):
        return None
    return _wait(Guard.FREEZE, f"muted by {situation.muted}", situation.muted_until)


def _acknowledged(_limits: Limits, situation: Situation, now: float) -> Refusal | None:
    if not situation.acknowledged_by or _over(situation.acknowledged_until, now):
        return None
    reason = f"acknowledged by {situation.acknowledged_by}, who works on it"
    return _wait(Guard.ACKNOWLEDGED, reason, situation.acknowledged_until)


def _mode(_limits: Limits, situation: Situation, _now: float) -> Refusal | None:
    """Hold back what the mode does not run by itself. Observe and propose refuse nothing: see `shadow`."""
    if situation.mode in (Mode.OBSERVE, Mode.PROPOSE):
        return None if situation.shadow else _wait(Guard.MODE, f"mode {situation.mode}: planned, not run")
    if situation.mode is Mode.APPROVE and not situation.approved_by:
        return _wait(Guard.MODE, "mode approve: nobody has approved it yet")
    return None


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
    return _escalate(Guard.ATTEMPTS, f"{situation.passes} attempts did not help, {limits.attempts} allowed")


def _rate(limits: Limits, situation: Situation, now: float) -> Refusal | None:
    """Refuse when the resource or the host has had its share; `retry_at` is when both have room again."""
    full = [
        (f"{count} runs {scope} within {window:g} s", retry_at)
        for scope, runs, count, window in (
            ("on this resource", situation.runs, limits.runs, limits.per),
            ("on this host", situation.host_runs, limits.actions_per_hour, _HOUR),
        )
        if (retry_at := _room_at(runs, count, window, now)) is not None
    ]
    if not full:
        return None
    reason = "the limit is reached: " + " and ".join(text for text, _ in full)
    return _wait(Guard.RATE, reason, max(retry_at for _, retry_at in full))


def _cooldown(limits: Limits, situation: Situation, now: float) -> Refusal | None:
    if situation.continuing or situation.cooldown_lifted or situation.last_run_at is None or not limits.cooldown:
        return None
    ends = situation.last_run_at + limits.cooldown
    return _wait(Guard.COOLDOWN, f"cooling down for another {ends - now:.0f} s", ends) if now < ends else None


def _parallel(limits: Limits, situation: Situation, _now: float) -> Refusal | None:
    if situation.resource_busy:
        return _wait(Guard.PARALLEL, "another action runs on this resource")
    if situation.running >= limits.max_parallel:
        return _wait(Guard.PARALLEL, f"{situation.running} actions run on this host, {limits.max_parallel} allowed")
    return None


GUARDS: tuple[Callable[[Limits, Situation, float], Refusal | None], ...] = (
    _stop,
    _settling,
    _target,
    _freeze,
    _acknowledged,
    _mode,
    _storm,
    _attempts,
    _rate,
    _cooldown,
    _parallel,
)
"""In the order of `Guard`. The breaker, which has its place before the storm brake, judges verified success."""

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
