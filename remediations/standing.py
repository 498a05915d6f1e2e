"""What verified results have earned a remediation or an action kind: its circuit breaker, and how far it is trusted.

Pure: a standing is a value, made of verdicts on attempts and proposals, and of people's words on it.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from remediations.limits import BreakerLimits, Target
from remediations.mode import Mode, above, lowest

_KEPT = 50
"""Verdicts that are remembered."""


class Breaker(StrEnum):
    """Closed: attempts may run. Open: none may. Half-open: one may try."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class Proof(StrEnum):
    """What the record proves about a proposal: that it was right, that it was not, or nothing."""

    CORRECT = "correct"
    WRONG = "wrong"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rungs:
    """Where the configuration puts a remediation, and how far people may promote it."""

    first: Mode
    highest: Mode = Mode.AUTO
    version: str = ""
    """Of what it does, and about what: evidence about another version counts for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether an attempt helped, or would have, as was known at wall second `at`."""

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
    raised_to: Mode | None = None
    """Where people have promoted it to; None: its mode is what the configuration says."""
    proposals: tuple[Verdict, ...] = ()
    """On the last proposals that were proven right or wrong, oldest first, since `moved_at`."""
    unproven: int = 0
    """Proposals since then that nothing is proven about."""
    moved_at: float = 0.0
    """When it came to the rung where it is."""
    version: str = ""
    """Of the remediation that proposals and promotions were about."""


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


def rung(standing: Standing, rungs: Rungs) -> Mode:
    """Return how far it is trusted: as far as it was promoted, and once demoted not without approval."""
    raised = standing.raised_to if standing.version == rungs.version else None
    cap = Mode.AUTO if standing.demoted_at is None else Mode.APPROVE
    return lowest(raised or rungs.first, rungs.highest, cap)


def proposed(standing: Standing, rungs: Rungs, proof: Proof, *, made_at: float, now: float) -> Standing:
    """Return the standing after a proposal of this version was settled; on another rung it says nothing."""
    standing = about(standing, rungs, now)
    if made_at < standing.moved_at:
        return standing
    standing = replace(standing, version=rungs.version)
    if proof is Proof.UNPROVEN:
        return replace(standing, unproven=standing.unproven + 1)
    verdict = Verdict(at=now, helped=proof is Proof.CORRECT)
    return replace(standing, proposals=(*standing.proposals, verdict)[-_KEPT:])


def about(standing: Standing, rungs: Rungs, now: float) -> Standing:
    """Return the standing without what was earned by another version: that begins on its first rung."""
    if standing.version in ("", rungs.version):
        return standing
    return replace(standing, raised_to=None, proposals=(), unproven=0, moved_at=now, version="")


def demoted(standing: Standing, now: float) -> Standing:
    """Return the standing as it is from now on: what it did before is no evidence any more."""
    return replace(_moved(standing, now), demoted_at=now)


def promoted(standing: Standing, rungs: Rungs, now: float) -> Standing:
    """Return the standing one rung higher."""
    higher = above(rung(standing, rungs))
    return replace(_moved(standing, now), demoted_at=None, raised_to=higher, version=rungs.version)


def _moved(standing: Standing, now: float) -> Standing:
    return replace(standing, verdicts=(), counted=0, proposals=(), unproven=0, moved_at=now)


def correct(standing: Standing) -> int:
    """Return how many of the last proposals were proven right."""
    return sum(each.helped for each in standing.proposals)


def objection(standing: Standing, target: Target, rungs: Rungs, to: Mode | None = None) -> str:
    """Return why it may not be promoted to the next rung, the one that is meant; empty: the evidence is there."""
    now_at = rung(standing, rungs)
    following = above(now_at)
    if following is None:
        return f"its mode is {now_at} already"
    if to not in (None, following):
        return f"it goes one rung at a time: from {now_at} to {following}, not to {to}"
    if lowest(following, rungs.highest) is not following:
        return f"its max_mode is {rungs.highest}"
    right, wrong = correct(standing), len(standing.proposals) - correct(standing)
    counted = f"{right} of {target.evidence} proposals proven correct ({wrong} wrong, {standing.unproven} unproven)"
    if right < target.evidence:
        return f"the evidence is missing: {counted} in mode {now_at}"
    last = standing.proposals[-target.attempts :]
    share = sum(each.helped for each in last) / len(last)
    if share < target.success:
        return f"only {share:.0%} of its last {len(last)} proposals were correct, the target is {target.success:.0%}"
    return ""


def shifted(standing: Standing, delta: float) -> Standing:
    """Return the standing with every instant moved by a step of the wall clock."""

    def move(at: float | None) -> float | None:
        return at + delta if at is not None else None

    return replace(
        standing,
        verdicts=tuple(replace(each, at=each.at + delta) for each in standing.verdicts),
        proposals=tuple(replace(each, at=each.at + delta) for each in standing.proposals),
        moved_at=standing.moved_at + delta if standing.moved_at else 0.0,
        opened_at=move(standing.opened_at),
        trial_at=move(standing.trial_at),
        demoted_at=move(standing.demoted_at),
    )
