"""Routes and who is known by name, made of the configuration, and what is wrong between them and the other tables."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from agent.config import rotas
from agent.config.oncall_options import ChainOptions, RouteOptions, WhomOptions, parse_digest_time
from agent.config.options import Config
from agent.config.problems import Problem, unknown
from agent.config.services import calendars
from agent.incidents.routes import Chain, Level, Route
from agent.incidents.windows import parse_days, parse_zone
from agent.itsm.calendars import ALWAYS
from agent.itsm.catalogue import DEFAULT
from agent.itsm.teams import NOBODY, Person, Roster, Team

if TYPE_CHECKING:
    from agent.itsm.digests import Digest

MISSING = "needs the package apprise: pip install 'paramedic[notify]'"
TARGETS = ("book", "helper", "mqtt", "runner")
"""Whom else the outbox serves."""


def routes(config: Config) -> tuple[Route, ...]:
    known = calendars(config)
    return tuple(
        Route(
            channels=options.channels,
            people=options.people,
            teams=options.teams,
            rotas=options.rotas,
            services=frozenset(options.services),
            priorities=frozenset(options.priorities),
            calendar=known.get(options.calendar, ALWAYS),
            within=options.within,
        )
        for options in config.routes
    )


def chains(config: Config) -> tuple[Chain, ...]:
    return tuple(
        Chain(
            name=options.name,
            services=frozenset(options.services),
            priorities=frozenset(options.priorities),
            levels=tuple(
                Level(
                    after=level.after,
                    channels=level.channels,
                    people=level.people,
                    teams=level.teams,
                    rotas=level.rotas,
                )
                for level in options.levels
            ),
        )
        for options in config.chains
    )


def roster(config: Config) -> Roster:
    """Return everybody who is known by name."""
    if not config.people:
        return NOBODY
    return Roster(
        people={
            each.name: Person(name=each.name, channels=each.channels, contact=each.contact) for each in config.people
        },
        teams={
            each.name: Team(name=each.name, members=each.members, channels=each.channels, contact=each.contact)
            for each in config.teams
        },
        rotas=rotas.rotas(config),
    )


def digests(config: Config) -> list["Digest"]:
    """Return what is told together."""
    from agent.itsm.digests import Digest  # noqa: PLC0415 - loaded only where there is one

    return [
        Digest(
            name=options.name,
            times=tuple(sorted({minute for text in options.at for minute in parse_digest_time(text)})),
            days=frozenset(day for text in options.days for day in parse_days(text)) or frozenset(range(7)),
            zone=parse_zone(options.zone),
            audience=options.audience,
            channels=options.channels,
            people=options.people,
            teams=options.teams,
            rotas=options.rotas,
        )
        for options in config.digests
    ]


def audiences(config: Config) -> Mapping[str, str]:
    """Return for whom a channel or digest is."""
    return {each.name: each.audience for each in config.channels} | {
        each.name: each.audience for each in config.digests
    }


def addresses(config: Config) -> dict[str, str]:
    """Return where e-mail reaches people, by their names."""
    return {each.name: each.address for each in config.people if each.address}


def problems(config: Config) -> Iterator[Problem]:
    """Name what cannot be told apart, and what is referred to and is not there."""
    yield from _taken(config)
    yield from _channels(config)
    yield from _teams(config)
    yield from rotas.problems(config)
    yield from _chains(config)
    known = {options.name for options in config.calendars}
    for index, route in enumerate(config.routes):
        path = f"routes[{index}]"
        yield from whom(config, path, route)
        yield from concerned(config, path, route)
        if route.calendar and route.calendar not in known:
            yield Problem(f"{path}.calendar", unknown("calendar", route.calendar, known))
        if not route.within and not route.calendar:
            yield Problem(f"{path}.within", "is false without a calendar, so it never holds: name one")


def _chains(config: Config) -> Iterator[Problem]:
    """Name whom chains cannot tell, and chains that one before them leaves nothing to."""
    for index, chain in enumerate(config.chains):
        path = f"chains[{index}]"
        yield from concerned(config, path, chain)
        for number, level in enumerate(chain.levels):
            yield from whom(config, f"{path}.levels[{number}]", level)
        for earlier in config.chains[:index]:
            if _covers(earlier.priorities, chain.priorities) and _covers(earlier.services, chain.services):
                yield Problem(path, f"never used: {earlier.name!r} stands before it and takes the same incidents")
                break


def _covers(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Tell whether whatever is in one selection is in the other; an empty one takes everything."""
    return not one or (bool(other) and set(other) <= set(one))


def _taken(config: Config) -> Iterator[Problem]:
    taken = Counter([*TARGETS, *(t.name or t.system for t in config.tickets)])
    for kind in ("channels", "digests"):
        for index, each in enumerate(getattr(config, kind)):
            taken[each.name] += 1
            if taken[each.name] > 1:
                yield Problem(f"{kind}[{index}].name", f"{each.name!r} is taken: choose another name")


def _channels(config: Config) -> Iterator[Problem]:
    """Name channels that lack what they go by."""
    for index, channel in enumerate(config.channels):
        if channel.kind == "mqtt" and not config.mqtt.host:
            yield Problem(f"channels[{index}].kind", "needs a broker: set host in [mqtt]")
        if channel.kind == "apprise" and find_spec("apprise") is None:
            yield Problem(f"channels[{index}].kind", MISSING)


def _teams(config: Config) -> Iterator[Problem]:
    """Name unknown channels, members and teams."""
    channels = {each.name for each in config.channels}
    people = {each.name for each in config.people}
    teams = {each.name for each in config.teams}
    for index, person in enumerate(config.people):
        yield from _unknown(f"people[{index}].channels", "channel", person.channels, channels)
    for index, digest in enumerate(config.digests):
        yield from whom(config, f"digests[{index}]", digest, channels)
    for index, team in enumerate(config.teams):
        yield from _unknown(f"teams[{index}].members", "person", team.members, people)
        yield from _unknown(f"teams[{index}].channels", "channel", team.channels, channels)
    for index, service in enumerate(config.services):
        if service.team:
            yield from _unknown(f"services[{index}].team", "team", (service.team,), teams)


def whom(config: Config, path: str, options: WhomOptions, channels: set[str] | None = None) -> Iterator[Problem]:
    """Name those who are to be told and are not there. A digest is a channel that waits, except to another one."""
    reached = audiences(config).keys() if channels is None else channels
    for kind, what in (("channels", "channel"), ("people", "person"), ("teams", "team"), ("rotas", "rota")):
        known = reached if kind == "channels" else {each.name for each in getattr(config, kind)}
        yield from _unknown(f"{path}.{kind}", what, getattr(options, kind), known)


def concerned(config: Config, path: str, options: RouteOptions | ChainOptions) -> Iterator[Problem]:
    """Name services that are not there."""
    services = {each.name for each in config.services} | {DEFAULT.name}
    yield from _unknown(f"{path}.services", "service", options.services, services)


def _unknown(path: str, what: str, names: tuple[str, ...], known: Collection[str]) -> Iterator[Problem]:
    for name in names:
        if name not in known:
            yield Problem(path, unknown(what, name, known))
