"""Parameters of the query API: of the URL and of a posted form, with Prometheus' notations for times and durations."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import parse_qsl

from starlette.requests import Request

from agent.web.request import body_of
from rules.duration import parse_duration
from rules.promql.lexis import MAX_SECONDS

_MAX_FIELDS = 1000
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ESCAPED = re.compile(r"U__((?:[a-zA-Z0-9]|__|_[0-9a-fA-F]{1,6}_)+)")
_ESCAPE = re.compile(r"__|_([0-9a-fA-F]{1,6})_")
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"", "0", "f", "F", "FALSE", "false", "False"})
ENDS_OF_TIME: Mapping[str, float] = {
    "-292273086-05-16T16:47:06Z": -MAX_SECONDS,
    "292277025-08-18T07:12:54.999999999Z": MAX_SECONDS,
}
"""The first and the last instant, as clients written in Go send them."""


class ParameterError(ValueError):
    """A parameter is missing or wrong; the message says which."""


class Parameters:
    """What a request asks, by name; a parameter may be there several times."""

    def __init__(self, fields: Sequence[tuple[str, str]], path: Mapping[str, str] | None = None) -> None:
        self.path = path or {}
        """What stands in the path, by name."""
        self._fields: dict[str, list[str]] = {}
        for name, value in fields:
            self._fields.setdefault(name, []).append(value)

    def text(self, name: str) -> str:
        """Return the first value, "" if there is none."""
        return self.all(name)[0] if self.all(name) else ""

    def all(self, name: str) -> list[str]:
        return self._fields.get(name, [])

    def instant(self, name: str, default: float | None = None) -> float:
        """Return a time in seconds; without a default it must be given."""
        text = self.text(name)
        if not text and default is not None:
            return default
        found = _instant(text)
        if found is None:
            raise wrong(name, f'cannot parse "{text}" to a valid timestamp')
        return found

    def duration(self, name: str, default: float | None = None) -> float:
        """Return seconds; without a default it must be given."""
        text = self.text(name)
        if not text and default is not None:
            return default
        found = _seconds(text)
        if found is None or abs(found) > MAX_SECONDS:
            raise wrong(name, f'cannot parse "{text}" to a valid duration')
        return found

    def count(self, name: str) -> int:
        """Return a whole number; 0, for no limit, if there is none."""
        text = self.text(name) or "0"
        if re.fullmatch(r"-[0-9]{1,18}", text):
            raise wrong(name, "limit must be non-negative")
        if not re.fullmatch(r"\+?[0-9]{1,18}", text):
            raise wrong(name, f'cannot parse "{text}" as a whole number')
        return int(text)

    def flag(self, name: str) -> bool:
        text = self.text(name)
        if text not in _TRUE | _FALSE:
            raise wrong(name, f'cannot parse "{text}" as a boolean')
        return text in _TRUE


def wrong(name: str, why: str) -> ParameterError:
    return ParameterError(f'invalid parameter "{name}": {why}')


async def parameters_of(request: Request) -> Parameters:
    """Return the parameters of the form, if one was posted, before those of the URL. Raise ParameterError."""
    fields = []
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and media_type == "application/x-www-form-urlencoded":
        fields = _fields(await body_of(request))
    return Parameters(fields + _fields(request.scope["query_string"]), request.path_params)


def _fields(encoded: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except UnicodeError as error:
        raise ParameterError("error parsing form values: not valid UTF-8") from error
    except ValueError as error:
        raise ParameterError(f"error parsing form values: {error}") from error


def label_name(segment: str) -> str:
    """Return the label name that a path segment stands for. Raise ParameterError."""
    if escaped := _ESCAPED.fullmatch(segment):
        try:
            return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else "_", escaped[1])
        except ValueError:
            pass
    if not _LABEL.fullmatch(segment):
        raise ParameterError(f'invalid label name: "{segment}"')
    return segment


def _instant(text: str) -> float | None:
    if text in ENDS_OF_TIME:
        return ENDS_OF_TIME[text]
    if _NUMBER.fullmatch(text):
        seconds = float(text)
        return seconds if abs(seconds) <= MAX_SECONDS else None
    if not _INSTANT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def _seconds(text: str) -> float | None:
    if _NUMBER.fullmatch(text):
        return float(text) if math.isfinite(float(text)) else None
    try:
        return parse_duration(text)
    except ValueError:
        return None
