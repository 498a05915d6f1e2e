"""Schedules of reports, made of the configuration, and what they refer to that is not there."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.config.options import Config
from agent.config.problems import Problem, unknown

if TYPE_CHECKING:
    from agent.itsm.schedules import Schedule


def schedules(config: Config) -> "tuple[Schedule, ...]":
    from agent.itsm.schedules import Schedule  # noqa: PLC0415 - loaded only where reports are scheduled

    return tuple(
        Schedule(
            name=options.name,
            every=options.every,
            day=options.day_number(),
            minute=options.minute(),
            zone=options.zone,
            channels=options.channels,
        )
        for options in config.reports
    )


def problems(config: Config) -> Iterator[Problem]:
    names = {options.name for options in config.channels}
    for index, options in enumerate(config.reports):
        for each in (each for each in options.channels if each not in names):
            yield Problem(f"reports[{index}].channels", unknown("channel", each, names))
