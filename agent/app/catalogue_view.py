"""The service catalogue for those who ask: what was agreed about each service, and how it stands now."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from agent.incidents.incident import ACTIVE, Incident
from agent.itsm.availability import of_service
from agent.itsm.catalogue import Catalogue, Service
from agent.itsm.evidence import Evidence, Terms
from agent.store.reader import Reader


def services(catalogue: Catalogue, reader: Reader, now: float) -> Sequence[Mapping[str, Any]]:
    """Return every service by name, the default one last, with its open incidents and the budget it has used."""
    windows = [each.objective.window for each in catalogue if each.objective is not None]
    incidents = reader.lasting(now - max(windows, default=0.0), now)
    named = sorted(catalogue, key=lambda each: (not each.match, each.name))
    return [_shown(each, catalogue, incidents, now) for each in named]


def _shown(service: Service, catalogue: Catalogue, incidents: Sequence[Incident], now: float) -> Mapping[str, Any]:
    # What is on record about a service that left the catalogue belongs to the default one.
    own = [each for each in incidents if catalogue.get(each.service) is service and not each.drill]
    going_on = sorted((each for each in own if each.state in ACTIVE), key=lambda each: (each.priority, each.opened_at))
    return {
        "name": service.name,
        "owner": service.owner,
        "team": service.team,
        "criticality": str(service.criticality),
        "automation": str(service.automation),
        "calendar": service.calendar.name,
        "in_hours": service.calendar.open_at(now),
        "depends_on": list(service.depends_on),
        "needed_by": sorted(each.name for each in catalogue if service.name in catalogue.below(each.name)),
        "targets": {priority: asdict(target) for priority, target in service.targets.items()},
        "down": any(each.spans and each.spans[-1].end is None and each.spans[-1].down for each in going_on),
        "incidents": [_incident(each) for each in going_on],
        "objective": _objective(service, own, now),
    }


def _incident(incident: Incident) -> Mapping[str, Any]:
    return {
        "id": incident.id,
        "priority": incident.priority,
        "alertname": incident.alertname,
        "state": str(incident.state),
        "quiet_because": incident.suppressed,
    }


def _objective(service: Service, incidents: Sequence[Incident], now: float) -> Mapping[str, Any] | None:
    goal = service.objective
    if goal is None:
        return None
    known = Evidence(host="", start=now - goal.window, end=now, incidents=tuple(incidents))
    found = of_service(service.name, Terms(name=service.name, objective=goal), known)
    return {
        "goal": goal.availability,
        "window": goal.window,
        "agreement": asdict(goal.agreement),
        "availability": found.availability,
        "budget": goal.budget(),
        "budget_used": found.budget_used,
    }
