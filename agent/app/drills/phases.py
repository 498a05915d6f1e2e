"""When incidents went through the phases of a drill, as their records show."""

from collections.abc import Mapping, Sequence
from typing import Any

Incident = Mapping[str, Any]


def seen(incident: Incident, system: str = "") -> dict[str, float]:
    """Return the phases that an incident's record shows now. `system` is the ticket system that counts, empty: any."""
    attempts = incident.get("attempts") or ()
    moments = {
        "detected": incident.get("active_at") or incident["opened_at"],
        "opened": incident["opened_at"],
        "action started": attempts[0]["started_at"] if attempts else None,
        "verified": incident.get("resolved_at") if incident.get("resolution") == "fixed" else None,
    }
    return {phase: at for phase, at in moments.items() if at is not None} | _ticket(incident, system)


def failure(incident: Incident, *, held: bool = False) -> str:
    """Return why an incident will not be repaired any more, "" while it may be: one that is `held` waits for people."""
    if incident["state"] == "escalated" and not (held and not incident.get("attempts")):
        refusals = incident.get("refusals") or ()
        return f"escalated: {incident.get('escalated_reason') or (refusals[0] if refusals else 'no reason given')}"
    if incident["state"] in ("resolved", "closed") and incident.get("resolution") != "fixed":
        return f"resolved without the repair: {incident.get('resolution')}"
    return ""


def taken(incident: Incident) -> tuple[str, float] | None:
    """Return who acknowledged an incident first, and when; None if nobody has."""
    words = (line for line in incident.get("timeline") or () if line["reason"] == "acknowledged")
    return next(((line["actor"], line["at"]) for line in words), None)


def _ticket(incident: Incident, system: str) -> dict[str, float]:
    """Return when the ticket was opened or closed: a link tells its state now and since when, so look often."""
    links = [link for link in incident.get("ticket_links") or () if link["state"] in ("open", "closed")]
    links = [link for link in links if system in ("", link["system"])]
    if not links:
        return {}
    at: float = links[0]["updated_at"]
    return {"ticket opened": at} | ({"ticket closed": at} if links[0]["state"] == "closed" else {})


def delivered(log: Sequence[Mapping[str, str]], incidents: int) -> str:
    """Return what is wrong with the operations that a ticket system took, empty if each came once and in order."""
    keys = [line["key"] for line in log]
    if len(set(keys)) < len(keys):
        return "an operation was delivered twice"
    by_ticket: dict[str, list[str]] = {}
    for line in log:
        by_ticket.setdefault(line["ticket"], []).append(line["op"])
    if len(by_ticket) != incidents:
        return f"{len(by_ticket)} tickets for {incidents} incidents"
    for ops in by_ticket.values():
        if ops[0] != "create" or ops[-1] != "close" or ops.count("create") + ops.count("close") != 2:  # noqa: PLR2004 - one each
            return f"not in order: {', '.join(ops)}"
    return ""
