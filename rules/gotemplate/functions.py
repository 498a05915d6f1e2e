"""The functions templates may call: Go's own and Prometheus'. Those that need the moment are in `evaluate.py`."""

import ipaddress
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from urllib.parse import quote_plus

import re2

from rules.duration import parse_duration
from rules.gotemplate.humanize import (
    as_number,
    humanize,
    humanize_1024,
    humanize_duration,
    humanize_percentage,
    humanize_timestamp,
)
from rules.gotemplate.lexer import TemplateError
from rules.gotemplate.printf import printf, show

Sampled = dict[str, object]
"""A query result: {"Labels": {…}, "Value": …}."""

_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;", "\0": "\ufffd"})
_JAVASCRIPT = str.maketrans(
    {"\\": "\\\\", "'": "\\'", '"': '\\"'} | {char: f"\\u{ord(char):04X}" for char in "<>&=\n\r\t\0"}
)
_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|(?P<bare>\w+)|\{(?P<braced>\w+)\})")


def truth(value: object) -> bool:
    """Return whether the template language takes the value for true: not zero, not empty."""
    return bool(value)


def _print(*values: object) -> str:
    """Join as Go's Print does: a space between two neighbours neither of which is a string."""
    parts: list[str] = []
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            parts.append(" ")
        parts.append(show(value))
    return "".join(parts)


def _println(*values: object) -> str:
    return " ".join(map(show, values)) + "\n"


def _index(value: object, *keys: object) -> object:
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key, "")
        elif isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
            value = value[key]
        else:
            raise TemplateError(f"index out of range: {show(key)}")
    return value


def _slice(value: str | list[object], *bounds: int) -> object:
    start, end = (*bounds, *(0, len(value))[len(bounds) :])[:2]
    if not 0 <= start <= end <= len(value):
        raise TemplateError(f"slice out of range: {start}:{end}")
    return value[start:end]


def _comparable(left: object, right: object) -> None:
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if not numbers and type(left) is not type(right):
        raise TemplateError("incompatible types for comparison")


def _equal(left: object, *others: object) -> bool:
    for right in others:
        _comparable(left, right)
    return any(left == right for right in others)


def _ordered(compare: Callable[[object, object], bool]) -> Callable[[object, object], bool]:
    def call(left: object, right: object) -> bool:
        _comparable(left, right)
        return compare(left, right)

    return call


def _arguments(*values: object) -> dict[str, object]:
    return {f"arg{index}": value for index, value in enumerate(values)}


def _replace_all(pattern: str, replacement: str, text: str) -> str:
    def expanded(match: re.Match[str]) -> str:
        return _REFERENCE.sub(lambda reference: _group(match, reference), replacement)

    return str(_compiled(pattern).sub(expanded, text))


def _group(match: re.Match[str], reference: re.Match[str]) -> str:
    if reference["dollar"]:
        return "$"
    name = reference["bare"] or reference["braced"]
    try:
        return match[int(name) if name.isdigit() else name] or ""
    except (LookupError, ValueError):  # no such group; what Python takes for a digit may be no number
        return ""


def _matches(pattern: str, text: str) -> bool:
    return _compiled(pattern).search(text) is not None


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    options = re2.Options()
    options.log_errors = False
    try:
        compiled: re.Pattern[str] = re2.compile(pattern, options)  # it has the same methods
    except re2.error as error:
        raise TemplateError(f"bad pattern {pattern!r}") from error
    return compiled


def _title(text: str) -> str:
    return re.sub(r"(?<![\w'])[^\W\d_]", lambda match: match.group().upper(), text)


def _first(results: Sequence[Sampled]) -> Sampled:
    if not results:
        raise TemplateError("first() called on vector with no elements")
    return results[0]


def _label(name: str, result: Sampled) -> object:
    labels = result["Labels"]
    return labels.get(name, "") if isinstance(labels, dict) else ""


def _sorted(label: str, results: Sequence[Sampled]) -> list[Sampled]:
    return sorted(results, key=lambda result: str(_label(label, result)))


def _strip_port(host: str) -> str:
    return _split_port(host)[0]


def _split_port(host: str) -> tuple[str, str]:
    match = re.fullmatch(r"\[(?P<six>[^\[\]]*)\]:(?P<p6>\d*)|(?P<host>[^:\[\]]*):(?P<port>\d*)", host)
    if match is None:
        return host, ""
    return (match["six"], match["p6"]) if match["six"] is not None else (match["host"], match["port"])


def _strip_domain(host: str) -> str:
    name, port = _split_port(host)
    try:
        ipaddress.ip_address(name)
    except ValueError:
        short = name.split(".")[0]
        return f"{short}:{port}" if port else short
    return host


def _link(expression: str, tab: int) -> str:
    return f"/graph?g0.expr={quote_plus(expression)}&g0.tab={tab}"


FUNCTIONS: dict[str, Callable[..., object]] = {
    "and": lambda *values: next((value for value in values if not truth(value)), values[-1]),
    "or": lambda *values: next((value for value in values if truth(value)), values[-1]),
    "not": lambda value: not truth(value),
    "len": len,
    "index": _index,
    "slice": _slice,
    "print": _print,
    "printf": lambda pattern, *values: printf(pattern, values),
    "println": _println,
    "html": lambda *values: _print(*values).translate(_MARKUP),
    "js": lambda *values: _print(*values).translate(_JAVASCRIPT),
    "urlquery": lambda *values: quote_plus(_print(*values)),
    "eq": _equal,
    "ne": lambda left, right: not _equal(left, right),
    "lt": _ordered(lambda left, right: left < right),  # type: ignore[operator]
    "le": _ordered(lambda left, right: left <= right),  # type: ignore[operator]
    "gt": _ordered(lambda left, right: left > right),  # type: ignore[operator]
    "ge": _ordered(lambda left, right: left >= right),  # type: ignore[operator]
    "first": _first,
    "label": _label,
    "value": lambda result: result["Value"],
    "strvalue": lambda result: _label("__value__", result),
    "args": _arguments,
    "reReplaceAll": _replace_all,
    "match": _matches,
    "safeHtml": str,
    "title": _title,
    "toUpper": str.upper,
    "toLower": str.lower,
    "graphLink": lambda expression: _link(expression, 0),
    "tableLink": lambda expression: _link(expression, 1),
    "sortByLabel": _sorted,
    "stripPort": _strip_port,
    "stripDomain": _strip_domain,
    "humanize": humanize,
    "humanize1024": humanize_1024,
    "humanizeDuration": humanize_duration,
    "humanizePercentage": humanize_percentage,
    "humanizeTimestamp": humanize_timestamp,
    "toTime": humanize_timestamp,
    "toDuration": lambda value: humanize_duration(as_number(value)),
    "parseDuration": parse_duration,
    "urlQueryEscape": quote_plus,
    # These need the moment; `evaluate.py` answers them.
    "query": len,
    "now": len,
    "externalURL": len,
    "pathPrefix": len,
}
