"""The service catalogue, made of the configuration, and what is wrong between its tables."""

import math
from collections.abc import Iterator

from agent.config.options import Config
from agent.config.problems import Problem, unknown
from agent.config.service_options import CalendarOptions, ObjectiveOptions, ServiceOptions
from agent.incidents import windows
from agent.incidents.windows import Recurrence
from agent.itsm.calendars import ALWAYS, Calendar
from agent.itsm.catalogue import Agreement, Catalogue, Criticality, Objective, Service, Target
from agent.itsm.priority import Priorities
from agent.itsm.problems import ProblemLimits
from rules import matchers

_PERCENT = 100.0


def catalogue(config: Config) -> Catalogue:
    """Return every service of a configuration that loads."""
    known = calendars(config)
    return Catalogue(_service(options, known.get(options.calendar, ALWAYS)) for options in config.services)


def calendars(config: Config) -> dict[str, Calendar]:
    return {options.name: _calendar(options) for options in config.calendars}


def priorities(config: Config) -> Priorities:
    options = config.priorities
    matrix = {criticality: getattr(options, criticality) for criticality in Criticality}
    majors = tuple(matchers.parse_all(text) for text in options.major)
    return Priorities(matrix=matrix, outside_hours=options.outside_hours, majors=majors)


def problem_limits(config: Config) -> ProblemLimits:
    options = config.problems
    return ProblemLimits(incidents=options.incidents, fixes=options.fixes, family=options.family, window=options.window)


def problems(config: Config) -> Iterator[Problem]:
    """Name what services refer to and is not there, services that depend on themselves, and calendars never open."""
    for index, calendar in enumerate(calendars(config).values()):
        if math.isinf(calendar.due(0.0, 1.0)):
            yield Problem(f"calendars[{index}]", "has no hours: every one of them is in its holidays")
    hours = {options.name for options in config.calendars}
    names = {options.name for options in config.services}
    for index, options in enumerate(config.services):
        path = f"services[{index}]"
        if options.calendar and options.calendar not in hours:
            yield Problem(f"{path}.calendar", unknown("calendar", options.calendar, hours))
        for other in options.depends_on:
            if other not in names:
                yield Problem(f"{path}.depends_on", unknown("service", other, names))
    try:
        Catalogue(Service(name=o.name, depends_on=tuple(set(o.depends_on) & names)) for o in config.services)
    except ValueError as error:
        yield Problem("services", str(error))


def _service(options: ServiceOptions, calendar: Calendar) -> Service:
    return Service(
        name=options.name,
        owner=options.owner,
        team=options.team,
        criticality=options.criticality,
        match=tuple(matchers.parse_all(text) for text in options.match),
        calendar=calendar,
        depends_on=options.depends_on,
        objective=_objective(options.objective) if options.objective is not None else None,
        targets={
            priority: Target(respond=target.respond, resolve=target.resolve)
            for priority, target in options.targets.items()
        },
        automation=options.automation,
        major=options.major,
    )


def _objective(options: ObjectiveOptions) -> Objective:
    agreement = Agreement(by=options.agreed_by, on=options.agreed_on, review_by=options.review_by)
    return Objective(availability=options.availability / _PERCENT, window=options.window, agreement=agreement)


def _calendar(options: CalendarOptions) -> Calendar:
    holidays = Recurrence(dates=options.holidays, zone=options.zone)
    return Calendar(
        name=options.name,
        hours=windows.parse(Recurrence(days=options.days, times=options.times, zone=options.zone)),
        holidays=windows.parse(holidays) if options.holidays else None,
    )
