"""What `journalctl --output=json` writes: lines out of a pipe, and what is needed of each. Anybody may log anything."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

LONGEST_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the journal. `units` are the unit that wrote it and those that it is about."""

    message: bytes
    units: frozenset[str]
    cursor: str
    kernel: bool


@dataclass(slots=True)
class Lines:
    """Puts chunks together to lines. Lines that are too long are skipped, counted, and never kept in memory."""

    skipped: int = 0
    _rest: bytes = b""
    _skipping: bool = field(default=False)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the lines that end in this chunk."""
        *whole, rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            if self._skipping or len(line) > LONGEST_BYTES:
                self.skipped += 1
                self._skipping = False
            elif line:
                yield line
        self._skipping = self._skipping or len(rest) > LONGEST_BYTES
        self._rest = b"" if self._skipping else rest


def entry(line: bytes) -> Entry | None:
    """Return what stands in a line, or None where it is no entry or has no message."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    message = _message(fields.get("MESSAGE"))
    if message is None:
        return None
    cursor = fields.get("__CURSOR")
    return Entry(
        message=message,
        units=frozenset(_units(fields)),
        cursor=cursor if isinstance(cursor, str) else "",
        kernel=fields.get("_TRANSPORT") == "kernel",
    )


def _units(fields: Mapping[str, object]) -> Iterator[str]:
    """Yield the units that a line is of, as for `journalctl --unit`: only systemd and root are believed about others.

    Anybody may log the fields without a leading underscore; those with one are journald's own.
    """
    named = [fields.get("_SYSTEMD_UNIT")]
    if fields.get("_PID") == "1":
        named.append(fields.get("UNIT"))
    if fields.get("_UID") == "0":
        named += [fields.get("OBJECT_SYSTEMD_UNIT"), fields.get("COREDUMP_UNIT")]
    yield from (unit for unit in named if isinstance(unit, str))


def _message(value: object) -> bytes | None:
    """Return the message, or several of one entry, as UTF-8."""
    one = _text(value)
    if one is None and isinstance(value, list):
        several = [text for text in map(_text, value) if text is not None]
        return b"\n".join(several) if several else None
    return one


def _text(value: object) -> bytes | None:
    """Return a field's value, which is a list of bytes where it is not UTF-8; None if it is neither that nor text."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    try:
        return bytes(value).decode("utf-8", "replace").encode() if isinstance(value, list) and value else None
    except (TypeError, ValueError):
        return None
