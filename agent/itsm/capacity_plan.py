"""From a forecast to a dated change: when one is asked for, when its date moves, and when it is not needed any more."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from agent.itsm.calendars import Calendar
from agent.itsm.capacity import DAY, RECEDED, Forecast, Hour, Why

CALM = 1.25
"""A date that is later than the threshold by this factor has receded."""
_MOVED_DAYS = 3.0
_MOVED_SHARE = 0.25
"""A date moves noticeably by so many days, or by this share of the time that is left if that is more."""
_GONE_DAYS = 7.0
"""What was not measured for so long is not there any more."""
_MINUTE = 60.0
FORGOTTEN_SECONDS = 30 * DAY
"""What was not measured for so long is shown no more."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Subject:
    """One thing that a resource is counted for, such as one filesystem. `name` is empty where there is but one."""

    resource: str
    name: str
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """What changes about it are known by."""
        return f"capacity:{self.resource}:{self.name}"

    def __str__(self) -> str:
        return f"{self.resource} {self.name}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The forecast for a subject as it was made `at` (wall seconds), and when there was last something to measure."""

    subject: Subject
    at: float
    forecast: Forecast
    unit: str = ""
    measured_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What one look at all resources found: roll-ups, and the outlook on every subject."""

    hours: Mapping[Subject, Hour]
    outlooks: tuple[Outlook, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The change that was asked for, the date that was told with it, and the ticket systems that have a ticket."""

    change: str
    full_at: float
    tickets: tuple[str, ...] = ()
    priority: str = ""
    """What was told with it; empty: nobody knows any more."""


class Step(StrEnum):
    """What is to be done about a forecast."""

    NOTHING = "nothing"
    ASK = "ask"
    MOVE = "move"
    URGE = "urge"
    WITHDRAW = "withdraw"


def step(plan: Plan | None, outlook: Outlook, threshold: float, now: float) -> Step:
    """Return what follows from a forecast, given the plan there is; `threshold` in seconds."""
    found = outlook.forecast
    if plan is None:
        soon = found.full_at is not None and found.full_at - now <= threshold
        return Step.ASK if soon else Step.NOTHING
    if found.full_at is None:
        gone = found.why is Why.STALE and now - outlook.measured_at > _GONE_DAYS * DAY
        return Step.WITHDRAW if gone or found.why in RECEDED else Step.NOTHING
    if found.full_at - now > CALM * threshold:
        return Step.WITHDRAW
    noticeable = max(_MOVED_DAYS * DAY, _MOVED_SHARE * (plan.full_at - now))
    if abs(found.full_at - plan.full_at) >= noticeable:
        return Step.MOVE
    return Step.URGE if priority(found.full_at, now) < plan.priority else Step.NOTHING


def begin(full_at: float, lead: float, calendar: Calendar, now: float) -> float:
    """Return when to begin: in the morning of the last working day before only `lead` seconds are left, or soon."""
    latest = full_at - lead
    if calendar.hours is None and calendar.holidays is None:
        return max(latest, now)
    working = list(calendar.spans(now, latest)) if latest > now else []
    if len(working) > 1:
        return working[-1][0]
    soon = calendar.due(now, _MINUTE)
    return min(soon - _MINUTE, full_at) if soon < full_at else now


def priority(full_at: float, now: float) -> str:
    """Return how urgent it is."""
    left = (full_at - now) / DAY
    return "P2" if left <= 3 else "P3" if left <= 14 else "P4"  # noqa: PLR2004 - days
