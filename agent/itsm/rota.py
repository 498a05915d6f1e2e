"""On-call rotas: who is on call at an instant, who comes next, and hours that nobody or more than one person has.

Times of a rota are local times of its zone. A hand-over at a time that a change of the clock leaves out comes with that
change; one at a time that comes twice, when it comes first. Instants are wall seconds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum

from agent.incidents.windows import Window, instant

_WEEK = timedelta(days=7)
_DAY = timedelta(days=1)
_CHANGES = 400
"""So many changes are looked at for the next hand-over: who is on call for longer than that is so for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """People who take turns of so many days, from `start` until `end`, in all hours or in those of a window."""

    members: tuple[str, ...]
    start: datetime
    days: int = 7
    hours: Window | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Somebody who stands in, whatever the layers say; instants."""

    person: str
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rota:
    """Layers share the hours; `faults` names those that none of them has, or two. Of two, the first is on call."""

    name: str
    team: str
    zone: tzinfo
    layers: tuple[Layer, ...]
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """The next change of who is on call. Nobody: an empty name."""

    at: float
    person: str


class FaultKind(StrEnum):
    """What is wrong with some hours of a rota."""

    GAP = "gap"
    OVERLAP = "overlap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Hours, in local time, that no layer has, or that two layers (by their numbers) have."""

    kind: FaultKind
    start: datetime
    end: datetime
    layers: tuple[int, ...] = ()


def on_call(rota: Rota, now: float) -> str:
    """Return who is on call; empty: nobody is."""
    for each in rota.overrides:
        if each.start <= now < each.end:
            return each.person
    return next((person for layer in rota.layers if (person := _turn(layer, rota.zone, now))), "")


def next_change(rota: Rota, now: float) -> float | None:
    """Return when another person may be on call; None: never."""
    edges = [edge for layer in rota.layers for edge in (layer.start, layer.end) if edge is not None]
    times = [edge for each in rota.overrides for edge in (each.start, each.end)]
    times += [instant(edge, rota.zone) for edge in edges]
    for layer in rota.layers:
        if layer.hours is not None:
            times.append(layer.hours.next_change(now))
        if len(layer.members) > 1 and now >= instant(layer.start, rota.zone):
            turn = _turns(layer, rota.zone, now) + 1
            times.append(instant(layer.start + turn * layer.days * _DAY, rota.zone))
    return min((at for at in times if at > now), default=None)


def hand_over(rota: Rota, now: float) -> HandOver | None:
    """Return the next hand-over; None: as far as can be seen there is none."""
    person = on_call(rota, now)
    for _ in range(_CHANGES):
        at = next_change(rota, now)
        if at is None:
            return None
        if (other := on_call(rota, at)) != person:
            return HandOver(at=at, person=other)
        now = at
    return None


def _turn(layer: Layer, zone: tzinfo, now: float) -> str:
    if now < instant(layer.start, zone) or (layer.end is not None and now >= instant(layer.end, zone)):
        return ""
    if layer.hours is not None and layer.hours.until(now) is None:
        return ""
    return layer.members[_turns(layer, zone, now) % len(layer.members)]


def _turns(layer: Layer, zone: tzinfo, now: float) -> int:
    """Return how many hand-overs there were. The local time alone does not tell: an hour of it may come twice."""
    length = layer.days * _DAY
    turns = (datetime.fromtimestamp(now, zone).replace(tzinfo=None) - layer.start) // length
    if instant(layer.start + (turns + 1) * length, zone) <= now:
        return turns + 1
    return turns - 1 if instant(layer.start + turns * length, zone) > now else turns


def faults(rota: Rota) -> Iterator[Fault]:
    """Yield the hours that no layer or more than one has: a week's of every time between changes of the layers."""
    edges = sorted({edge for layer in rota.layers for edge in (layer.start, layer.end) if edge is not None})
    for start, following in zip(edges, [*edges[1:], None], strict=True):
        end = start + _WEEK if following is None else min(following, start + _WEEK)
        layers = [
            (number, layer)
            for number, layer in enumerate(rota.layers)
            if layer.start <= start and (layer.end is None or layer.end > start)
        ]
        spans = sorted((*span, number) for number, layer in layers for span in _spans(layer, start, end))
        yield from _swept(spans, start, end)


def _swept(spans: Sequence[tuple[datetime, datetime, int]], start: datetime, end: datetime) -> Iterator[Fault]:
    covered, holder = start, -1
    for first, last, number in spans:
        if first > covered:
            yield Fault(kind=FaultKind.GAP, start=covered, end=first)
        elif first < covered and number != holder:
            pair = (min(holder, number), max(holder, number))
            yield Fault(kind=FaultKind.OVERLAP, start=first, end=min(last, covered), layers=pair)
        if last > covered:
            covered, holder = last, number
    if covered < end:
        yield Fault(kind=FaultKind.GAP, start=covered, end=end)


def _spans(layer: Layer, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the local times in which a layer is on call."""
    if layer.hours is None:
        yield start, end
        return
    midnight = datetime.combine(start.date(), time()) - _DAY
    while midnight < end:
        for first, last in layer.hours.times if midnight.weekday() in layer.hours.days else ():
            begins, ends = midnight + timedelta(minutes=first), midnight + timedelta(minutes=last)
            if max(begins, start) < min(ends, end):
                yield max(begins, start), min(ends, end)
        midnight += _DAY
