"""Working time: how much of it lies between two instants, and when a given amount of it will have passed."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from agent.incidents.windows import Window

_FORESEEN_SECONDS = 10 * 366 * 86400.0
"""A calendar that is closed for longer has no working hours at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Working hours less holidays. None for either: always open; no holidays. Instants are wall seconds."""

    name: str
    hours: Window | None = None
    holidays: Window | None = None

    def open_at(self, now: float) -> bool:
        """Return whether this is working time."""
        working = self.hours is None or self.hours.until(now) is not None
        return working and (self.holidays is None or self.holidays.until(now) is None)

    def worked(self, start: float, end: float) -> float:
        """Return the working seconds between two instants."""
        return sum(last - first for first, last in self.spans(start, end))

    def due(self, start: float, seconds: float) -> float:
        """Return when so many working seconds after `start` have passed; infinity if the calendar never opens."""
        left = seconds
        for first, last in self.spans(start, start + _FORESEEN_SECONDS):
            if last - first >= left:
                return first + left
            left -= last - first
        return math.inf

    def spans(self, start: float, end: float) -> Iterator[tuple[float, float]]:
        """Yield the working time between two instants, piece by piece, in order."""
        for first, last in _pieces(self.hours, start, end, inside=True):
            yield from _pieces(self.holidays, first, last, inside=False)


ALWAYS = Calendar(name="always")
"""Around the clock."""


def _pieces(window: Window | None, start: float, end: float, *, inside: bool) -> Iterator[tuple[float, float]]:
    if window is None:
        yield start, end
        return
    now = start
    while now < end:
        until = window.until(now)
        change = until if until is not None else window.next_change(now)
        if (until is not None) is inside:
            yield now, min(change, end)
        now = change
