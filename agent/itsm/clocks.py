"""Service level clocks: they count working time against a target, stop while others are waited for, and speak up.

A clock is a value: what happened is given to it, and it returns the clock as it is then. It says once that most of its
time is gone, and once that all of it is, however often and whenever it is asked.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from agent.itsm.calendars import Calendar

WARN_SHARE = 0.75


class Kind(StrEnum):
    """What was promised."""

    RESPOND = "respond"
    RESOLVE = "resolve"


class Call(StrEnum):
    """What a clock has to say."""

    WARNING = "warning"
    BREACH = "breach"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """One promise about one incident. Instants are wall seconds, `target` and `spent` working seconds."""

    kind: Kind
    target: float
    calendar: str
    since: float | None
    """When it began to run last; None: it stands still."""
    spent: float = 0.0
    """Until `since`."""
    warned_at: float | None = None
    breached_at: float | None = None
    met: bool | None = None
    """Whether the promise was kept; None: it is not known yet."""


def start(kind: Kind, target: float, calendar: Calendar, now: float) -> Clock:
    """Return a clock that runs from `now`."""
    return Clock(kind=kind, target=target, calendar=calendar.name, since=now)


def spent(clock: Clock, calendar: Calendar, now: float) -> float:
    """Return the working seconds that have passed."""
    return clock.spent + (calendar.worked(clock.since, now) if clock.since is not None else 0.0)


def pause(clock: Clock, calendar: Calendar, now: float) -> Clock:
    """Stop counting while somebody else is waited for."""
    if clock.since is None:
        return clock
    return replace(clock, spent=spent(clock, calendar, now), since=None)


def resume(clock: Clock, now: float) -> Clock:
    """Go on counting; a clock that has ended stays ended."""
    if clock.since is not None or clock.met is not None:
        return clock
    return replace(clock, since=now)


def stop(clock: Clock, calendar: Calendar, now: float) -> Clock:
    """End the clock: the promise is kept if it is not broken by now."""
    if clock.met is not None:
        return clock
    called, _ = call(clock, calendar, now)
    return replace(pause(called, calendar, now), met=called.breached_at is None)


def reopen(clock: Clock, now: float) -> Clock:
    """Go on with a clock that had ended: what it stood for has come back. A broken promise stays broken."""
    return replace(clock, met=None, since=now)


def call(clock: Clock, calendar: Calendar, now: float) -> tuple[Clock, tuple[Call, ...]]:
    """Return the clock, and what it has to say now that it has not said before."""
    if clock.met is not None or clock.breached_at is not None:
        return clock, ()
    # By the instants that `next_at` foretells: sums of seconds may fall short of them by a rounding.
    breach_at, warn_at = (_at(clock, calendar, share, now) for share in (1.0, WARN_SHARE))
    if breach_at <= now:
        # A warning that comes with the breach, or after it, says nothing.
        return replace(clock, breached_at=breach_at, warned_at=clock.warned_at or warn_at), (Call.BREACH,)
    if warn_at <= now and clock.warned_at is None:
        return replace(clock, warned_at=warn_at), (Call.WARNING,)
    return clock, ()


def next_at(clock: Clock, calendar: Calendar) -> float | None:
    """Return when the clock will have something to say; None: never, as things are."""
    if clock.since is None or clock.breached_at is not None:
        return None
    at = _at(clock, calendar, WARN_SHARE if clock.warned_at is None else 1.0, clock.since)
    return at if at < math.inf else None


def _at(clock: Clock, calendar: Calendar, share: float, otherwise: float) -> float:
    """Return when this share of the target has passed if the clock goes on as it does; `otherwise` if it has before."""
    left = share * clock.target - clock.spent
    if left <= 0:
        return otherwise
    return calendar.due(clock.since, left) if clock.since is not None else math.inf
