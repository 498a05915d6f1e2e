"""From template text to tokens: text outside `{{ }}`, and the words inside."""

import re
from collections.abc import Generator, Iterator
from enum import Enum, auto
from typing import NamedTuple


class TemplateError(Exception):
    """The template is wrong (when compiled) or cannot be expanded (when rendered); the message says why."""


class Kind(Enum):
    """What a token is."""

    TEXT = auto()
    OPEN = auto()
    CLOSE = auto()
    SPACE = auto()
    STRING = auto()
    NUMBER = auto()
    VARIABLE = auto()
    FIELD = auto()
    DOT = auto()
    WORD = auto()
    MARK = auto()


class Token(NamedTuple):
    """A piece of the template; `line` counts from 1."""

    kind: Kind
    text: str
    line: int


_WORDS = re.compile(
    r"""(?P<SPACE>\s+)
      |(?P<STRING>"(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\\n]|\\.)+')
      |(?P<NUMBER>[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))
      |(?P<VARIABLE>\$\w*)
      |(?P<FIELD>\.[^\W\d]\w*)
      |(?P<DOT>\.)
      |(?P<WORD>[^\W\d]\w*)
      |(?P<MARK>:=|[=|(),])""",
    re.VERBOSE,
)
_LEFT_TRIM = re.compile(r"-\s")
_RIGHT_TRIM = re.compile(r"\s-}}")
_COMMENT = re.compile(r"/\*.*?\*/(?P<trim>\s-)?}}", re.DOTALL)


def tokens(text: str) -> Iterator[Token]:
    """Yield the template's tokens; text trimmed by `{{-` and `-}}` comes out trimmed."""
    position = 0
    trimming = False
    while True:
        start = text.find("{{", position)
        literal = text[position:] if start < 0 else text[position:start]
        if trimming:
            literal = literal.lstrip()
        left_trim = start >= 0 and _LEFT_TRIM.match(text, start + 2) is not None
        if left_trim:
            literal = literal.rstrip()
        if literal:
            yield Token(Kind.TEXT, literal, _line(text, position))
        if start < 0:
            return
        position, trimming = yield from _action(text, start + (4 if left_trim else 2))


def _action(text: str, position: int) -> Generator[Token, None, tuple[int, bool]]:
    """Yield one action's tokens; return where it ends and whether the text after it is trimmed."""
    comment = _COMMENT.match(text, position)
    if comment:
        return comment.end(), comment["trim"] is not None
    yield Token(Kind.OPEN, "{{", _line(text, position))
    while True:
        trim = _RIGHT_TRIM.match(text, position)
        if trim or text.startswith("}}", position):
            yield Token(Kind.CLOSE, "}}", _line(text, position))
            return (trim.end(), True) if trim else (position + 2, False)
        match = _WORDS.match(text, position)
        if match is None:
            raise TemplateError(_unexpected(text, position))
        yield Token(Kind[match.lastgroup or ""], match.group(), _line(text, position))
        position = match.end()


def _unexpected(text: str, position: int) -> str:
    line = _line(text, position)
    if position >= len(text):
        return f"line {line}: an action is not closed"
    return f"line {line}: unexpected {text[position]!r} in an action"


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
