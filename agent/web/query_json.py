"""Values of expressions in the shapes that Prometheus answers with."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rules.columns import Key
from rules.promql.formatting import plain_float
from rules.promql.values import Matrix, Scalar, String, Value, Vector

_EXPONENT_BELOW, _EXPONENT_FROM = 1e-6, 1e21
_NEVER = "0001-01-01T00:00:00Z"

Json = Mapping[str, Any]


def number(value: float) -> str:
    """Return a sample's value as text: digits, but an exponent for the very large and the very small."""
    text = repr(value)
    if text.endswith(".0"):
        return text[:-2]
    if "e" in text:
        return plain_float(value) if _EXPONENT_BELOW <= abs(value) < _EXPONENT_FROM else text
    return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}.get(text, text)


def scientific(value: float) -> str:
    """Return an alert's value as text, which always has an exponent: `1e+00`."""
    plain = number(value)
    if plain in {"NaN", "+Inf", "-Inf"}:
        return plain
    digits = plain.partition("e")[0].strip("-").replace(".", "").strip("0")
    return f"{value:.{max(0, len(digits) - 1)}e}"


def seconds(at: float) -> float | int:
    """Return a time rounded to milliseconds, whole where it is."""
    rounded = round(at, 3)
    return int(rounded) if rounded.is_integer() else rounded


def instant(at: float | None) -> str:
    """Return a time as RFC 3339, or Go's zero time for one that never was."""
    if at is None:
        return _NEVER
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S.%f}000Z"


def duration(length: float) -> str:
    """Return seconds as Prometheus writes a duration: `15s`, `1m`, `500ms`."""
    left = round(length * 1000)
    text = ""
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def metric(key: Key) -> dict[str, str]:
    return {"__name__": key.name, **dict(key.labels)} if key.name else dict(key.labels)


def result(value: Value, at: float) -> Json:
    """Return type and result. `at` is the time of an instant query."""
    now = seconds(at)
    match value:
        case Scalar(value=only):
            return {"resultType": "scalar", "result": [now, number(only)]}
        case String(value=text):
            return {"resultType": "string", "result": [now, text]}
        case Matrix(series=rows):
            return {"resultType": "matrix", "result": [_row(*row) for row in rows]}
        case Vector(keys=keys, values=values):
            found = [
                {"metric": metric(key), "value": [now, number(each)]} for key, each in zip(keys, values, strict=True)
            ]
            return {"resultType": "vector", "result": found}


def _row(key: Key, times: list[float], values: list[float]) -> Json:
    points = [[seconds(at), number(value)] for at, value in zip(times, values, strict=True)]
    return {"metric": metric(key), "values": points}


def shortened(value: Value, limit: int) -> tuple[Value, bool]:
    """Return the first `limit` series of a result (0: all), and whether there were more."""
    if not limit or not isinstance(value, Vector | Matrix):
        return value, False
    if isinstance(value, Matrix):
        return Matrix(value.series[:limit]), len(value.series) > limit
    more = len(value.values) > limit
    return value.pick(list(range(limit))) if more else value, more
