"""Digests: what is not urgent is collected and told together, at times of the day. Instants are wall seconds."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Literal

from agent.incidents.windows import instant
from agent.itsm.teams import Whom

_ALL_DAYS = frozenset(range(7))
_LOOKED = 9
"""So many days are looked at for the next time: weekdays come again within eight, a change of the clock included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest(Whom):
    """Whom to tell at which minutes of which local days; Monday is 0."""

    name: str
    times: tuple[int, ...]
    days: frozenset[int] = _ALL_DAYS
    zone: tzinfo = UTC
    audience: Literal["technical", "business"] = "technical"

    def following(self, now: float) -> float:
        """Return the next time after an instant."""
        days = (self._of(now, offset) for offset in range(-1, _LOOKED))
        return next(at for day in days for at in sorted(day) if at > now)

    def latest(self, now: float) -> float:
        """Return the last time that has come."""
        days = (self._of(now, -offset) for offset in range(-1, _LOOKED))
        return next(at for day in days for at in sorted(day, reverse=True) if at <= now)

    def _of(self, now: float, offset: int) -> Iterator[float]:
        """Yield the times of a day so many days after that of an instant."""
        today = datetime.combine(datetime.fromtimestamp(now, self.zone).date(), time())
        day = today + timedelta(days=offset)
        for minute in self.times if day.weekday() in self.days else ():
            yield instant(day + timedelta(minutes=minute), self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a digest says about one incident: how often something happened, and the last of it."""

    incident_id: str
    priority: str
    first_at: float
    last_at: float
    times: int
    subject: str
    text: str
