"""Silences: what an operator wants to be quiet for a while, in Alertmanager's sense; at certain hours, if wanted."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from agent.incidents import windows
from agent.incidents.windows import Recurrence, Window
from collectors.sample import Labels
from rules.matchers import Matcher, Operator

KEPT_SECONDS = 5 * 86400.0
"""How long a silence that is over is still shown."""
MOST = 10_000
"""So many silences are kept at the same time."""
_SAME_SECONDS = 0.002
"""Instants come back from clients to the millisecond."""


_POSITIVE = (Operator.EQUAL, Operator.MATCHES)


class SilenceError(ValueError):
    """The silence cannot be taken; the message says why."""


class UnknownSilenceError(SilenceError):
    """There is no silence of this id."""


class SilenceState(StrEnum):
    """A silence with hours of its own is pending between them."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Instants are wall seconds, to the millisecond. `id` is a UUID, empty before the silence was taken."""

    id: str = ""
    matchers: tuple[Matcher, ...]
    starts_at: float
    ends_at: float
    created_by: str
    comment: str
    updated_at: float = 0.0
    recurrence: Recurrence | None = None
    """The hours at which it holds; None: all the time."""
    window: Window | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        window = windows.parse(self.recurrence) if self.recurrence is not None else None
        object.__setattr__(self, "window", window)

    def matches(self, labels: Mapping[str, str] | Labels) -> bool:
        pairs = labels if isinstance(labels, Mapping) else dict(labels)
        return all(matcher.matches(pairs) for matcher in self.matchers)

    def until(self, now: float) -> float | None:
        """Return when it stops to hold; None: it does not hold now."""
        if not self.starts_at <= now < self.ends_at:
            return None
        if self.window is None:
            return self.ends_at
        closes = self.window.until(now)
        return min(closes, self.ends_at) if closes is not None else None

    def state(self, now: float) -> SilenceState:
        if self.ends_at <= now:
            return SilenceState.EXPIRED
        return SilenceState.PENDING if self.until(now) is None else SilenceState.ACTIVE

    def next_change(self, now: float) -> float | None:
        """Return when it begins or stops to hold next; None: never."""
        if self.ends_at <= now:
            return None
        if now < self.starts_at:
            return self.starts_at
        return min(self.window.next_change(now), self.ends_at) if self.window is not None else self.ends_at

    def ended_at(self, now: float, within: float) -> float:
        """Return when it last stopped to hold, if that is no longer ago than `within` seconds; else 0."""
        over = min(now, self.ends_at)
        if now - over >= within or over < self.starts_at:
            return 0.0
        if self.window is None:
            return over if over == self.ends_at else 0.0
        closed = self.window.ended_at(over, within)
        cut = self.ends_at <= now and self.window.until(self.ends_at - 1.0) is not None
        return max(over if cut else 0.0, closed if closed > self.starts_at else 0.0)


def placed(known: Mapping[str, Silence], draft: Silence, *, new_id: str, now: float) -> tuple[Silence, Silence | None]:
    """Return the silence that a draft becomes and, if it takes the place of another, that one ended.

    As in Alertmanager, an id names a silence to change, and what cannot be changed in it makes a new one. Raise
    SilenceError.
    """
    _check(draft, now)
    before = known.get(draft.id)
    if draft.id and before is None:
        raise UnknownSilenceError(f"there is no silence {draft.id!r}")
    if before is not None:
        draft = replace(draft, recurrence=draft.recurrence or before.recurrence)
        if _can_become(before, draft, now):
            return replace(draft, updated_at=now), None
    if len(known) >= MOST:
        raise SilenceError(f"there are {MOST} silences already: let some of them end")
    fresh = replace(draft, id=new_id, starts_at=max(draft.starts_at, now), updated_at=now)
    return fresh, expired(before, now) if before is not None and now < before.ends_at else None


def _check(draft: Silence, now: float) -> None:
    if not draft.matchers:
        raise SilenceError("it needs at least one matcher")
    # What an exception is made of (`!=`, `!~`) is meant; what accepts anything mutes everything by mistake.
    if all(matcher.operator in _POSITIVE and matcher.accepts("") for matcher in draft.matchers):
        raise SilenceError("at least one of its matchers must not accept the empty text, or it would mute everything")
    if draft.ends_at <= draft.starts_at:
        raise SilenceError("it must start before it ends")
    if draft.ends_at <= now:
        raise SilenceError("it must not end in the past")


def _can_become(before: Silence, after: Silence, now: float) -> bool:
    if now >= before.ends_at or before.matchers != after.matchers or before.recurrence != after.recurrence:
        return False
    if now >= before.starts_at:
        return abs(before.starts_at - after.starts_at) < _SAME_SECONDS
    return after.starts_at >= now


def expired(silence: Silence, now: float) -> Silence:
    """Return the silence, over."""
    return replace(silence, starts_at=min(silence.starts_at, now), ends_at=now, updated_at=now)
