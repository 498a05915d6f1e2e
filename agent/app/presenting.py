"""The final payloads of ticket and publish effects, made when the decision is taken."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from agent.engine.delivery import Presenter
from agent.incidents.decision import Reason
from agent.incidents.effects import Effect, Kind, TicketOp
from agent.incidents.incident import Incident
from agent.itsm.articles import Advice
from agent.mqtt.topics import incident_message
from agent.tickets import wording


def presenter(
    *,
    host_name: str,
    topic_prefix: str,
    advice: Callable[[Incident], Advice | None],
    audiences: Mapping[str, str],
    addresses: Mapping[str, str],
) -> Presenter:
    """Return what turns an incident, and what is known about such ones, into a ticket or a message.

    `audiences` tells, by channel, for whom it is; `addresses` where e-mail reaches people, by name.
    """

    def present(effect: Effect, incident: Incident) -> Mapping[str, Any]:
        if effect.target in audiences:
            return _notice(effect, incident)
        if effect.kind is Kind.PUBLISH:
            return incident_message(topic_prefix, host_name, incident).payload()
        draft = {"draft": asdict(wording.draft(incident, host_name, advice(incident)))}
        if effect.payload["op"] == TicketOp.OPEN:
            return draft
        reason = Reason(effect.payload["reason"])
        return {
            **draft,
            "update": asdict(
                wording.update_for(incident, reason, key=effect.key, detail=str(effect.payload.get("detail", "")))
            ),
        }

    def _notice(effect: Effect, incident: Incident) -> Mapping[str, Any]:
        reason, technical = Reason(effect.payload["reason"]), audiences[effect.target] == "technical"
        subject, text = wording.notice(incident, host_name, reason, technical=technical)
        person = str(effect.payload.get("person", ""))
        return {
            "notice": {
                "key": effect.key,
                "subject": subject,
                "text": text,
                "priority": incident.priority,
                "to": addresses.get(person, ""),
                "person": person,
                "audience": audiences[effect.target],
                "incident": incident.id,
                "service": incident.service,
                "state": str(incident.state),
                "reason": str(reason),
            }
        }

    return present
