"""What verified results have earned a remediation or an action kind: its circuit breaker, and whether it is trusted.

Pure: a standing is a value, made of the verdicts on attempts and of nothing else.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from remediations.limits import BreakerLimits, Target

_KEPT = 50
"""Verdicts that are remembered."""


class Breaker(StrEnum):
    """Closed: attempts may run. Open: none may. Half-open: one may try."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether an attempt helped, as fresh data told at wall second `at`."""

    at: float
    helped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Times are wall seconds."""

    verdicts: tuple[Verdict, ...] = ()
    """On the last attempts, oldest first, since it was last demoted or promoted."""
    counted: int = 0
    """How many of the last verdicts the breaker counts: those since it was closed."""
    opened_at: float | None = None
    """When the breaker opened, or the last trial failed; None: it is closed."""
    trial_at: float | None = None
    demoted_at: float | None = None


UNTRIED = Standing()
"""Nothing was judged yet."""


def breaker(standing: Standing, limits: BreakerLimits, now: float) -> Breaker:
    if standing.opened_at is None:
        return Breaker.CLOSED
    return Breaker.OPEN if now < half_opens_at(standing, limits) else Breaker.HALF_OPEN


def half_opens_at(standing: Standing, limits: BreakerLimits) -> float:
    """Return when an open breaker lets one attempt try: a trial that nobody judged does not block it for ever."""
    since = max(standing.opened_at or 0.0, standing.trial_at or 0.0)
    return since + limits.half_open


def tried(standing: Standing, limits: BreakerLimits, now: float) -> Standing:
    """Return the standing after an attempt was started: a half-open breaker has had its one trial."""
    if breaker(standing, limits, now) is not Breaker.HALF_OPEN:
        return standing
    return replace(standing, trial_at=now)


def judged(standing: Standing, limits: BreakerLimits, *, helped: bool, now: float) -> Standing:
    """Return the standing after the verdict on an attempt."""
    verdicts = (*standing.verdicts, Verdict(at=now, helped=helped))[-_KEPT:]
    after = replace(standing, verdicts=verdicts)
    if standing.opened_at is not None:
        return replace(after, opened_at=None if helped else now, trial_at=None, counted=0)
    counted = min(standing.counted + 1, limits.of, len(verdicts))
    failures = sum(not each.helped for each in verdicts[-counted:])
    return replace(after, counted=counted, opened_at=now if failures >= limits.failures else None)


def success(standing: Standing, attempts: int) -> float | None:
    """Return what share of the last attempts helped; None: none was judged yet."""
    last = standing.verdicts[-attempts:]
    return sum(each.helped for each in last) / len(last) if last else None


def falls_short(standing: Standing, target: Target) -> bool:
    """Return whether as many attempts as the target asks for were judged, and too few of them helped."""
    share = success(standing, target.attempts)
    return share is not None and len(standing.verdicts) >= target.attempts and share < target.success


def demoted(standing: Standing, now: float) -> Standing:
    """Return the standing as it is from now on: what it did before is no evidence any more."""
    return replace(standing, demoted_at=now, verdicts=(), counted=0)


def promoted(standing: Standing) -> Standing:
    return replace(standing, demoted_at=None, verdicts=(), counted=0)


def objection(standing: Standing, target: Target) -> str:
    """Return why it may not be promoted; empty: the evidence is there."""
    if standing.demoted_at is None:
        return "it was not demoted: its mode is what the configuration says"
    judged_since, share = len(standing.verdicts), success(standing, target.attempts)
    if judged_since < target.evidence:
        return f"the evidence is missing: {judged_since} of {target.evidence} attempts verified since it was demoted"
    if share is not None and share < target.success:
        return f"only {share:.0%} of the attempts since it was demoted helped, the target is {target.success:.0%}"
    return ""


def shifted(standing: Standing, delta: float) -> Standing:
    """Return the standing with every instant moved by a step of the wall clock."""

    def move(at: float | None) -> float | None:
        return at + delta if at is not None else None

    return replace(
        standing,
        verdicts=tuple(Verdict(at=each.at + delta, helped=each.helped) for each in standing.verdicts),
        opened_at=move(standing.opened_at),
        trial_at=move(standing.trial_at),
        demoted_at=move(standing.demoted_at),
    )
