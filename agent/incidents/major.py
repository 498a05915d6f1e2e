"""Major incidents: declared by a person, a rule or a service's importance, they stand above the priority matrix."""

from dataclasses import replace

from agent.incidents.advance import Context
from agent.incidents.decision import Decision, Reason
from agent.incidents.events import MajorDeclared
from agent.incidents.incident import ACTIVE, Incident
from agent.incidents.policy import Policy

TOP = "P1"


def weighed(incident: Incident, policy: Policy, now: float) -> Incident:
    """Return the incident with its priority and, if it is a major one, with why. What a person declared stays."""
    service = policy.catalogue.of(incident.labels)
    major = incident.major or policy.priorities.major(service, incident.labels, incident.severity)
    priority = TOP if major else policy.priorities.of(service, incident.severity, now)
    return replace(incident, service=service.name, priority=priority, major=major)


def declared(incident: Incident, event: MajorDeclared, context: Context) -> Decision:
    """Take a person's word for it, either way."""
    if incident.state not in ACTIVE or bool(incident.major) is event.major:
        return Decision(incident=incident, reason=Reason.UNCHANGED)
    said = f"declared by {event.actor}" + (f": {event.comment}" if event.comment else "")
    if event.major:
        above = replace(incident, major=said, priority=TOP)
        return Decision(incident=above, reason=Reason.MAJOR_DECLARED, actor=event.actor, detail=said)
    service = context.policy.catalogue.get(incident.service)
    priority = context.policy.priorities.of(service, incident.severity, context.now)
    below = replace(incident, major="", priority=priority)
    return Decision(incident=below, reason=Reason.MAJOR_WITHDRAWN, actor=event.actor, detail=said)
