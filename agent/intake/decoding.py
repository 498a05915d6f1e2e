"""Reading JSON that somebody else wrote: bounded in depth, errors in words."""

import re
from typing import TypeVar

import msgspec

T = TypeVar("T")

MAX_DEPTH = 32

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class IntakeError(ValueError):
    """What came from outside is not what it should be; the message says how, fit to be sent back."""


def decode(body: bytes, shape: type[T]) -> T:
    """Return the JSON value of `shape`. Raise IntakeError."""
    try:
        value = msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise IntakeError(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IntakeError(f"bad JSON: {error}") from error
    except RecursionError as error:
        raise IntakeError(f"JSON is nested deeper than {MAX_DEPTH}") from error
    if _too_deep(body):
        raise IntakeError(f"JSON is nested deeper than {MAX_DEPTH}")
    return value


def _too_deep(body: bytes) -> bool:
    """Tell whether valid JSON is nested too deeply: take its innermost brackets away, layer by layer."""
    # Without escapes, whatever stands between the quotes at even places is a string.
    outside = _STRING.sub(b"", body) if b"\\" in body else b"".join(body.split(b'"')[::2])
    brackets = outside.translate(_ONE_KIND, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)
