"""Routes, made of the configuration, and what is wrong between them and the other tables."""

from collections import Counter
from collections.abc import Iterator

from agent.config.options import Config
from agent.config.problems import Problem, unknown
from agent.config.services import calendars
from agent.incidents.routes import Route
from agent.itsm.calendars import ALWAYS
from agent.itsm.catalogue import DEFAULT

TARGETS = ("book", "helper", "mqtt", "runner")
"""Whom else the outbox serves."""


def routes(config: Config) -> tuple[Route, ...]:
    known = calendars(config)
    return tuple(
        Route(
            channels=options.channels,
            services=frozenset(options.services),
            priorities=frozenset(options.priorities),
            calendar=known.get(options.calendar, ALWAYS),
            within=options.within,
        )
        for options in config.routes
    )


def problems(config: Config) -> Iterator[Problem]:
    """Name channels that cannot be told apart, and what routes refer to and is not there."""
    names = {options.name for options in config.channels}
    taken = Counter([*TARGETS, *(t.name or t.system for t in config.tickets)])
    for index, channel in enumerate(config.channels):
        taken[channel.name] += 1
        if taken[channel.name] > 1:
            yield Problem(f"channels[{index}].name", f"{channel.name!r} is taken: choose another name")
    services = {options.name for options in config.services} | {DEFAULT.name}
    known = {options.name for options in config.calendars}
    for index, route in enumerate(config.routes):
        path = f"routes[{index}]"
        for each in (each for each in route.channels if each not in names):
            yield Problem(f"{path}.channels", unknown("channel", each, names))
        for each in (each for each in route.services if each not in services):
            yield Problem(f"{path}.services", unknown("service", each, services))
        if route.calendar and route.calendar not in known:
            yield Problem(f"{path}.calendar", unknown("calendar", route.calendar, known))
        if not route.within and not route.calendar:
            yield Problem(f"{path}.within", "is false without a calendar, so it never holds: name one")
