"""The phases of a drill: which there are, and when an incident went through them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

PHASES = ("detected", "opened", "action started", "answering", "verified", "ticket opened", "ticket closed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a drill is. `at` holds wall seconds of the phases seen; `failed` says why it can get no further."""

    drill: str
    killed_at: float
    at: Mapping[str, float]
    failed: str = ""

    @property
    def complete(self) -> bool:
        return all(phase in self.at for phase in PHASES)

    def ended(self, reason: str) -> "Progress":
        """Return this progress as the last there is, for a reason."""
        return replace(self, failed=reason)

    def since_kill(self, phase: str) -> float | None:
        """Return the seconds from the kill to the phase, None if it was not seen."""
        return self.at[phase] - self.killed_at if phase in self.at else None


def seen(incident: Mapping[str, Any]) -> dict[str, float]:
    """Return the phases that an incident's record shows now; "answering" shows only from outside."""
    attempts = incident.get("attempts") or ()
    moments = {
        "detected": incident.get("active_at") or incident["opened_at"],
        "opened": incident["opened_at"],
        "action started": attempts[0]["started_at"] if attempts else None,
        "verified": incident.get("resolved_at") if incident.get("resolution") == "fixed" else None,
    }
    return {phase: at for phase, at in moments.items() if at is not None} | _ticket(incident)


def failure(incident: Mapping[str, Any]) -> str:
    """Return why an incident will not be repaired any more, "" while it may be."""
    if incident["state"] == "escalated":
        refusals = incident.get("refusals") or ()
        return f"escalated: {incident.get('escalated_reason') or (refusals[0] if refusals else 'no reason given')}"
    if incident["state"] in ("resolved", "closed") and incident.get("resolution") != "fixed":
        return f"resolved without the repair: {incident.get('resolution')}"
    return ""


def _ticket(incident: Mapping[str, Any]) -> dict[str, float]:
    """Return when the ticket was opened or closed: a link tells its state now and since when, so look often."""
    links = [link for link in incident.get("ticket_links") or () if link["state"] in ("open", "closed")]
    if not links:
        return {}
    at: float = links[0]["updated_at"]
    return {"ticket opened": at} | ({"ticket closed": at} if links[0]["state"] == "closed" else {})
