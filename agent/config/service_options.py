"""Options of the service catalogue: services, their working hours, what was agreed about them, and priorities."""

# ruff: noqa: RUF009
# `option` returns a field.

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from agent.config.option import Seconds, option, required
from agent.config.values import check_name
from agent.incidents.windows import parse_dates, parse_days, parse_times, parse_zone
from agent.itsm.catalogue import DEFAULT, Criticality
from agent.itsm.priority import MATRIX, PRIORITIES
from remediations.mode import Mode
from rules import matchers

_PERCENT = 100.0
_URGENCIES = 4


def check_service_name(text: str) -> None:
    check_name(text)
    if text == DEFAULT.name:
        raise ValueError(f"{text!r} is what everything is called that belongs to no service; choose another name")


def check_date(text: str) -> None:
    """Accept a day of the calendar, and nothing at all."""
    if text and (not re.fullmatch(r"\d{4}-\d\d-\d\d", text) or not _is_date(text)):
        raise ValueError(f'must be a date such as "2026-12-24", not {text!r}')


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarOptions:
    """Working hours: only they count for response and resolution times, and outside them things are less urgent."""

    name: str = required("Its name, for services to refer to.", example="office", check=check_name)
    days: tuple[str, ...] = option((), "Weekdays; none: all.", example=["mon-fri"], check=parse_days)
    times: tuple[str, ...] = option(
        (), "From and to, in the zone's time; none: all day.", example=["08:00-18:00"], check=parse_times
    )
    holidays: tuple[str, ...] = option(
        (),
        'Days without work: "2026-12-24", or each year "12-24..01-02".',
        example=["12-25..12-26"],
        check=parse_dates,
    )
    zone: str = option("UTC", "Time zone by its IANA name.", example="Europe/Berlin", check=parse_zone)

    def __post_init__(self) -> None:
        if not (self.days or self.times):
            raise ValueError("has no hours: say which days or times are worked")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOptions:
    """How fast an incident is to be answered and ended, in working time."""

    respond: Seconds | None = option(None, "Until somebody or something works on it.", example="15m")
    resolve: Seconds | None = option(None, "Until it is over.", example="4h")

    def __post_init__(self) -> None:
        if self.respond is not None and self.resolve is not None and self.respond > self.resolve:
            raise ValueError("respond must not be longer than resolve")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveOptions:
    """In which share of the time the service has to be available, and who agreed to that."""

    availability: float = option(99.9, "Per cent of the time.")
    window: Seconds = option(Seconds(30 * 86400.0), "Over which time.")
    agreed_by: str = option("", "Who agreed; without it, it is reported as unconfirmed.", example="Head of Sales")
    agreed_on: str = option("", "When.", example="2026-10-01", check=check_date)
    review_by: str = option("", "By when it is to be reviewed.", example="2027-04-01", check=check_date)

    def __post_init__(self) -> None:
        if not 0.0 < self.availability < _PERCENT:
            raise ValueError(f"availability = {self.availability:g}: must be more than 0 and less than 100 per cent")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions:
    """A service: what the host does for somebody. Alerts that belong to none belong to the service "default"."""

    name: str = required("Its name in incidents, tickets and reports.", example="shop", check=check_service_name)
    owner: str = option("", "Who answers for it.", example="Ada Example")
    team: str = option("", "Who looks after it.", example="web")
    criticality: Criticality = option(Criticality.MEDIUM, "high, medium or low: how much it matters when it fails.")
    match: tuple[str, ...] = option(
        (),
        "Its alerts: those that meet all matchers of one entry.",
        example=['{name=~"nginx.service|php-fpm.service"}', '{mountpoint="/srv", alertname=~"Disk.*"}'],
        check=matchers.parse_all,
    )
    calendar: str = option("", "Its working hours; none: around the clock.", example="office")
    depends_on: tuple[str, ...] = option(
        (), "Services without which it cannot work: while one of them is down, nothing is done here."
    )
    major: bool = option(False, "Each failure of it (severity page, critical or error) is a major incident.")
    automation: Mode = option(Mode.AUTO, "How far remediations may go on it: observe, propose, approve or auto.")
    targets: Mapping[str, TargetOptions] = field(
        default_factory=dict,
        metadata={
            "help": "Response and resolution times by priority.",
            "example": {"P1": {"respond": "15m", "resolve": "4h"}},
        },
    )
    objective: ObjectiveOptions | None = field(
        default=None, metadata={"help": "What was agreed about its availability.", "example": {"availability": 99.9}}
    )

    def __post_init__(self) -> None:
        if unknown := sorted(self.targets.keys() - set(PRIORITIES)):
            raise ValueError(f"targets.{unknown[0]}: priorities are {', '.join(PRIORITIES)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityOptions:
    """Priority by impact (a service's criticality) and urgency: page and critical, error, warning, anything else."""

    high: tuple[str, ...] = option(MATRIX[Criticality.HIGH], "Where criticality is high, the most urgent first.")
    medium: tuple[str, ...] = option(MATRIX[Criticality.MEDIUM], "Where it is medium.")
    low: tuple[str, ...] = option(MATRIX[Criticality.LOW], "Where it is low.")
    major: tuple[str, ...] = option(
        (),
        "Alerts that are major incidents, above the matrix: those that meet all matchers of one entry.",
        example=['{alertname="HostDown"}'],
        check=matchers.parse_all,
    )
    outside_hours: int = option(1, "Steps by which urgency falls outside a service's hours.", zero=True)

    def __post_init__(self) -> None:
        for name in Criticality:
            row = getattr(self, name)
            if len(row) != _URGENCIES or not set(row) <= set(PRIORITIES):
                raise ValueError(f"{name} must be four of {', '.join(PRIORITIES)}, the most urgent first")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemOptions:
    """When faults that come back, or that automation keeps mending, become a problem for somebody to solve."""

    incidents: int = option(3, "Incidents of one subject.")
    fixes: int = option(3, "Automatic fixes of one subject.")
    family: int = option(10, "Incidents of one alert on one service, whatever their subject.")
    window: Seconds = option(Seconds(7 * 86400.0), "Within this time.")
