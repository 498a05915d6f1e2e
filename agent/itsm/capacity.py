"""When a resource will be full, from its history and from what is planned; or why that cannot be told. Pure."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from agent.itsm import trend
from agent.itsm.trend import Line, Point

DAY = 86400.0
_DAY_HOURS = 12
"""A day with fewer hours on record is a gap."""
_BUSY = 0.9
"""What counts of a day: nine of ten hours were not busier."""
_STEADY_SHARE = 1 / 3
"""Each half of the history must have grown at least at this share of the pace of the whole."""
_SURE_SHARE = 1 / 3
"""The slowest growth that the history allows for must be at least this share of the likeliest."""
_COVERED_SHARE = 0.7
_FALL_RANGE = 1 / 3
_FALL_LIMIT = 0.02
"""A fall from one day to the next by this share of the whole range, and of the limit, is a cleanup."""
_PEAKS = 4
"""Where it is cleaned up again and again, so many peaks say whether they rise."""
_FLAT_SHARE = 0.01
"""Of the limit: who grew by less over the whole history did not grow."""
_RECENT_DAYS = 2.0
_WINDOWS = (1.0, 0.5, 0.25)
"""Shares of the history that are tried, the longest first: a pace may have begun later."""


class Why(StrEnum):
    """Why there is no date."""

    TOO_SHORT = "too_short"
    GAPS = "gaps"
    STALE = "stale"
    NO_LIMIT = "no_limit"
    FLAT = "flat"
    FALLING = "falling"
    NOISY = "noisy"
    UNSTEADY = "unsteady"
    CLEANED_UP = "cleaned_up"
    FAR = "far"


RECEDED = frozenset({Why.FLAT, Why.FALLING, Why.FAR, Why.CLEANED_UP})
"""Reasons that say that it will not be full soon; the others say that nobody knows."""

SAYS = {
    Why.TOO_SHORT: "the history is too short",
    Why.GAPS: "the history has too many gaps",
    Why.STALE: "nothing was measured lately",
    Why.NO_LIMIT: "it has no limit",
    Why.FLAT: "it does not grow",
    Why.FALLING: "it falls",
    Why.NOISY: "it varies more than it grows",
    Why.UNSTEADY: "it did not grow steadily",
    Why.CLEANED_UP: "it is cleaned up from time to time",
    Why.FAR: "not within the horizon",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """What was measured in the hour that ended `at` (wall seconds), and the limit there was."""

    at: float
    low: float
    mean: float
    high: float
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is planned: from `at` (wall seconds) on, `step` more at once and `per_day` more each day."""

    at: float
    step: float = 0.0
    per_day: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What a forecast must be made of: days of history, share of the spread explained, days it may reach ahead."""

    history_days: float = 14.0
    fit: float = 0.6
    horizon_days: float = 365.0


DEFAULT_GUARD = Guard()


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is known. Times are wall seconds; None: cannot be told, and `why` says so if there is no date at all.

    `latest` is None beside a date if it may also never be full. `fit` and `per_day` are None without a trend.
    """

    used: float | None
    limit: float | None
    full_at: float | None = None
    earliest: float | None = None
    latest: float | None = None
    per_day: float | None = None
    fit: float | None = None
    since: float | None = None
    """From when on the history was used."""
    why: Why | None = None
    note: str = ""
    """What else to know: of which history it was made, which demands it counts on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ahead:
    """What lies ahead: wall seconds now and at the horizon, and what is planned, in order."""

    now: float
    horizon: float
    demands: tuple[Demand, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    """A trend that can be relied on, and where it stands today."""

    line: Line
    since: float
    offset: float = 0.0
    """What was cleaned up since."""
    note: str = ""


def forecast(
    hours: Iterable[Hour], now: float, demands: Iterable[Demand] = (), guard: Guard = DEFAULT_GUARD
) -> Forecast:
    """Return when the resource will be full. The hours are in order; what lies after `now` is left out."""
    known = [hour for hour in hours if hour.at <= now]
    if not known:
        return Forecast(used=None, limit=None, why=Why.STALE)
    last = known[-1]
    seen = Forecast(used=last.mean, limit=last.limit)
    if now - last.at > _RECENT_DAYS * DAY:
        return _without(seen, Why.STALE)
    if not (math.isfinite(last.limit) and last.limit > 0):
        return _without(seen, Why.NO_LIMIT)
    days = list(_days(known))
    course = _course(days, last.limit, guard)
    planned = tuple(sorted((demand for demand in demands if demand.at > last.at), key=lambda each: each.at))
    ahead = _Ahead(now=now, horizon=now + guard.horizon_days * DAY, demands=planned)
    if isinstance(course, _Course):
        return _by_trend(seen, course, ahead)
    if course in (Why.FLAT, Why.FALLING) and planned:
        return _by_demand(replace(seen, why=course), days[-1][1], ahead)
    return _without(seen, course)


def _days(hours: Iterable[Hour]) -> Iterator[Point]:
    """Yield the busy level of each day that has enough hours, at the time of day to which it belongs in a trend."""
    by_day: dict[int, list[Hour]] = defaultdict(list)
    for hour in hours:
        by_day[math.ceil(hour.at / DAY) - 1].append(hour)
    for _, parts in sorted(by_day.items()):
        if len(parts) >= _DAY_HOURS:
            when = trend.quantile([(part.at - 1800.0) / DAY for part in parts], _BUSY)
            yield when, trend.quantile([part.mean for part in parts], _BUSY)


def _course(days: Sequence[Point], limit: float, guard: Guard) -> _Course | Why:
    if (lacking := _lacks(days, guard)) is not None:
        return lacking
    starts = _cleanups(days, limit)
    if len(starts) > 1:
        return _over_peaks(days, starts, limit, guard)
    if not starts:
        return _longest(days, limit, guard)
    before, since = days[: starts[0]], days[starts[0] :]
    if _lacks(since, guard) is None:
        return _longest(since, limit, guard)
    earlier = _longest(before, limit, guard)
    if isinstance(earlier, Why):
        return earlier
    fallen = trend.quantile([value - earlier.line.at(day) for day, value in since], 0.5)
    return _Course(line=earlier.line, since=earlier.since, offset=min(0.0, fallen), note="at the pace before a cleanup")


def _lacks(days: Sequence[Point], guard: Guard) -> Why | None:
    """Return what keeps a history from being one."""
    span = days[-1][0] - days[0][0] + 1.0 if days else 0.0
    if span < guard.history_days - 0.5:  # a day is what has enough hours, so first and last may be halves
        return Why.TOO_SHORT
    return Why.GAPS if len(days) < _COVERED_SHARE * span else None


def _cleanups(days: Sequence[Point], limit: float) -> list[int]:
    """Return the places of the days that begin after a cleanup; what leaps as well as it falls only varies."""
    values = [value for _, value in days]
    least = max(_FALL_RANGE * (max(values) - min(values)), _FALL_LIMIT * limit)
    steps = [after - before for before, after in pairwise(values)]
    falls = [index for index, step in enumerate(steps, 1) if step < -least]
    leaps = sum(step > least for step in steps)
    return falls if leaps < len(falls) / 2 or len(falls) == 1 else []


def _over_peaks(days: Sequence[Point], starts: Sequence[int], limit: float, guard: Guard) -> _Course | Why:
    """Judge by the peaks before each cleanup: between two of them it always grows."""
    edges = pairwise((0, *starts))
    peaks = [max(days[first:last], key=lambda point: point[1]) for first, last in edges]
    if len(peaks) < _PEAKS or peaks[-1][0] - peaks[0][0] < guard.history_days / 2:
        return Why.CLEANED_UP
    course = _judged(peaks, limit, guard)
    if isinstance(course, Why):
        return Why.CLEANED_UP if course is Why.UNSTEADY else course
    return _Course(line=course.line, since=course.since, note="by the peaks between cleanups")


def _longest(days: Sequence[Point], limit: float, guard: Guard) -> _Course | Why:
    """Return the trend of the longest part of the history, up to its end, that has a reliable one."""
    reasons = []
    whole = days[-1][0] - days[0][0] if days else 0.0
    for share in _WINDOWS:
        part = [point for point in days if point[0] >= days[-1][0] - share * whole]
        lacking = _lacks(part, guard)
        course = lacking if lacking is not None else _judged(part, limit, guard)
        if isinstance(course, _Course):
            return course
        reasons.append(course)
    return reasons[0]


def _judged(points: Sequence[Point], limit: float, guard: Guard) -> _Course | Why:
    """Return the trend of points if it is one that can be relied on."""
    line = trend.line(points)
    if line is None:
        return Why.TOO_SHORT
    grown = line.slope * (points[-1][0] - points[0][0])
    if abs(grown) < _FLAT_SHARE * limit:
        return Why.FLAT
    if line.high < 0:
        return Why.FALLING
    if line.low < _SURE_SHARE * line.slope or line.fit < guard.fit:
        return Why.NOISY
    if not _is_steady(points, line.slope):
        return Why.UNSTEADY
    return _Course(line=line, since=points[0][0] * DAY)


def _is_steady(points: Sequence[Point], slope: float) -> bool:
    """Tell whether each half of the time took part in the growth: one step is no pace."""
    middle = (points[0][0] + points[-1][0]) / 2
    halves = [p for p in points if p[0] <= middle], [p for p in points if p[0] > middle]
    return all((trend.slope(half) or 0.0) >= _STEADY_SHARE * slope for half in halves)


def _by_trend(seen: Forecast, course: _Course, ahead: _Ahead) -> Forecast:
    line, today, limit = course.line, ahead.now / DAY, seen.limit or 0.0
    level = line.at(today) + course.offset
    reach = today - line.centre
    fastest = level + (line.high - line.slope) * reach + line.noise
    slowest = level - (line.slope - line.low) * reach - line.noise
    full = _crossing(level, line.slope, limit, ahead)
    told = replace(seen, per_day=line.slope, fit=line.fit, since=course.since)
    if full is None or full > ahead.horizon:
        return _without(told, Why.FAR)
    return replace(
        told,
        full_at=full,
        earliest=_crossing(fastest, line.high, limit, ahead),
        latest=_crossing(slowest, line.low, limit, ahead),
        note="; ".join(filter(None, (course.note, _counted(ahead, full)))),
    )


def _by_demand(seen: Forecast, level: float, ahead: _Ahead) -> Forecast:
    """What does not grow by itself may still be filled by what is planned."""
    full = _crossing(max(level, seen.used or 0.0), 0.0, seen.limit or 0.0, ahead)
    if full is None or full > ahead.horizon:
        return seen
    return replace(seen, full_at=full, earliest=full, per_day=0.0, why=None, note=_counted(ahead, full))


def _crossing(level: float, per_day: float, limit: float, ahead: _Ahead) -> float | None:
    """Return when a course that begins at `level` now reaches the limit; None if it never does."""
    at = ahead.now
    for demand in ahead.demands:
        met = _met(level, per_day, limit, at)
        if met is not None and met <= demand.at:
            return met
        level += per_day * (demand.at - at) / DAY + demand.step
        per_day, at = per_day + demand.per_day, max(at, demand.at)
    return _met(level, per_day, limit, at)


def _met(level: float, per_day: float, limit: float, at: float) -> float | None:
    if level >= limit:
        return at
    return at + (limit - level) / per_day * DAY if per_day > 0 else None


def _counted(ahead: _Ahead, full: float) -> str:
    notes = [demand.note or "a planned demand" for demand in ahead.demands if demand.at <= full]
    return f"counting on {', '.join(notes)}" if notes else ""


def _without(seen: Forecast, why: Why) -> Forecast:
    return replace(seen, why=why)
