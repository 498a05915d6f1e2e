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
    running = after.clocks or (_started(target, after, calendar) if target and after.state in ACTIVE else ())
    said: list[Said] = []
    moved: list[Clock] = []
    for clock in running:
        told, calls = clocks.call(_retargeted(clock, before, after, target), calendar, now)
        said += [(clock.kind, call) for call in calls]
        moved.append(_moved(told, before, after, calendar, now))
    times = [at for clock in moved if (at := clocks.next_at(clock, calendar)) is not None]
    return replace(after, clocks=tuple(moved), clock_at=min(times, default=None)), tuple(said)


def _started(target: Target, incident: Incident, calendar: Calendar) -> tuple[Clock, ...]:
    promised = ((Kind.RESPOND, target.respond), (Kind.RESOLVE, target.resolve))
    return tuple(clocks.start(kind, seconds, calendar, incident.opened_at) for kind, seconds in promised if seconds)


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
        if after.acknowledged_by or after.attempts:
            return clocks.stop(clock, calendar, now)
    elif before is not None and before.state not in ACTIVE:
        clock = clocks.reopen(clock, now)
    waiting = after.state is State.AWAITING_APPROVAL or after.suppressed
    return clocks.pause(clock, calendar, now) if waiting else clocks.resume(clock, now)
