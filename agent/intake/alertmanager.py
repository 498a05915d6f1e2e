"""Alerts as Alertmanager's v2 API takes them: what Prometheus, Grafana and amtool post."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

import msgspec

from agent.incidents.posted import Glance, Post, identity_of, rest_of, seconds_of
from agent.intake.decoding import IntakeError, decode

MAX_NAME = 256
MAX_VALUE = 16 * 1024
MAX_LABELS = 64

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
_Value = Annotated[str, msgspec.Meta(max_length=MAX_VALUE)]
_Pairs = Annotated[dict[_Name, _Value], msgspec.Meta(max_length=MAX_LABELS)]
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _Checked(msgspec.Struct):
    """One alert of the request, with every limit that the decoder can check. Other keys are as good as not there."""

    labels: _Pairs
    annotations: _Pairs = {}
    startsAt: _Instant | None = None  # noqa: N815 - the API's spelling
    endsAt: _Instant | None = None  # noqa: N815 - the API's spelling
    generatorURL: _Value = ""  # noqa: N815 - the API's spelling


class _Plain(Glance, forbid_unknown_fields=True):
    """An alert with nothing else beside it, which could be nested however deep."""


_plain = msgspec.json.Decoder(list[_Plain])
_pairs = msgspec.json.Decoder(_Pairs)
_text = msgspec.json.Decoder(_Value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What a request held: the alerts that are good, and what is wrong with the others."""

    alerts: tuple[Post, ...]
    errors: tuple[str, ...]


def glances(body: bytes) -> Sequence[Glance]:
    """Return the alerts of a request at a glance, unchecked; none if it makes no sense or says more than that."""
    try:
        return _plain.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return ()


def parse(body: bytes, seen: Sequence[Glance] = ()) -> Posted:
    """Return the alerts of a `POST /api/v2/alerts`. Raise IntakeError when the body as a whole makes no sense.

    `seen` may be what `glances` made of it. A good alert has labels that are not empty, and times that are RFC 3339
    with a zone.
    """
    try:
        return Posted(alerts=tuple([_post(glance) for glance in seen or decode(body, list[Glance])]), errors=())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, IntakeError):
        return _one_by_one(body)


def _one_by_one(body: bytes) -> Posted:
    """Take each alert by itself, so that the neighbours of a wrong one do not suffer, and can be told what is wrong."""
    alerts: list[Post] = []
    errors: list[str] = []
    for index, raw in enumerate(decode(body, list[msgspec.Raw])):
        try:
            decode(bytes(raw), _Checked)
            alerts.append(_post(msgspec.json.decode(raw, type=Glance)))
        except IntakeError as error:
            errors.append(f"alert {index}: {error}")
    return Posted(alerts=tuple(alerts), errors=tuple(errors))


def gathered(documents: Iterable[object]) -> Posted:
    """Return what is good of alerts that were made out of something else, in the shape that `parse` returns."""
    return parse(msgspec.json.encode(list(documents)))


def instant_text(instant: float) -> str:
    """Return a wall second as alerts write it."""
    return datetime.fromtimestamp(instant, UTC).isoformat()


def instant_of(text: object) -> float | None:
    """Return the wall second that a text means; None for nothing. Raise IntakeError for what is no RFC 3339."""
    try:
        return _seconds(msgspec.Raw(msgspec.json.encode(text)))
    except msgspec.ValidationError as error:
        raise IntakeError(f"no time: {error}") from error


def _post(glance: Glance) -> Post:
    """Return the alert, checked. Raise IntakeError, or what the decoder raises."""
    labels = _pairs.decode(glance.labels)
    names = tuple(_pairs.decode(glance.annotations))
    _text.decode(glance.url)
    if "" in labels.values():
        labels = {name: value for name, value in labels.items() if value}
    if not labels:
        raise IntakeError("it has no labels")
    if not (_printable(tuple(labels)) and _printable(names)):
        raise IntakeError("the name of a label or annotation is not printable")
    started_at, ends_at = _seconds(glance.starts_at), _seconds(glance.ends_at)
    if started_at is not None and ends_at is not None and ends_at < started_at:
        raise IntakeError("it ends before it starts")
    return Post(
        identity=identity_of(labels),
        spelling=bytes(glance.labels),
        rest=rest_of(glance),
        started_at=started_at,
        ends_at=ends_at,
    )


@lru_cache(maxsize=256)
def _printable(names: tuple[str, ...]) -> bool:
    return "".join(names).isprintable()


def _seconds(raw: msgspec.Raw) -> float | None:
    try:
        return seconds_of(bytes(raw))
    except OverflowError as error:
        raise IntakeError(f"{bytes(raw)[:64].decode(errors='replace')} is no time of this calendar") from error
