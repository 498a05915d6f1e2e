"""JSON as the interpreter itself reads and writes it: the package json brings regular expressions and enums along.

They would be a fifth of the time that the helper needs to start, which it does when something is down.
"""

from __future__ import annotations

import _json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Usual:
    """What the reader wants to know, since Python 3.15 also of arrays: everything as usual."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def _refuse(value: object) -> None:
    raise TypeError(f"{type(value).__name__} is nothing that JSON knows")


_read = _json.make_scanner(_Usual)  # type: ignore[arg-type, unused-ignore]
_write = _json.make_encoder(None, _refuse, _json.encode_basestring_ascii, None, ": ", ", ", False, False, True)


def loads(raw: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Return the one value that stands there. Raise ValueError; RecursionError."""
    text = raw.decode().strip(" \t\r\n")
    try:
        value, end = _read(text, 0)
    except (StopIteration, SystemError) as error:  # the error that it would raise is in the package json
        raise ValueError("no JSON") from error
    if end != len(text):
        raise ValueError("more than one value")
    return value


def dumps(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return the value in one line of ASCII."""
    return "".join(_write(value, 0)).encode("ascii")
