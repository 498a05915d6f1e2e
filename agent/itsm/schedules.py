"""When a report is due, and what it is about: local times that come again, whatever the clocks there do. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from agent.incidents.windows import instant, parse_zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A report that comes again. `day` is a weekday (Monday is 0) or a day of the month, `minute` of that day."""

    name: str
    every: Literal["weekly", "monthly"]
    day: int
    minute: int
    zone: str
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A report that had to be made at `at`, about the whole week or month before; wall seconds."""

    id: str
    at: float
    start: float
    end: float


def last_due(schedule: Schedule, now: float) -> Due:
    """Return the report that was due last. What was missed before that is not made up for: it would be old news."""
    zone = parse_zone(schedule.zone)
    day = _latest(schedule, datetime.fromtimestamp(now, zone).date())
    if _at(schedule, day) > now:
        day = _latest(schedule, day - timedelta(days=1))
    first, last = period(schedule.every, day)
    start, end = (instant(datetime.combine(each, time()), zone, last=False) for each in (first, last))
    return Due(id=f"{schedule.name}-{first.isoformat()}", at=_at(schedule, day), start=start, end=end)


def period(every: Literal["weekly", "monthly"], day: date) -> tuple[date, date]:
    """Return the first day of the last whole week (from Monday) or month before a day, and the day after its last."""
    if every == "weekly":
        monday = day - timedelta(days=day.weekday())
        return monday - timedelta(days=7), monday
    first = day.replace(day=1)
    return (first - timedelta(days=1)).replace(day=1), first


def _latest(schedule: Schedule, day: date) -> date:
    """Return the last day of the schedule that is not after this one."""
    if schedule.every == "weekly":
        return day - timedelta(days=(day.weekday() - schedule.day) % 7)
    if day.day < schedule.day:
        day = day.replace(day=1) - timedelta(days=1)
    return day.replace(day=schedule.day)


def _at(schedule: Schedule, day: date) -> float:
    local = datetime.combine(day, time()) + timedelta(minutes=schedule.minute)
    return instant(local, parse_zone(schedule.zone), last=False)
