"""How available services were, out of the spans of their incidents. Pure; all times in wall seconds.

A service is down while at least one incident of it counts as down: it is severe enough, and what happens was not
planned. Whether the fault is its own or that of something below it makes no difference to those whom it serves.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.incidents.incident import Incident
from agent.itsm.catalogue import DEFAULT, Objective
from agent.itsm.evidence import Evidence, Terms
from agent.itsm.figures import counts
from agent.itsm.stretches import Stretch, length, overlaps, united


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFigures:
    """How a service fared: seconds it was down, its availability, and the part of its error budget that is used up."""

    service: str
    owner: str
    incidents: int
    down: float
    seen: float
    """Seconds of that within its business hours: what its users noticed."""
    availability: float
    objective: float | None
    budget_used: float | None
    kept: int
    """Promises about its incidents that were kept,"""
    promised: int
    """of so many whose end is known."""


def services(evidence: Evidence) -> tuple[ServiceFigures, ...]:
    """Return the figures of every service of the catalogue, and of those that had incidents and are gone from it."""
    known = {terms.name: terms for terms in evidence.services}
    names = sorted({*known, *(each.service for each in evidence.incidents if not each.drill)})
    default = Terms(name=DEFAULT.name, hours=((evidence.start, evidence.end),))
    return tuple(of_service(name, known.get(name, default), evidence) for name in names)


def of_service(name: str, terms: Terms, evidence: Evidence) -> ServiceFigures:
    """Return the figures of one service, on its terms."""
    start, end = evidence.start, evidence.end
    own = [each for each in evidence.incidents if each.service == name and not each.drill]
    opened = [each for each in own if start <= each.opened_at < end and counts(each)]
    ended = [c for i in opened for c in i.clocks if c.met is not None or c.breached_at is not None]
    outages = down(own, start, end)
    lost = length(outages)
    return ServiceFigures(
        service=name,
        owner=terms.owner,
        incidents=len(opened),
        down=lost,
        seen=length(overlaps(outages, terms.hours)),
        availability=1.0 - lost / (end - start),
        objective=terms.objective.availability if terms.objective is not None else None,
        budget_used=_budget_used(terms.objective, lost, end - start),
        kept=sum(bool(clock.met) and clock.breached_at is None for clock in ended),
        promised=len(ended),
    )


def _budget_used(objective: Objective | None, lost: float, seconds: float) -> float | None:
    """Return which part of the failures that were allowed in this time has happened."""
    if objective is None:
        return None
    return lost / (objective.budget() * seconds / objective.window)


def down(incidents: Iterable[Incident], start: float, end: float) -> list[Stretch]:
    """Return when at least one of the incidents counted as down, in order and without overlaps."""
    spans = ((span.start, end if span.end is None else span.end) for i in incidents for span in i.spans if span.down)
    return united(overlaps(sorted(spans), [(start, end)]))
