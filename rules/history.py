"""Long history as bytes: what a rule that looks back for a day must not lose with every restart."""

import json
import sys
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

from collectors.sample import Origin, Source
from rules.columns import Columns, Key

_VERSION = 1


class HistoryError(ValueError):
    """The bytes are not a saved history; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One series and where it came from."""

    source: Source
    origin: Origin
    key: Key
    columns: Columns

    @property
    def times(self) -> "array[int]":
        axis, values, offset = self.columns
        return axis.times[offset : offset + len(values)]

    @property
    def values(self) -> "array[float]":
        return self.columns[1]


def pack(records: Iterable[Record]) -> bytes:
    """Return the records as bytes: a JSON line that describes them, then their columns; compressed."""
    described, body = [], []
    for record in records:
        times = record.times
        described.append([*record.source, record.origin.value, record.key.name, record.key.labels, len(times)])
        body += [times.tobytes(), record.values[: len(times)].tobytes()]
    head = json.dumps({"version": _VERSION, "order": sys.byteorder, "series": described}, separators=(",", ":"))
    return zlib.compress(head.encode() + b"\n" + b"".join(body), level=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A series as it was saved."""

    source: Source
    origin: Origin
    key: Key
    times: "array[int]"
    values: "array[float]"


def unpack(data: bytes) -> list[Loaded]:
    """Return what `pack` was given. Raise HistoryError if the bytes are damaged, of another version or machine."""
    try:
        head, _, body = zlib.decompress(data).partition(b"\n")
        described = json.loads(head)
        if (described["version"], described["order"]) != (_VERSION, sys.byteorder):
            raise HistoryError("the history was saved by another version or on another kind of machine")
        return list(_unpack_series(described["series"], body))
    except (zlib.error, ValueError, KeyError, TypeError) as error:
        raise HistoryError(f"the saved history is damaged: {error}") from error


def _unpack_series(described: list[list[object]], body: bytes) -> Iterable[Loaded]:
    position = 0
    for collector, target, origin, name, labels, count in described:
        size = int(str(count)) * 8
        times, values = array("q"), array("d")
        times.frombytes(body[position : position + size])
        values.frombytes(body[position + size : position + 2 * size])
        position += 2 * size
        yield Loaded(
            source=Source(str(collector), str(target)),
            origin=Origin(str(origin)),
            key=Key(str(name), tuple((str(pair[0]), str(pair[1])) for pair in labels)),  # type: ignore[attr-defined]
            times=times,
            values=values,
        )
