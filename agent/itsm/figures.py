"""Figures of one incident: whether it counts, how long it took, where the time went, what its end was worth. Pure."""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from agent.incidents.incident import Attempt, Incident, Resolution
from agent.itsm.catalogue import Worth
from agent.itsm.stretches import Stretch, length, overlaps

PHASES = ("detect", "react", "act", "verify")
"""Until it is noticed, until something is done, until the last attempt has ended, until it is known to be over."""
SHORT_SECONDS = 300.0
"""What ends by itself sooner than this, with nothing done about it, is a false fire."""


def counts(incident: Incident) -> bool:
    """Tell whether an incident is one of those that the figures are about."""
    planned = bool(incident.spans) and all(span.planned for span in incident.spans)
    return not (planned or incident.drill or incident.parent or incident.covered_by or incident.preexisting)


def lasted(incident: Incident) -> list[Stretch]:
    """Return when a resolved incident went on: neither while all was well in between, nor in maintenance."""
    ended = incident.resolved_at if incident.resolved_at is not None else incident.opened_at
    return [(each.start, ended if each.end is None else each.end) for each in incident.spans if not each.planned]


def phases(incident: Incident) -> dict[str, float]:
    """Return the seconds that a resolved incident spent in each phase; together they are all of its time."""
    ended = incident.resolved_at if incident.resolved_at is not None else incident.opened_at
    first = min((attempt.started_at for attempt in incident.attempts), default=ended)
    last = max((attempt.ended_at or attempt.started_at for attempt in incident.attempts), default=ended)
    marks = [began(incident)]
    for mark in (incident.opened_at, first, last, ended):
        marks.append(min(max(mark, marks[-1]), ended))
    spans = lasted(incident)
    return dict(zip(PHASES, (length(overlaps(spans, [each])) for each in pairwise(marks)), strict=True))


def is_false(incident: Incident) -> bool:
    """Tell whether an incident ended by itself before it was worth anybody's while.

    One that was kept quiet, because of what its service depends on or by a silence, was no false fire.
    """
    untouched = not (incident.attempts or incident.suppressed)
    by_itself = untouched and incident.resolution in (Resolution.BY_ITSELF, Resolution.SERIES_GONE)
    return by_itself and (incident.resolved_at or 0.0) - incident.opened_at < SHORT_SECONDS


def avoided(incident: Incident, worth: Mapping[str, Worth]) -> float:
    """Return the seconds of outage that were avoided by what mended an incident.

    It is what is declared for the action that helped, less the time it was down; never less than nothing.
    """
    helped = [worth.get(each.action, Worth()) for each in incident.attempts if each.verified]
    if incident.resolution is not Resolution.FIXED or not helped or not any(span.down for span in incident.spans):
        return 0.0
    down = length((each.start, each.end or each.start) for each in incident.spans if each.down)
    return max(0.0, helped[-1].outage - down)


def labour(attempts: Iterable[Attempt], worth: Mapping[str, Worth]) -> float:
    """Return the seconds of people's time that those of these attempts saved that helped."""
    return sum(worth.get(each.action, Worth()).labour for each in attempts if each.verified)


def at_once(incident: Incident) -> bool:
    """Tell whether the first attempt mended it."""
    return incident.resolution is Resolution.FIXED and len(incident.attempts) == 1


def began(incident: Incident) -> float:
    """Return when its condition began to hold."""
    return min(incident.spans[0].start, incident.opened_at) if incident.spans else incident.opened_at
