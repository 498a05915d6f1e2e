"""Alerts as Alertmanager's v2 API takes them: what Prometheus, Grafana and amtool post."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from agent.intake.decoding import IntakeError, decode

MAX_NAME = 256
MAX_VALUE = 16 * 1024
MAX_LABELS = 64

_Pairs = dict[Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)], str]


class _Postable(msgspec.Struct):
    """One alert of the request; keys that are not here are left alone, as Alertmanager does."""

    labels: _Pairs
    annotations: _Pairs = {}
    startsAt: datetime | None = None  # noqa: N815 - the API's spelling
    endsAt: datetime | None = None  # noqa: N815 - the API's spelling
    generatorURL: str = ""  # noqa: N815 - the API's spelling


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What a request held: the alerts that are good, normalised, and what is wrong with the others."""

    alerts: tuple[Mapping[str, Any], ...]
    errors: tuple[str, ...]


def parse(body: bytes) -> Posted:
    """Return the alerts of a `POST /api/v2/alerts`. Raise IntakeError when the body as a whole makes no sense.

    A good alert is a mapping with `labels` (not empty, `alertname` among them), `annotations`, `generatorURL`, and,
    where they were given, `startsAt` and `endsAt` as RFC 3339 text in UTC.
    """
    alerts: list[Mapping[str, Any]] = []
    errors: list[str] = []
    for index, alert in enumerate(decode(body, list[_Postable])):
        try:
            alerts.append(_normal(alert))
        except IntakeError as error:
            errors.append(f"alert {index}: {error}")
    return Posted(alerts=tuple(alerts), errors=tuple(errors))


def _normal(alert: _Postable) -> dict[str, Any]:
    """Return the alert in one spelling; raise IntakeError saying what is wrong with it."""
    labels = {name: value for name, value in alert.labels.items() if value}
    if not labels.get("alertname"):
        raise IntakeError("it has no alertname")
    _check_size(labels)
    _check_size(alert.annotations)
    starts, ends = _instant(alert.startsAt, "startsAt"), _instant(alert.endsAt, "endsAt")
    if starts and ends and ends < starts:
        raise IntakeError("it ends before it starts")
    times = {"startsAt": starts, "endsAt": ends}
    return {
        "labels": labels,
        "annotations": alert.annotations,
        "generatorURL": alert.generatorURL,
        **{key: f"{value:%Y-%m-%dT%H:%M:%S.%f}Z" for key, value in times.items() if value},
    }


def _check_size(pairs: Mapping[str, str]) -> None:
    if len(pairs) > MAX_LABELS:
        raise IntakeError(f"it has more than {MAX_LABELS} labels or annotations")
    for name, value in pairs.items():
        if not name.isprintable():
            raise IntakeError("the name of a label or annotation is not printable")
        if len(value) > MAX_VALUE:
            raise IntakeError(f"the value of {name} is longer than {MAX_VALUE} characters")


def _instant(value: datetime | None, name: str) -> datetime | None:
    """Return the instant in UTC; None where it was not given (Go says so with the year 1)."""
    if value is None or value.year == 1:
        return None
    if value.tzinfo is None:
        raise IntakeError(f"{name} has no time zone")
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise IntakeError(f"{name} is out of range") from error
