"""Everything a report on a period is computed from. A published report keeps it, so that it can be computed again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.incidents.incident import Incident
from agent.itsm.capacity_plan import Outlook
from agent.itsm.catalogue import Catalogue, Objective, Worth
from agent.itsm.changes import Change
from agent.itsm.problems import Problem
from agent.itsm.stretches import Stretch
from agent.itsm.suggestions import Point, Suggestion
from agent.itsm.training import Training


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for a service: whose it is, what was agreed, and its working hours within the period."""

    name: str
    owner: str = ""
    objective: Objective | None = None
    hours: tuple[Stretch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known about a period of one host; instants are wall seconds."""

    host: str
    start: float
    end: float
    zone: str = "UTC"
    """The time zone in which its reader lives."""
    incidents: tuple[Incident, ...] = ()
    """Those that lasted within it."""
    acknowledged: Mapping[str, float] = field(default_factory=dict)
    """When somebody first took an incident, by its id."""
    problems: tuple[Problem, ...] = ()
    """Those that are not closed."""
    changes: tuple[Change, ...] = ()
    """Those that were closed in it, and those about which there is something to do."""
    drills: tuple[Training, ...] = ()
    services: tuple[Terms, ...] = ()
    worth: Mapping[str, Worth] = field(default_factory=dict)
    capacity: tuple[Outlook, ...] = ()
    """As it was at the end."""
    points: tuple[Point, ...] = ()
    """What must be looked at whatever happened in the period: silences, rules, overrides."""
    suggestions: tuple[Suggestion, ...] = ()
    """As they were before this report."""


def terms(catalogue: Catalogue, start: float, end: float) -> tuple[Terms, ...]:
    """Return what holds for every service in a period."""
    return tuple(
        Terms(
            name=service.name,
            owner=service.owner or service.team,
            objective=service.objective,
            hours=tuple(service.calendar.spans(start, end)),
        )
        for service in sorted(catalogue, key=lambda service: service.name)
    )
