"""Options of who is told: people, teams, on-call rotas, escalation by time, and digests."""

# ruff: noqa: RUF009
# `option` returns a field.

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Literal

from agent.config.option import Seconds, option, required
from agent.config.service_options import check_date
from agent.config.values import check_mail_address, check_name, check_priority
from agent.incidents.windows import parse_days, parse_times, parse_zone

_DAY = 86400.0


def check_moment(text: str) -> None:
    """Accept a local time, as in "2026-12-24 09:00", and nothing at all."""
    if text:
        parse_moment(text)


def parse_moment(text: str) -> datetime:
    """Return a local time without a zone. Raise ValueError."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", text):
        raise ValueError(f'must be a date and a time such as "2026-12-24 09:00", not {text!r}')
    return datetime.strptime(text, "%Y-%m-%d %H:%M")  # noqa: DTZ007 - of the rota's zone


def check_clock(text: str) -> None:
    """Accept the time of a day."""
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError(f'must be a time such as "09:00", not {text!r}')


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonOptions:
    """Somebody who can be told, by one channel or more."""

    name: str = required("The name in teams, rotas and acknowledgements.", example="ann", check=check_name)
    channels: tuple[str, ...] = required("Names of channels.", example=["ops-mail"], filled=True)
    address: str = option(
        "",
        "Where e-mail channels reach this person, instead of their own `to`.",
        example="ann@example.org",
        check=check_mail_address,
    )
    contact: str = option("", "How to reach them otherwise, for people to read.", example="+49 30 1234567")


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamOptions:
    """People who look after the same services (`team` of [[services]])."""

    name: str = required("Its name.", example="web", check=check_name)
    members: tuple[str, ...] = required("Names of people.", example=["ann"], filled=True)
    channels: tuple[str, ...] = option((), "Channels that reach all of them; none: each member is told.")
    contact: str = option("", "How to reach them otherwise, for people to read.", example="web@example.org")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerOptions:
    """People who take turns, at all hours or in some."""

    members: tuple[str, ...] = required("Names of people, in their order.", example=["ann"], filled=True)
    start: str = required("The day on which the first turn begins.", example="2026-11-02", check=check_date)
    at: str = option("09:00", "The time of the hand-over.", check=check_clock)
    every: Seconds = option(Seconds(7 * _DAY), "The length of a turn, in whole days.")
    days: tuple[str, ...] = option((), "Weekdays; none: all.", example=["mon-fri"], check=parse_days)
    times: tuple[str, ...] = option((), "From and to; none: all day.", example=["08:00-18:00"], check=parse_times)
    end: str = option("", "The time at which the last turn ends.", example="2027-01-01 09:00", check=check_moment)

    def __post_init__(self) -> None:
        if self.every % _DAY:
            raise ValueError('every must be whole days, such as "1d" or "7d"; hours of the day go into times')
        if not self.start:
            raise ValueError("start must not be empty")
        if self.end and parse_moment(self.end) <= parse_moment(f"{self.start} {self.at}"):
            raise ValueError("end must be after start")


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideOptions:
    """Somebody who stands in for a while."""

    person: str = required("Who.")
    start: str = required("From when.", example="2026-12-24 09:00", check=parse_moment)
    end: str = required("Until when.", example="2026-12-27 09:00", check=parse_moment)

    def __post_init__(self) -> None:
        if parse_moment(self.end) <= parse_moment(self.start):
            raise ValueError("end must be after start")


@dataclass(frozen=True, slots=True, kw_only=True)
class RotaOptions:
    """Who of a team is on call when. Its layers must share all hours: none left out, none given twice."""

    name: str = required("Its name.", example="web", check=check_name)
    team: str = required("Whose it is: the services of this team are.", example="web")
    zone: str = option("UTC", "Time zone by its IANA name.", example="Europe/Berlin", check=parse_zone)
    layers: tuple[LayerOptions, ...] = required(
        "People who take turns.", filled=True, example=({"members": ["ann"], "start": "2026-11-02"},)
    )
    overrides: tuple[OverrideOptions, ...] = option(
        (),
        "Who stands in.",
        example=({"person": "ann", "start": "2026-12-24 09:00", "end": "2026-12-27 09:00"},),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WhomOptions:
    """Whom to tell."""

    channels: tuple[str, ...] = option((), "Names of channels.", example=["ops-mail"])
    people: tuple[str, ...] = option((), "Names of people.")
    teams: tuple[str, ...] = option((), "Names of teams.")
    rotas: tuple[str, ...] = option((), "Rotas: whoever is on call then.")

    def __post_init__(self) -> None:
        if not (self.channels or self.people or self.teams or self.rotas):
            raise ValueError("tells nobody: name channels, people, teams or rotas")


def parse_digest_time(text: str) -> list[int]:
    """Return the minutes of the day of "08:00", or of "*:30": every hour."""
    if re.fullmatch(r"\*:[0-5]\d", text):
        return [60 * hour + int(text[2:]) for hour in range(24)]
    check_clock(text)
    return [60 * int(text[:2]) + int(text[3:])]


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestOptions(WhomOptions):
    """A channel that waits: what routes send to its name is collected and told together."""

    name: str = required("Its name, for `channels` of routes.", example="daily", check=check_name)
    at: tuple[str, ...] = option(
        ("08:00",), 'Times of the day; "*:00" is every hour.', check=parse_digest_time, filled=True
    )
    days: tuple[str, ...] = option((), "Weekdays; none: all.", example=["mon-fri"], check=parse_days)
    zone: str = option("UTC", "Time zone by its IANA name.", example="Europe/Berlin", check=parse_zone)
    audience: Literal["technical", "business"] = option("technical", "As of a channel.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelOptions(WhomOptions):
    """Whom to tell when nobody has acknowledged for so long."""

    after: Seconds = required("Since the incident could be told; an expired acknowledgement counts anew.", zero=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainOptions:
    """Escalation by time: who is told while nobody acknowledges. The first chain that fits an incident is its chain."""

    name: str = required("Its name.", example="urgent", check=check_name)
    priorities: tuple[str, ...] = option((), "Priorities; none: all.", example=["P1"], check=check_priority)
    services: tuple[str, ...] = option((), "Services of the catalogue; none: all.")
    levels: tuple[LevelOptions, ...] = required(
        "Levels, the first one first.",
        filled=True,
        example=({"after": "0s", "rotas": ["web"]}, {"after": "15m", "people": ["ann"]}),
    )

    def __post_init__(self) -> None:
        times = [level.after for level in self.levels]
        if any(later <= earlier for earlier, later in pairwise(times)):
            raise ValueError("each level must come later (after) than the one before it")


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteOptions(WhomOptions):
    """Who hears of which incidents: begin, escalation, broken promises, end. Every route that fits counts."""

    services: tuple[str, ...] = option((), "Services of the catalogue; none: all.", example=["shop"])
    priorities: tuple[str, ...] = option((), "Priorities; none: all.", example=["P1", "P2"], check=check_priority)
    calendar: str = option(
        "", "A calendar, asked whenever something happens to an incident; none: at any time.", example="office"
    )
    within: bool = option(True, "In the calendar's hours; false: outside of them.")
