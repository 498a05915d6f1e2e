"""A straight line through points that nobody promised to be one: median slopes, their interval, and how well it fits.

Theil and Sen: the slope is the median of the slopes between all pairs, so a few wild points do not turn it. Where there
are two weeks, only pairs of the same weekday count (Hirsch), so no weekend looks like a fall. Pure; days are the unit.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WEEK = 7
_SEASONAL_DAYS = 2 * WEEK
_LEVEL_WEEKS = 4
"""So many weeks must be there before each weekday is given a level of its own."""
_SAME_WEEKDAY = 0.3
"""How far, in days, two points may be from a whole number of weeks."""
_Z = 1.645
"""Of a normal distribution: nine of ten lie within."""
_MAD = 1.4826
"""By this a median deviation becomes a standard deviation."""

Point = tuple[float, float]
"""When (days) and how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The trend of some points. `low` and `high` are the slope's interval (nine of ten), all in units a day.

    `top` is the level at day 0 of the highest weekday; `noise` is how far nine of ten points are from the line at most.
    `fit` is the share of the spread that the line explains, 0 to 1.
    """

    slope: float
    low: float
    high: float
    top: float
    noise: float
    fit: float
    centre: float
    """The day around which the line turns when its slope is another one."""

    def at(self, day: float) -> float:
        return self.top + self.slope * day


def line(points: Sequence[Point]) -> Line | None:
    """Return the trend; None where there are too few pairs to tell."""
    found = _slopes(points)
    if not found:
        return None
    slopes, deviation = found
    slope = median(slopes)
    low, high = _interval(slopes, deviation)
    levels = _levels(points, slope)
    rests = [value - slope * day - levels[_weekday(day)] for day, value in points]
    noise = median(map(abs, rests))
    moved = [slope * day + rest for (day, _), rest in zip(points, rests, strict=True)]
    middle = median(moved)
    spread = median(abs(each - middle) for each in moved)
    return Line(
        slope=slope,
        low=low,
        high=high,
        top=max(levels.values()),
        noise=_Z * _MAD * noise,
        fit=max(0.0, 1.0 - noise / spread) if spread else 0.0,
        centre=median(day for day, _ in points),
    )


def slope(points: Sequence[Point]) -> float | None:
    """Return the median slope alone."""
    found = _slopes(points)
    return median(found[0]) if found else None


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of the values lies, between two of them if need be."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def median(values: Iterable[float]) -> float:
    """Return the value in the middle; the library's brings fractions and decimals along."""
    return quantile(tuple(values), 0.5)


def _slopes(points: Sequence[Point]) -> tuple[list[float], float] | None:
    """Return the slopes between pairs in order, and the standard deviation of Kendall's count of them."""
    seasonal = bool(points) and points[-1][0] - points[0][0] >= _SEASONAL_DAYS - 1 and _is_daily(points)
    slopes = sorted(
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for index, earlier in enumerate(points)
        for later in points[index + 1 :]
        if later[0] > earlier[0] and (not seasonal or _same_weekday(later[0] - earlier[0]))
    )
    if not slopes:
        return None
    sizes = Counter(_weekday(day) for day, _ in points).values() if seasonal else (len(points),)
    return slopes, math.sqrt(sum(n * (n - 1) * (2 * n + 5) for n in sizes) / 18.0)


def _is_daily(points: Sequence[Point]) -> bool:
    """Tell whether most days have a point; else weekdays mean nothing."""
    return len(points) * 2 > points[-1][0] - points[0][0]


def _same_weekday(days: float) -> bool:
    weeks = round(days / WEEK)
    return weeks > 0 and abs(days - weeks * WEEK) <= _SAME_WEEKDAY


def _weekday(day: float) -> int:
    return int(day) % WEEK


def _interval(slopes: Sequence[float], deviation: float) -> tuple[float, float]:
    reach = _Z * deviation
    low = math.floor((len(slopes) - reach) / 2)
    high = math.ceil((len(slopes) + reach) / 2)
    return slopes[max(0, low)], slopes[min(len(slopes) - 1, high)]


def _levels(points: Sequence[Point], slope: float) -> dict[int, float]:
    """Return the level of each weekday at day 0; one and the same for all where there are too few weeks to tell."""
    by_weekday: dict[int, list[float]] = defaultdict(list)
    for day, value in points:
        by_weekday[_weekday(day)].append(value - slope * day)
    if min(map(len, by_weekday.values())) >= _LEVEL_WEEKS and _is_daily(points):
        return {weekday: median(values) for weekday, values in by_weekday.items()}
    level = median(value for values in by_weekday.values() for value in values)
    return dict.fromkeys(by_weekday, level)
