"""Key figures as metrics: counted when an incident is over for good, so that each counts once and drills never do."""

from collections.abc import Mapping

from agent.incidents.incident import Incident, Resolution
from agent.itsm import figures
from agent.itsm.catalogue import Worth
from agent.telemetry import metrics


def ended(incident: Incident, worth: Mapping[str, Worth]) -> None:
    """Count an incident that nothing can re-open any more. Its detail is in the report; these only grow."""
    if incident.resolved_at is None or not figures.counts(incident):
        return
    service = incident.service
    # What other programs post is counted together: nobody knows how many names they have.
    rule = "posted" if incident.rule.startswith("posted;") else incident.alertname
    metrics.INCIDENTS_ENDED.labels(rule, _result(incident)).inc()
    for phase, seconds in figures.phases(incident).items():
        metrics.INCIDENT_SECONDS.labels(service, phase).inc(seconds)
    down = sum((span.end or span.start) - span.start for span in incident.spans if span.down)
    metrics.INCIDENT_DOWN.labels(service).inc(down)
    responses = [at for at in (*(each.started_at for each in incident.attempts), incident.taken_at) if at is not None]
    if responses:
        metrics.INCIDENTS_RESPONDED.labels(service).inc()
        metrics.INCIDENT_RESPONSES.labels(service).inc(max(0.0, min(responses) - incident.opened_at))
    if incident.reopened:
        metrics.INCIDENTS_RECURRED.labels(service).inc()
    for clock in incident.clocks:
        kept = bool(clock.met) and clock.breached_at is None
        metrics.PROMISES_ENDED.labels(service, clock.kind, "kept" if kept else "broken").inc()
    metrics.LABOUR_SAVED.inc(figures.labour(incident.attempts, worth))
    metrics.OUTAGE_AVOIDED.inc(figures.avoided(incident, worth))


def _result(incident: Incident) -> str:
    if figures.is_false(incident):
        return "false"
    if figures.at_once(incident):
        return "fixed_first_time"
    return str(incident.resolution or Resolution.RULE_REMOVED)
