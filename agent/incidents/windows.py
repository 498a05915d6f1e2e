"""Windows of local time that come again: weekdays, hours and dates in a time zone, whatever the clocks there do.

A window that begins or ends at a time that a change of the clock leaves out begins or ends with that change. A time
that comes twice begins a window when it comes first and ends one when it comes for the second time.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ALL_DAY = ((0, 1440),)
_TIMES = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_LEAP_YEAR = "2024-"
_YEARLY = len("MM-DD")
_FORESEEN_DAYS = 400
"""How far ahead a window is looked for; a window that is never found is looked for again after that."""
_JOINED = 21
"""So many spans that follow each other are looked at: of a window that never closes, two or three weeks are enough."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """A window as it is written; what is left out does not restrict it. `parse` says what is allowed."""

    days: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class _Dates:
    """Days of the calendar from first to last. Without a year ("12-24") they come each year, also across its end."""

    first: str
    last: str

    def contain(self, day: date) -> bool:
        text = day.isoformat()[-len(self.first) :]
        if self.first <= self.last:
            return self.first <= text <= self.last
        return text >= self.first or text <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Spans of time, one for each of `times` (minutes of the local day; over 1440: the next day) on each day that fits.

    Instants are wall seconds.
    """

    days: frozenset[int]
    times: tuple[tuple[int, int], ...]
    dates: tuple[_Dates, ...]
    zone: tzinfo

    def until(self, now: float) -> float | None:
        """Return when the window that is open ends, those that follow without a gap included; None: it is closed."""
        end, found = now, True
        for _ in range(_JOINED):
            later = self._end_at(end)
            if later is None:
                found = end > now
                break
            end = later
        return end if found else None

    def next_change(self, now: float) -> float:
        """Return when the window opens or ends next, or when to look again."""
        until = self.until(now)
        if until is not None:
            return until
        for offset in range(_FORESEEN_DAYS):
            starts = [start for start, _ in self._spans(self._day(now) + offset * _DAY) if start > now]
            if starts:
                return min(starts)
        return now + _FORESEEN_DAYS * 86400.0

    def ended_at(self, now: float, within: float) -> float:
        """Return when it last ended, if that is no longer ago than `within` seconds; else 0."""
        day, ends = self._day(now - within) - _DAY, [0.0]
        while day <= self._day(now):
            ends += [end for _, end in self._spans(day) if now - within < end <= now]
            day += _DAY
        return max(ends)

    def _end_at(self, now: float) -> float | None:
        today = self._day(now)
        spans = (*self._spans(today - _DAY), *self._spans(today))
        return max((end for start, end in spans if start <= now < end), default=None)

    def _day(self, now: float) -> date:
        return datetime.fromtimestamp(now, self.zone).date()

    def _spans(self, day: date) -> Iterator[tuple[float, float]]:
        """Yield the spans that begin on a local day."""
        if day.weekday() not in self.days or not any(dates.contain(day) for dates in self.dates):
            return
        midnight = datetime.combine(day, time())
        for first, last in self.times:
            start = instant(midnight + timedelta(minutes=first), self.zone, last=False)
            end = instant(midnight + timedelta(minutes=last), self.zone, last=True)
            if start < end:
                yield start, end


def instant(local: datetime, zone: tzinfo, *, last: bool = False) -> float:
    """Return when a local time (without a zone) comes: for the first or the `last` time; with the leap if never."""
    first, second = (local.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    if first > second:
        return _leap(zone, second, first)
    return second if last else first


def _leap(zone: tzinfo, low: float, high: float) -> float:
    """Return the second between two instants at which the clock is put forward."""
    before = datetime.fromtimestamp(low, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def parse(written: Recurrence) -> Window:
    """Return the window. Raise ValueError saying what is wrong, or what is allowed."""
    if not (written.days or written.times or written.dates):
        raise ValueError("say when: days, times or dates")
    return Window(
        days=frozenset(day for text in written.days for day in parse_days(text)) or frozenset(range(7)),
        times=tuple(parse_times(text) for text in written.times) or _ALL_DAY,
        dates=tuple(parse_dates(text) for text in written.dates) or (_Dates("01-01", "12-31"),),
        zone=parse_zone(written.zone),
    )


def parse_days(text: str) -> list[int]:
    """Return the weekdays, Monday being 0, of "sat" or "fri-mon"."""
    names = text.strip().lower().split("-")
    if not 1 <= len(names) <= 2 or any(name not in _DAYS for name in names):  # noqa: PLR2004 - from, to
        raise ValueError(f'must be a weekday ({", ".join(_DAYS)}) or a range such as "mon-fri", not {text!r}')
    first, last = _DAYS.index(names[0]), _DAYS.index(names[-1])
    return [(first + offset) % 7 for offset in range((last - first) % 7 + 1)]


def parse_times(text: str) -> tuple[int, int]:
    """Return from and to in minutes of the day; what ends before it begins ends on the next day."""
    found = _TIMES.fullmatch(text.strip())
    first, last = (int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])) if found else (0, 0)
    if first == last or first >= _ALL_DAY[0][1] or last > _ALL_DAY[0][1]:
        raise ValueError(f'must be from and to, such as "22:00-06:00" or "00:00-24:00", not {text!r}')
    return first, last if first < last else last + 1440


def parse_dates(text: str) -> _Dates:
    """Return the days of "2026-12-24", "2026-12-24..2027-01-02", or each year "12-24", "12-24..01-02"."""
    parts = [part.strip() for part in text.split("..")]
    if len(parts) > 2 or len({len(part) for part in parts}) > 1 or not all(map(_is_date, parts)):  # noqa: PLR2004 - from, to
        raise ValueError(f'must be a date such as "2026-12-24", "12-24" (each year) or "12-24..01-02", not {text!r}')
    if len(parts[0]) != _YEARLY and parts[0] > parts[-1]:
        raise ValueError(f"must not end before it begins: {text!r}")
    return _Dates(parts[0], parts[-1])


def _is_date(text: str) -> bool:
    whole = _LEAP_YEAR + text if len(text) == _YEARLY else text
    try:
        return date.fromisoformat(whole).isoformat() == whole
    except ValueError:
        return False


def parse_zone(name: str) -> tzinfo:
    """Return the time zone of an IANA name such as "Europe/Berlin"."""
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - needed where windows are

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f'must be a time zone that this host knows, such as "Europe/Berlin", not {name!r}') from error
