"""Won't fix: a person's word that nothing is to be done about an incident. It is honoured while the alert lasts."""

from dataclasses import replace

from agent.incidents.advance import Context, resolve
from agent.incidents.decision import Decision, Reason
from agent.incidents.events import Declined
from agent.incidents.incident import ACTIVE, Incident, Resolution, State


def declined(incident: Incident, event: Declined, context: Context) -> Decision:
    """End the incident without a repair; its alert starts nothing more until it has ended."""
    if incident.state not in ACTIVE:
        return Decision(incident=incident, reason=Reason.UNCHANGED)
    decision = resolve(incident, Resolution.WONT_FIX, Reason.DECLINED, context)
    said = f"declined by {event.actor}" + (f": {event.comment}" if event.comment else "")
    until = max(context.now, event.until or 0.0)
    over = replace(decision.incident, declined_until=until, wake_at=None)
    if over.alert_state == "resolved":
        over = calmed(over, context)
    return replace(decision, incident=over, actor=event.actor, detail=said)


def is_declined(incident: Incident) -> bool:
    return incident.state is State.RESOLVED and incident.resolution is Resolution.WONT_FIX


def calmed(incident: Incident, context: Context) -> Incident:
    """The alert has ended: what comes back within the window is still the same thing that nobody will fix."""
    until = max(incident.declined_until or 0.0, context.now + context.policy.window_of(incident))
    return replace(incident, alert_state="resolved", declined_until=until, wake_at=until)
