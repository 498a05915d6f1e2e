"""An incident as its alert, or a person, says it is now: what guards and plans must go by, and what goes on record."""

from dataclasses import replace

from agent.incidents.events import AlertChanged, Event, Released, RetryOrdered
from agent.incidents.incident import Incident
from agent.itsm.catalogue import Catalogue
from rules.alert import Alert, AlertState


def retold(incident: Incident, event: Event, catalogue: Catalogue) -> Incident:
    """Return the incident with what an event says of it: labels, value and origin may be others than before.

    Or nobody has it in hand any more, or somebody wants it tried again: neither must be refused for what was.
    """
    if isinstance(event, Released):
        return given_back(incident)
    if isinstance(event, RetryOrdered):
        return replace(incident, retry=True)
    if not isinstance(event, AlertChanged) or event.change.alert.state is not AlertState.FIRING:
        return incident
    return described(incident, event.change.alert, event.change.at, catalogue)


def given_back(incident: Incident) -> Incident:
    """Return the incident as one that nobody has in hand."""
    return replace(incident, acknowledged_by="", acknowledged_until=None)


def described(incident: Incident, alert: Alert, at: float, catalogue: Catalogue) -> Incident:
    """Take the alert's word for what is not well."""
    return replace(
        incident,
        service=catalogue.of(alert.labels).name,
        labels=alert.labels,
        annotations=alert.annotations,
        severity=alert.label("severity"),
        origin=alert.origin,
        value=alert.value,
        value_at=at,
        active_at=alert.active_at,
        fingerprint=alert.fingerprint,
        rule_version=alert.rule_version,
        alert_state="firing",
        no_data_since=None,
        no_data_escalated=False,
    )
