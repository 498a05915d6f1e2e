"""Label matchers as Prometheus and Alertmanager write them: `name="x"`, `!=`, `=~`, `!~`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

import re2

from collectors.sample import Labels

Regex = Any
"""A compiled RE2 pattern; the library has no type information."""

REGEX_BYTES = 2 * 1024 * 1024
"""What one pattern may take, compiled and at work; one that needs more is refused, or matched more slowly."""

CACHED_VALUES = 4096
"""Verdicts a regular expression remembers: an RE2 call costs twenty dictionary look-ups."""

_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


class MatcherError(ValueError):
    """The text is not a label matcher; the message says why."""


class Operator(StrEnum):
    """How a matcher compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    NOT_MATCHES = "!~"


@lru_cache(maxsize=64)
def compile_regex(pattern: str) -> Regex:
    """Return the RE2 pattern (dot matches newline, as in Prometheus). Raise MatcherError when it is not valid RE2."""
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    options.max_mem = REGEX_BYTES
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        raise MatcherError(f"bad regular expression {pattern!r}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    text = error.args[0] if error.args else ""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def _regex_test(pattern: str) -> Callable[[str], bool]:
    """Return a whole-value test that remembers its verdicts."""
    fullmatch = compile_regex(pattern).fullmatch
    known: dict[str, bool] = {}

    def test(value: str) -> bool:
        verdict = known.get(value)
        if verdict is None:
            if len(known) >= CACHED_VALUES:
                known.clear()
            # Lone surrogates (undecodable bytes from a file) cannot be encoded for RE2.
            text = value.encode("utf-8", "replace").decode()
            verdict = known[value] = fullmatch(text) is not None
        return verdict

    return test


def _test(operator: Operator, value: str) -> Callable[[str], bool]:
    if operator is Operator.EQUAL:
        return lambda text: text == value
    if operator is Operator.NOT_EQUAL:
        return lambda text: text != value
    regex = _regex_test(value)
    return regex if operator is Operator.MATCHES else lambda text: not regex(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One condition on one label; a missing label reads as the empty string."""

    name: str
    operator: Operator
    value: str
    accepts: Callable[[str], bool] = field(init=False, repr=False, compare=False)
    """Whether a label value satisfies the condition."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "accepts", _test(self.operator, self.value))

    def matches(self, labels: Labels | Mapping[str, str]) -> bool:
        """Return whether the label set satisfies the condition."""
        pairs = labels if isinstance(labels, Mapping) else dict(labels)
        return self.accepts(pairs.get(self.name, ""))

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{_quote(self.value)}"


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def parse(text: str) -> Matcher:
    """Return the matcher that `text` spells: a name, an operator and a value, quoted or bare.

    Raise MatcherError saying what is wrong, in words for the person who wrote it.
    """
    name, rest = _name(text.strip())
    for operator in (Operator.MATCHES, Operator.NOT_MATCHES, Operator.NOT_EQUAL, Operator.EQUAL):
        if rest.startswith(operator.value):
            return Matcher(name=name, operator=operator, value=_value(rest[len(operator.value) :].strip(), text))
    raise MatcherError(f"{text!r} is not a label matcher: expected =, !=, =~ or !~ after the label name")


def parse_all(text: str) -> tuple[Matcher, ...]:
    """Return the matchers of a list such as `{a="b", c=~"d"}`; the braces are optional."""
    body = text.strip()
    if body.startswith("{") and body.endswith("}"):
        body = body[1:-1]
    return tuple(parse(part) for part in _split(body) if part.strip())


def _split(body: str) -> list[str]:
    """Split at commas outside quotes."""
    parts, start, quoted, escaped = [], 0, False, False
    for index, char in enumerate(body):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == "," and not quoted:
            parts.append(body[start:index])
            start = index + 1
    return [*parts, body[start:]]


def _name(text: str) -> tuple[str, str]:
    if text.startswith('"'):
        end = _closing_quote(text)
        if end is None:
            raise MatcherError(f"{text!r} is not a label matcher: the quote around the label name is not closed")
        return _unquote(text[1:end]), text[end + 1 :].lstrip()
    end = next((index for index, char in enumerate(text) if char in '=!~"'), len(text))
    name = text[:end].strip()
    if not name or not name.replace(":", "_").isidentifier():
        raise MatcherError(f"{text!r} is not a label matcher: {name!r} is not a label name")
    return name, text[end:]


def _value(text: str, whole: str) -> str:
    if not text.startswith('"'):
        if any(char in '",{}' or char.isspace() for char in text):
            raise MatcherError(f"{whole!r} is not a label matcher: quote the value")
        return text
    if _closing_quote(text) != len(text) - 1:
        raise MatcherError(f"{whole!r} is not a label matcher: the value needs one closing quote, at its end")
    return _unquote(text[1:-1])


def _closing_quote(text: str) -> int | None:
    """Return where the string that opens at the start of `text` closes."""
    index = 1
    while index < len(text):
        if text[index] == "\\":
            index += 1
        elif text[index] == '"':
            return index
        index += 1
    return None


def _unquote(body: str) -> str:
    out, chars = [], iter(body)
    for char in chars:
        if char != "\\":
            out.append(char)
            continue
        following = next(chars, "")
        # Alertmanager keeps the backslash of an unknown escape, so that "\d" need not be doubled.
        out.append(_ESCAPES.get(following, "\\" + following))
    return "".join(out)
