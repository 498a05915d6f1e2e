"""Whether people or windows forbid a drill now: nobody practises while something real goes on, or when nothing may."""

from collections.abc import Iterable

from agent.engine.situations import Situations
from agent.incidents.incident import Incident

_HIGHEST = "P1"


def objection(situations: Situations, active: Iterable[Incident], now: float) -> str:
    """Return why no drill may be held now, empty if one may. `active` are the incidents that are not over."""
    if why := situations.muting.maintained(now):
        return why
    if frozen := situations.muting.frozen(now):
        return f"freeze window {frozen[0]} is open"
    if why := situations.stopped():
        return f"automatic actions are stopped: {why}"
    return next(map(_not_over, filter(_is_serious, active)), "")


def _is_serious(incident: Incident) -> bool:
    """Tell whether an incident is more important than practice."""
    return bool(incident.major or incident.priority == _HIGHEST) and not (incident.drill or incident.suppressed)


def _not_over(incident: Incident) -> str:
    rank = "major" if incident.major else _HIGHEST
    return f"incident {incident.id} ({rank}, {incident.alertname}) is not over"
