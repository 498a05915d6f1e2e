"""Priority from impact and urgency."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.itsm.catalogue import Criticality, Service
from collectors.sample import Labels
from rules.matchers import Matcher

PRIORITIES = ("P1", "P2", "P3", "P4")
URGENCIES: Mapping[str, int] = {"page": 0, "critical": 0, "error": 1, "warning": 2}
"""By severity; any other is the least urgent."""
LEAST_URGENT = 3

FAILING = frozenset({"page", "critical", "error"})
"""Severities at which a service counts as down for those that depend on it."""

Row = tuple[str, str, str, str]
"""Priorities by urgency, the most urgent first."""

MATRIX: Mapping[Criticality, Row] = {
    Criticality.HIGH: ("P1", "P1", "P2", "P3"),
    Criticality.MEDIUM: ("P1", "P2", "P3", "P4"),
    Criticality.LOW: ("P2", "P3", "P4", "P4"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Priorities:
    """The matrix, and by how many steps urgency falls outside a service's hours."""

    matrix: Mapping[Criticality, Row] = field(default_factory=lambda: MATRIX)
    outside_hours: int = 1
    majors: tuple[tuple[Matcher, ...], ...] = ()
    """Alerts that are major incidents: those that meet all matchers of one entry."""

    def major(self, service: Service, labels: Labels, severity: str) -> str:
        """Return why an alert is a major incident, which no cell of the matrix says; empty: it is none."""
        if service.major and severity in FAILING:
            return f"{service.name} is down"
        pairs = dict(labels)
        if any(all(matcher.matches(pairs) for matcher in each) for each in self.majors):
            return f"every {pairs.get('alertname', 'such alert')} is one"
        return ""

    def of(self, service: Service, severity: str, now: float) -> str:
        """Return the priority of an incident of this severity at this instant (wall seconds)."""
        urgency = URGENCIES.get(severity, LEAST_URGENT)
        if not service.calendar.open_at(now):
            urgency = min(LEAST_URGENT, urgency + self.outside_hours)
        return self.matrix[service.criticality][urgency]


PRIORITIES_BY_DEFAULT = Priorities()
