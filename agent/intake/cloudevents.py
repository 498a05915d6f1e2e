"""CloudEvents 1.0 over HTTP, in structured, batched and binary mode, as posted alerts.

An event is an alert: `type` is its alertname, `source` and `subject` are labels of these names. `severity` (else
`severitytext`, else warning) is its severity and `time` its start. The same with `status` "resolved" ends it. These may
be extension attributes or members of JSON data. `expirytime` says how long the event holds.
"""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec

from agent.intake.alertmanager import Posted, gathered, instant_of, instant_text
from agent.intake.decoding import IntakeError, decode
from agent.intake.webhook import LEASE_SECONDS, MAX_ALERTS

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
PREFIX = "ce-"
MAX_DATA = 4096
"""No more of an event's data is kept."""

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]


class _Event(msgspec.Struct):
    """What every event must have, and what it may."""

    specversion: str
    id: _Text
    source: _Text
    type: _Text
    subject: str | None = None
    time: str | None = None


def parse(media_type: str, headers: Mapping[str, str], body: bytes, now: float) -> Posted:
    """Return the alerts of a request at wall second `now`; header names in lower case. Raise IntakeError."""
    if media_type == BATCH:
        return _posted(decode(body, list[Any]), now)
    if media_type == STRUCTURED:
        return _posted([decode(body, dict[str, Any])], now)
    if f"{PREFIX}specversion" in headers:
        return _posted([_binary(media_type, headers, body)], now)
    raise IntakeError(f"no CloudEvent: neither {STRUCTURED} nor {BATCH} nor the header {PREFIX}specversion")


def _binary(media_type: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, Any]:
    """Put an event together whose attributes came as headers, percent-encoded, and whose data is the body."""
    event: dict[str, Any] = {
        name.removeprefix(PREFIX): unquote(value) for name, value in headers.items() if name.startswith(PREFIX)
    }
    if body:
        is_json = media_type == "application/json" or media_type.endswith("+json")
        event["data"] = decode(body, Any) if is_json else body.decode(errors="replace")
    return event


def _posted(events: list[Any], now: float) -> Posted:
    if len(events) > MAX_ALERTS:
        raise IntakeError(f"more than {MAX_ALERTS} events at once")
    documents: list[object] = []
    errors: list[str] = []
    for index, event in enumerate(events):
        try:
            documents.append(_document(event, now))
        except (IntakeError, msgspec.ValidationError) as error:
            errors.append(f"event {index}: {error}")
    posted = gathered(documents)
    return Posted(alerts=posted.alerts, errors=(*errors, *posted.errors))


def _document(event: Any, now: float) -> Mapping[str, Any]:  # noqa: ANN401 - somebody else's JSON
    known = msgspec.convert(event, _Event)
    if known.specversion != "1.0":
        raise IntakeError(f"specversion is not 1.0 but {known.specversion[:20]!r}")
    severity = (_said(event, "severity") or _said(event, "severitytext") or "warning").lower()
    labels = {"alertname": known.type, "source": known.source, "severity": severity}
    if known.subject:
        labels["subject"] = known.subject
    starts, ends = instant_of(known.time), _ends(event, now)
    document = {"labels": labels, "annotations": _annotations(event, known), "endsAt": instant_text(ends)}
    if known.time is not None and starts is not None and starts <= ends:
        document["startsAt"] = known.time
    return document


def _ends(event: Mapping[str, Any], now: float) -> float:
    if _said(event, "status").lower() == "resolved":
        return now
    expires = instant_of(event.get("expirytime"))
    return now + LEASE_SECONDS if expires is None else expires


def _annotations(event: Mapping[str, Any], known: _Event) -> Mapping[str, str]:
    summary = _said(event, "summary") or _said(event, "message") or f"{known.type} of {known.subject or known.source}"
    data = event.get("data")
    text = data if isinstance(data, str) else msgspec.json.encode(data).decode() if data is not None else ""
    shown = {"summary": summary[:MAX_DATA], "event_id": known.id, "data": text[:MAX_DATA]}
    return {name: value for name, value in shown.items() if value}


def _said(event: Mapping[str, Any], name: str) -> str:
    """Return what an extension attribute says, or else a member of the data; "" if neither is text."""
    data = event.get("data")
    for place in (event, data if isinstance(data, dict) else {}):
        value = place.get(name)
        if isinstance(value, str) and value:
            return value
    return ""
