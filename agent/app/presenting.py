"""The final payloads of ticket and publish effects, made when the decision is taken."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from agent.engine.delivery import Presenter
from agent.incidents.decision import Reason
from agent.incidents.effects import Effect, Kind, TicketOp
from agent.incidents.incident import Incident
from agent.itsm.articles import Advice
from agent.mqtt.topics import incident_message
from agent.telemetry import log
from agent.tickets import wording
from agent.tickets.contract import Draft, Update
from agent.tickets.plaintext import one_line
from rules.annotations import TemplateError

_log = log.get("tickets")
_SAID_LENGTH = 400


class _Drafts:
    """Words tickets by the templates of their systems; where one fails, with the built-in text, which says so."""

    def __init__(self, host_name: str, templates: Mapping[str, Path]) -> None:
        self._host_name = host_name
        self._templates = templates
        self._failing: set[str] = set()

    def of(self, system: str, incident: Incident, found: Advice | None) -> Draft:
        made = wording.draft(incident, self._host_name, found)
        if system not in self._templates:
            return made
        from agent.tickets.templates import body  # noqa: PLC0415 - loaded only where there are templates

        try:
            text = body(self._templates[system], incident, wording.parts(incident, self._host_name, found))
        except TemplateError as error:
            self._tell(system, str(error))
            said = one_line(f"The template of this text fails, so this is the built-in one: {error}", _SAID_LENGTH)
            return replace(made, body=f"{said}\n\n{made.body}")
        self._failing.discard(system)
        return replace(made, body=text)

    def _tell(self, system: str, reason: str) -> None:
        if system not in self._failing:
            _log.warning("a ticket's template fails: the built-in text is used", system=system, reason=reason)
        self._failing.add(system)


def presenter(
    *,
    host_name: str,
    topic_prefix: str,
    advice: Callable[[Incident], Advice | None],
    audiences: Mapping[str, str],
    addresses: Mapping[str, str],
    templates: Mapping[str, Path] = MappingProxyType({}),
) -> Presenter:
    """Return what turns an incident, and what is known about such ones, into a ticket or a message.

    `audiences` tells, by channel, for whom it is; `addresses` where e-mail reaches people, by name;
    `templates` how tickets are worded, by ticket system.
    """
    drafts = _Drafts(host_name, templates)

    def present(effect: Effect, incident: Incident) -> Mapping[str, Any]:
        if effect.target in audiences:
            return {"notice": _notice(effect, incident, host_name, audiences[effect.target], addresses)}
        if effect.kind is Kind.PUBLISH:
            return incident_message(topic_prefix, host_name, incident).payload()
        draft = {"draft": asdict(drafts.of(effect.target, incident, advice(incident)))}
        if effect.payload["op"] == TicketOp.OPEN:
            return draft
        return {**draft, "update": asdict(_update(effect, incident))}

    return present


def _notice(
    effect: Effect, incident: Incident, host_name: str, audience: str, addresses: Mapping[str, str]
) -> Mapping[str, str]:
    reason = Reason(effect.payload["reason"])
    subject, text = wording.notice(incident, host_name, reason, technical=audience == "technical")
    person = str(effect.payload.get("person", ""))
    return {
        "key": effect.key,
        "subject": subject,
        "text": text,
        "priority": incident.priority,
        "to": addresses.get(person, ""),
        "person": person,
        "audience": audience,
        "incident": incident.id,
        "service": incident.service,
        "state": str(incident.state),
        "reason": str(reason),
    }


def _update(effect: Effect, incident: Incident) -> Update:
    said = effect.payload
    return wording.update_for(incident, Reason(said["reason"]), key=effect.key, detail=str(said.get("detail", "")))
