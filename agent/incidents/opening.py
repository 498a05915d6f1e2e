"""New incidents: what an alert becomes, and when many become one storm."""

from collections.abc import Sequence
from dataclasses import replace

from agent.incidents.advance import Context, overlaid, proceed
from agent.incidents.decision import Decision, Reason
from agent.incidents.incident import Incident, State
from agent.incidents.major import weighed
from agent.incidents.owed import owed
from agent.incidents.paging import paged
from agent.incidents.policy import Policy
from agent.incidents.promises import promised
from agent.incidents.spans import traced
from rules.alert import Alert, AlertChange, AlertState, Recovery


def described(alert: Alert, policy: Policy, *, incident_id: str, key: str, host: str, now: float) -> Incident:
    """Return the incident that an alert opens, before anything is decided about it."""
    fresh = Incident(
        id=incident_id,
        key=key,
        host=host,
        alertname=alert.name,
        rule=alert.rule,
        rule_version=alert.rule_version,
        labels=alert.labels,
        annotations=alert.annotations,
        severity=alert.label("severity"),
        priority="",
        origin=alert.origin,
        state=State.OPEN,
        opened_at=now,
        updated_at=now,
        value=alert.value,
        value_at=now,
        fingerprint=alert.fingerprint,
        active_at=alert.active_at,
        drill=alert.label("drill") == "true",
    )
    return weighed(fresh, policy, now)


def opened(incident: Incident, context: Context) -> Decision:
    """Decide about a new incident: the first thing that ever happens to it."""
    decision = proceed(overlaid(incident, context.situation), context, otherwise=Reason.OPENED)
    decision = paged(promised(None, decision, context), context)
    return owed(None, traced(None, decision, context.now), context)


def is_storm(opened_at: Sequence[float], now: float, *, incidents: int, within: float) -> bool:
    """Return whether one more incident of this kind makes more than `incidents` within `within` seconds."""
    return sum(1 for at in opened_at if now - at <= within) >= incidents


def storm(first: Incident, *, incident_id: str, key: str) -> Incident:
    """Return the incident that stands for a storm of incidents like this one."""
    return replace(
        first,
        id=incident_id,
        key=key,
        labels=(("alertname", first.alertname), ("severity", first.severity)),
        annotations=(("summary", f"Storm: many {first.alertname} alerts at once"),),
        fingerprint="",
        members=0,
        member_labels=first.labels,
        parent="",
        suppressed="",
        told=None,
    )


def preexisting(found: Sequence[Incident], *, incident_id: str, key: str) -> Incident:
    """Return the incident whose one ticket speaks for the faults that were there at the first start."""
    worst = min(found, key=lambda incident: incident.priority)
    names = sorted({incident.alertname for incident in found})
    return replace(
        worst,
        id=incident_id,
        key=key,
        alertname="PreexistingFaults",
        rule="paramedic;first start",
        labels=(("alertname", "PreexistingFaults"), ("severity", worst.severity)),
        annotations=(
            ("summary", f"{len(found)} faults were there when paramedic was first started: {', '.join(names)}"),
        ),
        state=State.OPEN,
        fingerprint="",
        members=len(found),
        attempts=(),
        work=None,
        preexisting=True,
        refusals=(),
        would_run=(),
        proposal=None,
        suppressed="",
        told=None,
        page=None,
        page_at=None,
        revision=0,
    )


def recovered(parent: Incident, now: float) -> AlertChange:
    """Return the change by which a storm or a summary ends with its last member."""
    calm = Alert(
        fingerprint="",
        rule=parent.rule,
        rule_version=parent.rule_version,
        labels=parent.labels,
        annotations=parent.annotations,
        state=AlertState.RESOLVED,
        value=0.0,
        active_at=parent.active_at,
        resolved_at=now,
        recovery=Recovery.HEALTHY,
    )
    return AlertChange(alert=calm, before=AlertState.FIRING, at=now)
