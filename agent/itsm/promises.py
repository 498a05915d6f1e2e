"""The promises about an incident: clocks that start, pause and end with what happens to it. Pure."""

from dataclasses import replace

from agent.incidents.incident import ACTIVE, Incident, State
from agent.itsm import clocks
from agent.itsm.calendars import Calendar
from agent.itsm.catalogue import Catalogue, Target
from agent.itsm.clocks import Call, Clock, Kind

Said = tuple[Kind, Call]


def kept(
    before: Incident | None, after: Incident, catalogue: Catalogue, now: float
) -> tuple[Incident, tuple[Said, ...]]:
    """Return the incident with its clocks as they are now, and what they have to say that they have not said before.

    Drills have none, nor do incidents that are a row of another one.
    """
    service = catalogue.get(after.service)
    target = service.targets.get(after.priority)
    if after.drill or after.parent or after.covered_by or (target is None and not after.clocks):
        return after, ()
    calendar = service.calendar
    running = (*after.clocks, *(_started(target, after, calendar) if target and after.state in ACTIVE else ()))
    said: list[Said] = []
    moved: list[Clock] = []
    for clock in running:
        as_of = _asked(clock, after, now)
        told, calls = clocks.call(_retargeted(clock, before, after, target), calendar, as_of)
        said += [(clock.kind, call) for call in calls]
        moved.append(_moved(told, before, after, calendar, as_of))
    times = [at for clock in moved if (at := clocks.next_at(clock, calendar)) is not None]
    return replace(after, clocks=tuple(moved), clock_at=min(times, default=None)), tuple(said)


def _started(target: Target, incident: Incident, calendar: Calendar) -> tuple[Clock, ...]:
    """Return the clocks it has not got: at first all of them, later those that only another priority promises."""
    promised = {Kind.RESPOND: target.respond, Kind.RESOLVE: target.resolve}
    known = {clock.kind for clock in incident.clocks}
    return tuple(
        clocks.start(kind, seconds, calendar, incident.opened_at)
        for kind, seconds in promised.items()
        if seconds and kind not in known
    )


def _asked(clock: Clock, incident: Incident, now: float) -> float:
    """Return as of when a clock is asked: one that was started late may be about a response of long ago."""
    return min((*_responses(incident), now)) if clock.kind is Kind.RESPOND else now


def _responses(incident: Incident) -> tuple[float, ...]:
    taken = () if incident.taken_at is None else (incident.taken_at,)
    return (*taken, *(attempt.started_at for attempt in incident.attempts))


def _retargeted(clock: Clock, before: Incident | None, after: Incident, target: Target | None) -> Clock:
    """Another priority means another target; what was spent stays spent."""
    if before is None or before.priority == after.priority or target is None or clock.met is not None:
        return clock
    seconds = target.respond if clock.kind is Kind.RESPOND else target.resolve
    return replace(clock, target=seconds) if seconds else clock


def _moved(clock: Clock, before: Incident | None, after: Incident, calendar: Calendar, now: float) -> Clock:
    if after.state not in ACTIVE:
        return clocks.stop(clock, calendar, now)
    if clock.kind is Kind.RESPOND:
        if _responses(after):
            return clocks.stop(clock, calendar, now)
    elif before is not None and before.state not in ACTIVE:
        clock = clocks.reopen(clock, now)
    waiting = after.state is State.AWAITING_APPROVAL or after.suppressed
    return clocks.pause(clock, calendar, now) if waiting else clocks.resume(clock, now)
