"""On-call rotas, made of the configuration, and what is wrong with them: above all hours that nobody has, or two."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from agent.config.oncall_options import LayerOptions, OverrideOptions, RotaOptions, parse_moment
from agent.config.options import Config
from agent.config.problems import Problem, unknown
from agent.incidents import windows
from agent.incidents.windows import Recurrence

if TYPE_CHECKING:
    from agent.itsm.rota import Fault, Layer, Rota

_DAY = 86400.0


def rotas(config: Config) -> dict[str, "Rota"]:
    """Return every rota by its name."""
    return {options.name: _rota(options) for options in config.rotas}


def _rota(options: RotaOptions) -> "Rota":
    from agent.itsm.rota import Override, Rota  # noqa: PLC0415 - loaded only where there is one

    zone = windows.parse_zone(options.zone)
    return Rota(
        name=options.name,
        team=options.team,
        zone=zone,
        layers=tuple(_layer(layer, options.zone) for layer in options.layers),
        overrides=tuple(
            Override(
                person=each.person,
                start=windows.instant(parse_moment(each.start), zone),
                end=windows.instant(parse_moment(each.end), zone),
            )
            for each in options.overrides
        ),
    )


def _layer(options: LayerOptions, zone: str) -> "Layer":
    from agent.itsm.rota import Layer  # noqa: PLC0415 - loaded only where there is one

    hours = Recurrence(days=options.days, times=options.times, zone=zone)
    return Layer(
        members=options.members,
        start=parse_moment(f"{options.start} {options.at}"),
        days=int(options.every // _DAY),
        hours=windows.parse(hours) if options.days or options.times else None,
        end=parse_moment(options.end) if options.end else None,
    )


def problems(config: Config) -> Iterator[Problem]:
    """Name unknown teams, people who are in none of them, hours left out or given twice, and clashing overrides."""
    teams = {team.name: team for team in config.teams}
    people = {person.name for person in config.people}
    for index, options in enumerate(config.rotas):
        path = f"rotas[{index}]"
        team = teams.get(options.team)
        if team is None:
            yield Problem(f"{path}.team", unknown("team", options.team, teams))
        for number, layer in enumerate(options.layers):
            for name in layer.members:
                if name not in people:
                    yield Problem(f"{path}.layers[{number}].members", unknown("person", name, people))
                elif team is not None and name not in team.members:
                    message = f"{name!r} is no member of team {team.name!r}: add them there"
                    yield Problem(f"{path}.layers[{number}].members", message)
        yield from _overrides(path, options.overrides, people)
        yield from _hours(path, options)


def _overrides(path: str, overrides: Sequence[OverrideOptions], people: set[str]) -> Iterator[Problem]:
    for number, each in enumerate(overrides):
        if each.person not in people:
            yield Problem(f"{path}.overrides[{number}].person", unknown("person", each.person, people))
        clashing = (other for other in overrides[:number] if each.start < other.end and other.start < each.end)
        if other := next(clashing, None):
            message = (
                f"is at the same time as {other.person}, {other.start} to {other.end}: end one where the other starts"
            )
            yield Problem(f"{path}.overrides[{number}]", message)


def _hours(path: str, options: RotaOptions) -> Iterator[Problem]:
    from agent.itsm.rota import FaultKind, faults  # noqa: PLC0415 - loaded only where there is one

    found = list(faults(_rota(options)))
    gaps = [fault for fault in found if fault.kind is FaultKind.GAP]
    overlaps = [fault for fault in found if fault.kind is FaultKind.OVERLAP]
    if gaps:
        message = f"nobody is on call {_times(gaps, options.zone)}: give these hours to a layer"
        yield Problem(f"{path}.layers", message)
    if overlaps:
        first, second = overlaps[0].layers
        message = f"layers {first} and {second} are both on call {_times(overlaps, options.zone)}: take them from one"
        yield Problem(f"{path}.layers[{second}]", message)


def _times(found: Sequence["Fault"], zone: str) -> str:
    more = f", and {len(found) - 1} times more in a week" if len(found) > 1 else ""
    return f"from {_shown(found[0].start)} to {_shown(found[0].end)} ({zone}){more}"


def _shown(moment: datetime) -> str:
    return moment.strftime("%a %Y-%m-%d %H:%M")
