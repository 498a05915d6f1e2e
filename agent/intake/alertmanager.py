"""Alerts as Alertmanager's v2 API takes them: what Prometheus, Grafana and amtool post."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Required, TypedDict

import msgspec

from agent.intake.decoding import IntakeError, decode

MAX_NAME = 256
MAX_VALUE = 16 * 1024
MAX_LABELS = 64

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
_Value = Annotated[str, msgspec.Meta(max_length=MAX_VALUE)]
_Pairs = Annotated[dict[_Name, _Value], msgspec.Meta(max_length=MAX_LABELS)]
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _Document(TypedDict, total=False):
    """One alert of the request as it is passed on; keys that are not here are dropped, as Alertmanager does."""

    labels: Required[dict[str, str]]
    annotations: dict[str, str]
    startsAt: str | None
    endsAt: str | None
    generatorURL: str


class _Checked(msgspec.Struct):
    """The same alert, with every limit that the decoder can check."""

    labels: _Pairs
    annotations: _Pairs = {}
    startsAt: _Instant | None = None  # noqa: N815 - the API's spelling
    endsAt: _Instant | None = None  # noqa: N815 - the API's spelling
    generatorURL: _Value = ""  # noqa: N815 - the API's spelling


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What a request held: the alerts that are good, normalised, and what is wrong with the others."""

    alerts: tuple[Mapping[str, Any], ...]
    errors: tuple[str, ...]


def parse(body: bytes) -> Posted:
    """Return the alerts of a `POST /api/v2/alerts`. Raise IntakeError when the body as a whole makes no sense.

    A good alert has labels that are not empty, `alertname` among them, and times that are RFC 3339 with a zone.
    """
    alerts: list[Mapping[str, Any]] = []
    errors: list[str] = []
    for index, alert in enumerate(_alerts(body)):
        try:
            checked, document = _alone(alert) if isinstance(alert, msgspec.Raw) else alert
            alerts.append(_good(checked, document))
        except IntakeError as error:
            errors.append(f"alert {index}: {error}")
    return Posted(alerts=tuple(alerts), errors=tuple(errors))


def gathered(documents: Iterable[object]) -> Posted:
    """Return what is good of alerts that were made out of something else, in the shape that `parse` returns."""
    alerts: list[Mapping[str, Any]] = []
    errors: list[str] = []
    for index, document in enumerate(documents):
        try:
            alerts.append(_good(msgspec.convert(document, _Checked), msgspec.convert(document, _Document)))
        except (IntakeError, msgspec.ValidationError) as error:
            errors.append(f"alert {index}: {error}")
    return Posted(alerts=tuple(alerts), errors=tuple(errors))


def instant_text(instant: float) -> str:
    """Return a wall second as alerts write it."""
    return datetime.fromtimestamp(instant, UTC).isoformat()


def instant_of(text: object) -> float | None:
    """Return the wall second that a text means; None for nothing. Raise IntakeError for what is no RFC 3339."""
    try:
        checked = msgspec.convert(text, _Instant | None)
    except msgspec.ValidationError as error:
        raise IntakeError(f"no time: {error}") from error
    return _instant(text) if isinstance(text, str) and checked is not None else None


def _alerts(body: bytes) -> Iterable[tuple[_Checked, _Document] | msgspec.Raw]:
    """Return the alerts; if one is wrong, each as it was written, so that its neighbours do not suffer."""
    try:
        checked = decode(body, list[_Checked])
    except IntakeError:
        return decode(body, list[msgspec.Raw])
    return zip(checked, msgspec.json.decode(body, type=list[_Document]), strict=True)


def _alone(raw: msgspec.Raw) -> tuple[_Checked, _Document]:
    return decode(bytes(raw), _Checked), msgspec.json.decode(raw, type=_Document)


def _good(checked: _Checked, document: _Document) -> Mapping[str, Any]:
    """Return the alert without its empty labels; raise IntakeError for what the decoder could not see."""
    labels = document["labels"]
    if "" in labels.values():
        labels = document["labels"] = {name: value for name, value in labels.items() if value}
    if "alertname" not in labels:
        raise IntakeError("it has no alertname")
    if not "".join((*labels, *checked.annotations)).isprintable():
        raise IntakeError("the name of a label or annotation is not printable")
    starts, ends = _instant(document.get("startsAt")), _instant(document.get("endsAt"))
    if starts is not None and ends is not None and ends < starts:
        raise IntakeError("it ends before it starts")
    return document


def _instant(text: str | None) -> float | None:
    """Return the wall second as those who apply the alert will; None where it was not given (Go: the year 1)."""
    if text is None or text.startswith("0001-"):
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError) as error:
        raise IntakeError(f"{text!r} is no time of this calendar") from error
