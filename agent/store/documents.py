"""Domain objects as JSON documents and back."""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, get_args

import msgspec

from agent.incidents.events import AlertChanged, Event
from agent.incidents.incident import Incident
from agent.incidents.posted import Held
from agent.incidents.replay import Taken
from agent.incidents.silences import Silence
from agent.incidents.situation import Situation
from agent.incidents.windows import Recurrence
from agent.itsm.changes import Change
from agent.itsm.problems import Problem
from remediations.standing import Standing
from rules.alert import Alert, AlertState
from rules.matchers import Matcher, Operator

_encoder = msgspec.json.Encoder()
_incident = msgspec.json.Decoder(Incident)
_alert = msgspec.json.Decoder(Alert)
_problem = msgspec.json.Decoder(Problem)
_change = msgspec.json.Decoder(Change)
_standing = msgspec.json.Decoder(Standing)
_EVENTS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in get_args(Event)}
OPENED = "opened"
"""Stands for the event in the record of a new incident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Silence:
    """A silence, with name, operator and value of its matchers."""

    id: str
    matchers: tuple[tuple[str, Operator, str], ...]
    starts_at: float
    ends_at: float
    created_by: str
    comment: str
    updated_at: float
    recurrence: Recurrence | None


_silence = msgspec.json.Decoder(_Silence)


def encode(document: object) -> str:
    return _encoder.encode(_numbered(document)).decode()


def _numbered(document: Any) -> Any:  # noqa: ANN401 - the same type
    """Return the document with values that JSON can write: it knows neither infinity nor what is no number."""
    match document:
        case Alert() | Incident() if not math.isfinite(document.value):
            number = 0.0 if math.isnan(document.value) else math.copysign(sys.float_info.max, document.value)
            return replace(document, value=number)
        case AlertChanged():
            return replace(document, change=replace(document.change, alert=_numbered(document.change.alert)))
        case Taken():
            return replace(document, before=_numbered(document.before), event=_numbered(document.event))
    return document


def incident(text: str) -> Incident:
    return _incident.decode(text)


def alert(text: str) -> Alert:
    return _alert.decode(text)


def problem(text: str) -> Problem:
    return _problem.decode(text)


def change(text: str) -> Change:
    return _change.decode(text)


def silence_text(silence: Silence) -> str:
    plain = {field.name: getattr(silence, field.name) for field in fields(_Silence)}
    triples = tuple((matcher.name, matcher.operator, matcher.value) for matcher in silence.matchers)
    return encode(_Silence(**plain | {"matchers": triples}))


def silence(text: str) -> Silence:
    """Return the silence. Raise ValueError if it cannot be understood any more."""
    stored = _silence.decode(text)
    plain = {field.name: getattr(stored, field.name) for field in fields(_Silence)}
    matchers = tuple(Matcher(name=name, operator=sign, value=value) for name, sign, value in stored.matchers)
    return Silence(**plain | {"matchers": matchers})


def standing(text: str) -> Standing:
    return _standing.decode(text)


def held(row: tuple[Any, ...], now: float) -> Held:
    """Return a posted alert from its row; nobody knows how much of its lease was over when it was written."""
    number, labels, rest, origin, active_at, fired_at, until, state = row
    return Held(
        row=number,
        identity=labels.encode(),
        spelling=labels.encode(),
        rest=rest.encode(),
        origin=origin,
        active_at=float(active_at),
        fired_at=float(fired_at),
        until=float(until),
        write_at=now + (until - now) / 2,
        seen_at=fired_at,
        state=AlertState(state),
    )


class _Taken(msgspec.Struct):
    before: Incident
    event: msgspec.Raw
    situation: Situation


_taken = msgspec.json.Decoder(_Taken)


def taken(text: str, event: str) -> Taken:
    """Return what a decision was taken on, given the name of its event as it is on record."""
    stored = _taken.decode(text)
    happened = None if event == OPENED else msgspec.json.decode(stored.event, type=_EVENTS[event])
    return Taken(before=stored.before, event=happened, situation=stored.situation)
