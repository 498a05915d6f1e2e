"""The pass over the text before it is parsed.

It keeps from the parser what the parser cannot take (too long, too deep, back-quoted strings, bytes that are no UTF-8,
`@` with any number), and knows what PromQL has that this engine leaves out.
"""

import re
from dataclasses import dataclass

from rules import duration
from rules.promql.errors import ExpressionError, OutOfScopeError

MAX_BYTES = 64 * 1024
MAX_NESTING = 200
MAX_OPERATORS = 1000
"""A chain of operators nests as deeply as parentheses do; the parser ends the process at some 5,000."""

MAX_SECONDS = 2**53 / 1000
"""Milliseconds beyond are no whole numbers any more."""

_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|`[^`]*`|#[^\n]*', re.DOTALL)
_DURATION = r"(?:\d+(?:ms|[smhdwy]))+"
_NUMBER = r"0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_AT = re.compile(rf"@\s*([+-]?\s*(?:{_DURATION}|{_NUMBER}))(?![\w.])")
_SPAN = re.compile(rf"(?<![\w.])({_DURATION})(?!\w)|[\[:]\s*({_NUMBER})\s*[\]:]|\boffset\s*-?\s*({_NUMBER})(?![\w.])")
_OPERATOR = re.compile(r"[-+*/%^]|==|!=|[<>]=?|\b(?:and|or|unless|atan2)\b")
_BYTES = re.compile(r"(?:\\x[0-9a-fA-F]{2}|\\[0-7]{3})+")
_EXTENDED = re.compile(r"\]\s*(?:offset\s+\S+\s*)?\b(anchored|smoothed)\b|\b(anchored|smoothed)\b\s*(?:$|[)\],])")
_DURATION_MATH = re.compile(
    r"\[[^\]]*(?:[-+*/%^()]|\b(?:step|range|min|max)\b)|\boffset\s*[-+]?\s*(?:\(|\b(?:step|range|min|max)\b)",
    re.IGNORECASE,
)
_TRIM = re.compile(r"</|>/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The text for the parser, in which each `@ number` is the place of its time in `times` (milliseconds)."""

    text: str
    times: tuple[int, ...]


def prepare(text: str) -> Prepared:
    """Return what the parser may see. Raise ExpressionError for what it must not."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ExpressionError(f"the expression is longer than {MAX_BYTES // 1024} KiB")
    _check_unicode(text)
    bare = _STRING.sub(_blank, text)
    _check_size(bare)
    _check_durations(bare)
    times: list[int] = []

    def number(match: re.Match[str]) -> str:
        times.append(_milliseconds(match[1].replace(" ", "")))
        return f"@ {len(times) - 1}"

    parts, end = [], 0
    for string in _STRING.finditer(text):
        parts.append(_AT.sub(number, text[end : string.start()]))
        parts.append(_string(string))
        end = string.end()
    parts.append(_AT.sub(number, text[end:]))
    return Prepared(text="".join(parts), times=tuple(times))


def left_out(text: str) -> OutOfScopeError | None:
    """Return why a text that does not parse is out of scope, if that is what is wrong with it."""
    bare = _STRING.sub(_blank, text)
    for pattern, what in (
        (_EXTENDED, "the range modifiers anchored and smoothed are"),
        (_DURATION_MATH, "arithmetic in durations is"),
        (_TRIM, "operators on native histograms are"),
    ):
        if found := pattern.search(bare):
            return OutOfScopeError(f"{what} not supported", found.start() + 1)
    return None


def _blank(match: re.Match[str]) -> str:
    """Blank out a string or comment, keeping columns."""
    return " " * len(match[0]) if match[0].startswith("#") else match[0][0] + "_" * (len(match[0]) - 2) + match[0][0]


def _check_unicode(text: str) -> None:
    for column, char in enumerate(text, 1):
        if "\ud800" <= char <= "\udfff":
            raise ExpressionError("the expression is not valid UTF-8", column)


def _check_size(bare: str) -> None:
    depth = 0
    for column, char in enumerate(bare, 1):
        depth += (char in "([{") - (char in ")]}")
        if depth > MAX_NESTING:
            raise ExpressionError(f"the expression is nested deeper than {MAX_NESTING}", column)
    if sum(1 for _ in _OPERATOR.finditer(bare)) > MAX_OPERATORS:
        raise ExpressionError(f"the expression has more than {MAX_OPERATORS} operators")


def _check_durations(bare: str) -> None:
    """Refuse what the parser could not count: it ends in a panic that it prints."""
    for found in _SPAN.finditer(bare):
        written, *numbers = found.groups()
        try:
            seconds = duration.parse_duration(written) if written else _float(next(filter(None, numbers)))
        except ValueError as error:
            raise ExpressionError(str(error), found.start() + 1) from error
        if seconds > duration.MAX_SECONDS:
            raise ExpressionError(f"duration out of range: {found[0].strip('[]: ')[:40]!r}", found.start() + 1)


def _float(number: str) -> float:
    return float(int(number, 16)) if number.lower().startswith("0x") else float(number)


def _milliseconds(number: str) -> int:
    sign = -1 if number.startswith("-") else 1
    digits = number.lstrip("+-")
    if digits[-1] in "smhdwy":
        return sign * round(duration.parse_duration(digits) * 1000)
    if _float(digits) >= MAX_SECONDS:
        raise ExpressionError(f"timestamp out of bounds for @ modifier: {number[:40]}")
    return sign * round(_float(digits) * 1000)


def _string(match: re.Match[str]) -> str:
    token = match[0]
    if token.startswith("#"):
        return token
    if token.startswith("`"):
        body = token[1:-1].replace("\\", "\\\\").replace('"', '\\"')
        return '"' + body.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'
    return _BYTES.sub(lambda found: _decode(found, match.start()), token)


def _decode(match: re.Match[str], start: int) -> str:
    """Turn escaped bytes into the characters they spell; escapes of single ASCII characters may stay."""
    codes = re.findall(r"\\x(..)|\\([0-7]{3})", match[0])
    data = bytes(int(code, 16) if code else int(octal, 8) & 0xFF for code, octal in codes)
    if data.isascii():
        return match[0]
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ExpressionError("the string is not valid UTF-8", start + 1) from error
