"""Availability and error budgets as metrics, for services that have an objective."""

from collections.abc import Callable

from agent.incidents.policy import Policy
from agent.itsm.availability import of_service
from agent.itsm.evidence import Evidence, Terms
from agent.store.reader import Reader
from agent.telemetry import metrics


def budgets(reader: Reader, policy: Callable[[], Policy], now: Callable[[], float], shown: set[str]) -> None:
    """Bring the gauges up to date, each over the window of its objective. `shown` are the services that have some."""
    end = now()
    objectives = {each.name: each.objective for each in policy().catalogue if each.objective is not None}
    longest = max((each.window for each in objectives.values()), default=0.0)
    incidents = reader.lasting(end - longest, end) if objectives else ()
    for name, objective in objectives.items():
        known = Evidence(host="", start=end - objective.window, end=end, incidents=incidents)
        found = of_service(name, Terms(name=name, objective=objective), known)
        metrics.AVAILABILITY.labels(name).set(found.availability)
        metrics.BUDGET_USED.labels(name).set(found.budget_used or 0.0)
    for name in shown - objectives.keys():
        metrics.AVAILABILITY.remove(name)
        metrics.BUDGET_USED.remove(name)
    shown.clear()
    shown.update(objectives)
