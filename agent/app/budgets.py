"""Availability and error budgets as metrics, for services that have an objective."""

from collections.abc import Callable

from agent.incidents.policy import Policy
from agent.itsm.availability import services
from agent.itsm.evidence import Evidence, Terms
from agent.store.reader import Reader
from agent.telemetry import metrics


def budgets(reader: Reader, policy: Callable[[], Policy], now: Callable[[], float]) -> None:
    """Bring the gauges up to date, each over the window of its objective."""
    end = now()
    for service in policy().catalogue:
        objective = service.objective
        if objective is None:
            continue
        start = end - objective.window
        terms = Terms(name=service.name, objective=objective)
        incidents = reader.record(start, end).incidents
        known = Evidence(host="", start=start, end=end, incidents=incidents, services=(terms,))
        (found,) = (each for each in services(known) if each.service == service.name)
        metrics.AVAILABILITY.labels(service.name).set(found.availability)
        metrics.BUDGET_USED.labels(service.name).set(found.budget_used or 0.0)
