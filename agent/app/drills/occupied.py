"""Whether people or windows forbid a drill now: nobody practises while something real goes on, or when nothing may."""

from collections.abc import Iterable, Mapping
from typing import Any

from agent.engine.situations import Situations
from agent.incidents.incident import ACTIVE
from agent.store.reader import Reader

_HIGHEST = "P1"
_MOST = 1000


def objection(situations: Situations, reader: Reader, now: float) -> str:
    """Return why no drill may be held now, empty if one may."""
    if why := situations.muting.maintained(now):
        return why
    if frozen := situations.muting.frozen(now):
        return f"freeze window {frozen[0]} is open"
    if why := situations.stopped():
        return f"automatic actions are stopped: {why}"
    return _serious(reader.incidents(tuple(sorted(ACTIVE)), _MOST))


def _serious(incidents: Iterable[Mapping[str, Any]]) -> str:
    """Say which incident is more important than practice."""
    for each in incidents:
        if (each["major"] or each["priority"] == _HIGHEST) and not (each["drill"] or each["suppressed"]):
            rank = "major" if each["major"] else _HIGHEST
            return f"incident {each['id']} ({rank}, {each['alertname']}) is not over"
    return ""
