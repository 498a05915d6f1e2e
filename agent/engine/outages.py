"""Which services are down, for those that depend on them."""

from collections.abc import Iterable

from agent.incidents.incident import ACTIVE, Incident
from agent.itsm.priority import FAILING


class Outages:
    """A service is down while an incident of it is active that is no drill, no row of another, and severe enough."""

    def __init__(self) -> None:
        self._incidents: dict[str, dict[str, None]] = {}
        """By service, the oldest first."""
        self._back_at: dict[str, float] = {}

    def note(self, incident: Incident, now: float) -> bool:
        """Take an incident as it is now. Return whether its service went down or came back."""
        known = self._incidents.setdefault(incident.service, {})
        was_down = bool(known)
        counts = incident.severity in FAILING and not incident.drill and not incident.parent
        if incident.state in ACTIVE and counts:
            known[incident.id] = None
        else:
            known.pop(incident.id, None)
        if was_down and not known:
            self._back_at[incident.service] = now
        return was_down != bool(known)

    def of(self, service: str) -> str:
        """Return the incident for which a service is down; empty: it is not."""
        return next(iter(self._incidents.get(service, ())), "")

    def back_at(self, services: Iterable[str]) -> float:
        """Return when one of them came back last; 0: none was down."""
        return max((self._back_at.get(service, 0.0) for service in services), default=0.0)

    def shift(self, delta: float) -> None:
        """Move when services came back by a step of the wall clock."""
        self._back_at = {service: at + delta for service, at in self._back_at.items()}
