"""Routes and chains: who hears of which incidents, and when."""

from dataclasses import dataclass

from agent.itsm.calendars import ALWAYS, Calendar
from agent.itsm.teams import Whom


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Whom):
    """Whom to tell, and of which incidents. No services or priorities: all. Every route that fits counts."""

    services: frozenset[str] = frozenset()
    priorities: frozenset[str] = frozenset()
    calendar: Calendar = ALWAYS
    within: bool = True
    """Whether it holds in the calendar's hours, or outside of them."""

    def fits(self, service: str, priority: str, now: float) -> bool:
        wanted = not self.services or service in self.services
        urgent = not self.priorities or priority in self.priorities
        return wanted and urgent and self.calendar.open_at(now) is self.within


@dataclass(frozen=True, slots=True, kw_only=True)
class Level(Whom):
    """Whom to tell when an incident has gone unacknowledged for `after` seconds."""

    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Levels in the order of their times, for some incidents. No services or priorities: all."""

    name: str
    levels: tuple[Level, ...]
    services: frozenset[str] = frozenset()
    priorities: frozenset[str] = frozenset()

    def fits(self, service: str, priority: str) -> bool:
        return (not self.services or service in self.services) and (not self.priorities or priority in self.priorities)
