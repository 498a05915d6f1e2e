"""The notation of series in test scripts: `name{label="value"} 1 2+3x4 _ stale`."""

import re
from collections.abc import Iterator
from itertools import islice, repeat
from typing import NamedTuple

from rules.columns import FOREIGN, STALE, Key
from rules.promql.errors import ExpressionError
from rules.promql.expression import parse
from rules.promql.tree import Text

MAX_VALUES = 1_000_000
"""Of one series: some seconds of work, and as much memory as a machine has to spare."""

_QUOTED = r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`'
_HEAD = re.compile(rf"([^\s{{\"'`]*)\s*(\{{(?!\{{)(?:[^}}\"'`]|{_QUOTED})*\}})?")
_LABEL = re.compile(rf"\s*({_QUOTED}|[\w:.]+)\s*(?:=\s*({_QUOTED}))?\s*(?:,|$)")
_ITEM = re.compile(r"\{\{.*?\}\}(?:[+-]\{\{.*?\}\})?(?:x\d+)?|\S+")
_NUMBER = r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[iI][nN][fF]|[nN][aA][nN])"
_STEPS = re.compile(rf"({_NUMBER})(?:([+-])({_NUMBER}))?(?:x(\d+))?")
_DURATION = re.compile(r"(\d+)(ms|[smhdwy])")
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000}


class NotationError(ValueError):
    """The text is not in the notation; the message says where."""


class SeriesLine(NamedTuple):
    """A series and its values, one per step; None where there is no sample."""

    key: Key
    values: list[float | None]


def duration(text: str) -> int:
    """Return milliseconds for `5m`, `1h30m`, `10s53ms` or plain seconds."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    parts = _DURATION.findall(digits)
    if parts and "".join(number + unit for number, unit in parts) == digits:
        return sign * sum(int(number) * _UNITS[unit] for number, unit in parts)
    try:
        return sign * round(float(digits) * 1000)
    except ValueError as error:
        raise NotationError(f"{text!r} is not a duration") from error


def number(text: str) -> float:
    try:
        return float(int(text, 16)) if "0x" in text.lower() else float(text)
    except ValueError as error:
        raise NotationError(f"{text!r} is not a number") from error


def series_line(line: str) -> SeriesLine:
    """Return what a line of `load` or of an expected result says."""
    head = _HEAD.match(line)
    if head is None or not (head[1] or head[2]):
        raise NotationError(f"{line!r} names no series")
    values = list(islice(_values(line[head.end() :]), MAX_VALUES + 1))
    if len(values) > MAX_VALUES:
        raise NotationError(f"more than {MAX_VALUES} values in one series")
    return SeriesLine(series_key(head[1], head[2] or "{}"), values)


def start_times(line: str) -> Key | None:
    """Return the series whose samples' start timestamps a line gives (`name{…}@st …`), None for any other line."""
    head = _HEAD.match(line)
    if head is None or not line.startswith("@st", head.end()):
        return None
    return series_key(head[1], head[2] or "{}")


def series_key(name: str, braces: str) -> Key:
    labels: dict[str, str] = {}
    position, body = 0, braces.strip()[1:-1].strip()
    while position < len(body):
        found = _LABEL.match(body, position)
        if found is None:
            raise NotationError(f"{braces!r} is not a label set")
        label = unquoted(found[1])
        if found[2] is None:
            name = label
        elif label == "__name__":
            name = unquoted(found[2])
        else:
            labels[label] = unquoted(found[2])
        position = found.end()
    return Key(name, tuple(sorted((label, value) for label, value in labels.items() if value)))


def unquoted(token: str) -> str:
    if token[0] not in "\"'`":
        return token
    try:
        node = parse(token)
    except ExpressionError as error:
        raise NotationError(f"{token} is not a string: {error}") from error
    return node.value if isinstance(node, Text) else token


def _values(text: str) -> Iterator[float | None]:
    for found in _ITEM.finditer(text):
        item = found[0]
        if item.startswith("{{"):
            times = re.search(r"\}\}x(\d+)$", item)
            yield from repeat(FOREIGN, _count(times[1]) + 1 if times else 1)
        elif item == "stale":
            yield STALE
        elif item[0] == "_":
            yield from repeat(None, _count(item[2:]) if item[1:2] == "x" else 1)
        else:
            yield from _steps(item)


def _steps(item: str) -> Iterator[float]:
    """`1x3` is four times 1; `1+2x3` is 1 3 5 7."""
    found = _STEPS.fullmatch(item)
    if found is None:
        raise NotationError(f"{item!r} is not a value")
    value = number(found[1])
    step = number(found[3]) * (-1 if found[2] == "-" else 1) if found[3] else 0.0
    for _ in range(_count(found[4] or "0") + 1):
        yield value
        value += step


def _count(digits: str) -> int:
    """Return how often a value is repeated; beyond the limit it does not matter how often."""
    if not digits.isdecimal():
        raise NotationError(f"{digits!r} is not a number of values")
    return int(digits) if len(digits) <= len(str(MAX_VALUES)) else MAX_VALUES
