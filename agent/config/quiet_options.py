"""Options of what keeps alerts quiet: freeze windows and inhibition."""

# `option` returns a field.

from dataclasses import dataclass
from typing import Literal

from agent.config.option import option, required
from agent.config.values import check_name
from agent.incidents.windows import parse_dates, parse_days, parse_times, parse_zone
from rules import matchers


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeOptions:
    """A freeze: hours in which nothing is begun, but by remediations with emergency = true. Incidents open."""

    name: str = required("Its name wherever an action is refused.", example="weekend", check=check_name)
    match: tuple[str, ...] = option((), "Matchers of the alerts that it covers; none: all.", check=matchers.parse)
    days: tuple[str, ...] = option(
        (), 'Weekdays, as "sat" or "mon-fri"; none: all.', example=["fri-sun"], check=parse_days
    )
    times: tuple[str, ...] = option(
        (),
        "From and to, in the zone's time; past midnight it ends on the next day; none: all day.",
        example=["22:00-06:00"],
        check=parse_times,
    )
    dates: tuple[str, ...] = option(
        (),
        'Dates: "2026-12-24", "2026-12-24..2027-01-02", or each year "12-24..01-02"; none: all.',
        example=["12-24..01-02"],
        check=parse_dates,
    )
    zone: str = option("UTC", "Time zone by its IANA name.", example="Europe/Berlin", check=parse_zone)
    then: Literal["wait", "escalate"] = option(
        "wait", "wait: until it ends, nobody hears of them. escalate: a person hears of them at once, and must act."
    )

    def __post_init__(self) -> None:
        if not (self.days or self.times or self.dates):
            raise ValueError("say when: days, times or dates")


@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitionOptions:
    """An inhibition rule, as in Alertmanager: while an alert fires that is a source, its targets are quiet."""

    name: str = required("Its name wherever an action is refused.", example="node-down", check=check_name)
    source_matchers: tuple[str, ...] = required(
        "What a source must meet.", example=['alertname="NodeDown"'], check=matchers.parse, filled=True
    )
    target_matchers: tuple[str, ...] = required(
        "What a target must meet.", example=['severity="warning"'], check=matchers.parse, filled=True
    )
    equal: tuple[str, ...] = option((), "Labels in which both must agree.", example=["instance"])
