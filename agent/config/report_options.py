"""Options of what is reported, when and to whom."""

# ruff: noqa: RUF009
# `option` returns a field.

import re
from dataclasses import dataclass
from typing import Literal

from agent.config.option import Seconds, option
from agent.config.values import check_name
from agent.incidents.windows import parse_days, parse_zone

LAST_DAY = 28
"""Of the month, so that every month has it."""


def check_time(text: str) -> None:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError(f'must be a time of day such as "07:00", not {text!r}')


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """A report about the last whole week or month: made at a local time, kept with what it was computed from, sent."""

    name: str = option("weekly", "Its name in the list of reports.", check=check_name)
    every: Literal["weekly", "monthly"] = option("weekly", "weekly or monthly.")
    day: str = option("", 'When: a weekday, or a day of the month up to "28"; default: "mon", or "1".', example="mon")
    at: str = option("07:00", "At what time of that day.", check=check_time)
    zone: str = option("UTC", "In which time zone.", example="Europe/Berlin", check=parse_zone)
    channels: tuple[str, ...] = option((), "Who gets it: names of channels.", example=["ops-mail"])

    def __post_init__(self) -> None:
        self.day_number()

    def day_number(self) -> int:
        """Return the weekday (Monday is 0) or the day of the month. Raise ValueError."""
        if self.every == "weekly":
            return parse_days(self.day or "mon")[0]
        day = self.day or "1"
        if not day.isdecimal() or not 1 <= int(day) <= LAST_DAY:
            raise ValueError(f'day must be one from "1" to "{LAST_DAY}", not {self.day!r}')
        return int(day)

    def minute(self) -> int:
        hours, minutes = self.at.split(":")
        return int(hours) * 60 + int(minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOptions:
    """What a periodic review is to look at."""

    stale_after: Seconds = option(
        Seconds(14 * 86400.0), "A silence or another exception that holds for longer than this is named."
    )
