"""The service catalogue: what this host does for whom, how much that matters, and what was agreed about it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from agent.incidents.incident import DEFAULT_SERVICE
from agent.itsm.calendars import ALWAYS, Calendar
from collectors.sample import Labels
from remediations.mode import Mode
from rules.matchers import Matcher


class Criticality(StrEnum):
    """How much it matters when the service fails: the impact."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Who agreed to a goal and when, and by when it is looked at again; ISO dates. Empty: nobody has."""

    by: str = ""
    on: str = ""
    review_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """The share of the time in which the service has to be available, over a window in seconds."""

    availability: float
    window: float
    agreement: Agreement = Agreement()

    def budget(self) -> float:
        """Return the seconds of failure that a window allows."""
        return (1.0 - self.availability) * self.window


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Working seconds within which an incident is responded to and resolved; None: nothing was agreed."""

    respond: float | None = None
    resolve: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service. An alert belongs to it if all matchers of one of the lists in `match` accept its labels."""

    name: str
    owner: str = ""
    team: str = ""
    criticality: Criticality = Criticality.MEDIUM
    match: tuple[tuple[Matcher, ...], ...] = ()
    calendar: Calendar = ALWAYS
    depends_on: tuple[str, ...] = ()
    objective: Objective | None = None
    targets: Mapping[str, Target] = field(default_factory=dict)
    """By priority."""
    major: bool = False
    """Whether each failure of it is a major incident."""
    automation: Mode = Mode.AUTO
    """How far any remediation may go by itself on this service."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        return any(all(matcher.matches(labels) for matcher in matchers) for matchers in self.match)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What one run of an action that helped is worth, in seconds: as declared, by action."""

    labour: float = 0.0
    """A person's time that it saves."""
    outage: float = 0.0
    """How long the outage would have lasted without it."""


DEFAULT = Service(name=DEFAULT_SERVICE)

_RANK = {criticality: rank for rank, criticality in enumerate(Criticality)}


class Catalogue:
    """All services, the default one included. Raise ValueError for a dependency that is unknown or goes in a circle."""

    def __init__(self, services: Iterable[Service] = ()) -> None:
        listed = tuple(services)
        self._services = {service.name: service for service in (DEFAULT, *listed)}
        by_rank = sorted(listed, key=lambda service: _RANK[service.criticality])
        self._matching = tuple(service for service in by_rank if service.match)
        self._below = {name: self._closure(name) for name in self._services}
        self.needed = frozenset().union(*self._below.values())
        """Every service that another one depends on."""

    def __iter__(self) -> Iterator[Service]:
        return iter(self._services.values())

    def of(self, labels: Labels) -> Service:
        """Return the service an alert belongs to: the most critical one that matches, else the default."""
        pairs = dict(labels)
        found = next((service for service in self._matching if service.matches(pairs)), None)
        return found if found is not None else self._services[DEFAULT.name]

    def get(self, name: str) -> Service:
        """Return a service by its name; the default one if it is not in the catalogue any more."""
        return self._services.get(name, self._services[DEFAULT.name])

    def below(self, name: str) -> frozenset[str]:
        """Return every service that this one depends on, directly or not."""
        return self._below.get(name, frozenset())

    def _closure(self, name: str) -> frozenset[str]:
        found: set[str] = set()
        self._follow(name, (), found)
        return frozenset(found)

    def _follow(self, name: str, path: tuple[str, ...], found: set[str]) -> None:
        if name in path:
            raise ValueError("depends on itself: " + " → ".join((*path[path.index(name) :], name)))
        service = self._services.get(name)
        if service is None:
            raise ValueError(f"{path[-1]} depends on {name!r}, which is not in the catalogue")
        for other in service.depends_on:
            self._follow(other, (*path, name), found)
            found.add(other)


NO_SERVICES = Catalogue()
"""Everything belongs to the default service."""
