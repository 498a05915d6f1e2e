"""When an incident lasted, and when its service was down for it: what availability is computed from. Pure."""

from dataclasses import replace

from agent.incidents.decision import Decision
from agent.incidents.incident import ACTIVE, Incident, Span
from agent.itsm.priority import FAILING

LONGEST_SECONDS = 400 * 86400.0


def traced(before: Incident | None, decision: Decision, now: float) -> Decision:
    """Return the decision with its incident's spans as they are now."""
    after = decision.incident
    last = after.spans[-1] if after.spans and after.spans[-1].end is None else None
    if after.state not in ACTIVE:
        return _with(decision, _ended(after.spans, now)) if last is not None else decision
    planned = is_planned(after, last)
    down = after.severity in FAILING and not planned
    if last is not None and (last.down, last.planned) == (down, planned):
        return decision
    again = before is not None and before.state in ACTIVE
    start = now if again else _began(after, now)
    return _with(decision, (*_ended(after.spans, now), Span(start=start, down=down, planned=planned)))


def since(incident: Incident, now: float) -> float:
    """Return since when it has lasted without a break; `now` where it is over, or has only just begun."""
    if incident.state not in ACTIVE or not incident.spans:
        return now
    began = incident.spans[-1].start
    for span in reversed(incident.spans[:-1]):
        if span.end is None or span.end < began:
            break
        began = min(began, span.start)
    return began


def is_planned(incident: Incident, last: Span | None) -> bool:
    """Tell whether somebody planned this, so that it counts against nobody.

    Maintenance always is; a silence only if it was there first: what is planned is planned ahead.
    """
    if incident.suppressed.startswith("maintenance: "):
        return True
    silenced = any(each.startswith("silence ") for each in incident.suppressed.split("; "))
    return silenced and (last is None or last.planned)


def _began(incident: Incident, now: float) -> float:
    """Return when the condition began to hold, which is before it became an incident, and after the last time.

    What other programs post may claim to have begun at any time: longer ago than anything on record, it tells nothing.
    """
    earliest = incident.spans[-1].end if incident.spans else None
    began = min(incident.active_at or now, now)
    return max(began if now - began <= LONGEST_SECONDS else now, earliest or 0.0)


def _ended(spans: tuple[Span, ...], now: float) -> tuple[Span, ...]:
    if not spans or spans[-1].end is not None:
        return spans
    return (*spans[:-1], replace(spans[-1], end=max(now, spans[-1].start)))


def _with(decision: Decision, spans: tuple[Span, ...]) -> Decision:
    return replace(decision, incident=replace(decision.incident, spans=spans))
