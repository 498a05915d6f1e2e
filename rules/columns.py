"""One series' samples: a column of values beside a column of times that the series of one source share.

There is one writer and any number of readers, and readers take no lock. A reader takes `Series.columns` once; those
arrays only ever grow at their end, and `Axis.length`, written last, says how far every column reaches. Whatever changes
older samples makes new arrays and swaps the tuple.
"""

import struct
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from collectors.sample import Labels

if TYPE_CHECKING:
    from rules.sources import SourceState

LATE_MILLISECONDS = 2000
"""A sample older than the newest by no more than this is late news; by more, the clock was set back."""

_STALE_BYTES = struct.pack("<Q", 0x7FF0_0000_0000_0002)
_FOREIGN_BYTES = struct.pack("<Q", 0x7FF0_0000_0000_0003)

STALE: float = struct.unpack("<d", _STALE_BYTES)[0]
"""The value that says: the series ended here. A NaN like no other; only its bits tell."""

FOREIGN: float = struct.unpack("<d", _FOREIGN_BYTES)[0]
"""Stands for a sample that is no float (a native histogram): to touch one in a query is refused, not misread."""


def is_stale(value: float) -> bool:
    return value != value and struct.pack("<d", value) == _STALE_BYTES  # noqa: PLR0124 (the quickest test for NaN)


def is_foreign(value: float) -> bool:
    return value != value and struct.pack("<d", value) == _FOREIGN_BYTES  # noqa: PLR0124 (as above)


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


class Key(NamedTuple):
    """What names a series or an element of a result. `dropped`: the name is to be removed when the query ends."""

    name: str
    labels: Labels
    dropped: bool = False


class Axis:
    """The times (milliseconds, rising) at which a source reported, or those of one series that keeps its own."""

    __slots__ = ("length", "marked", "times")

    def __init__(self, times: "array[int] | None" = None, *, marked: bool = False) -> None:
        self.times = times if times is not None else array("q")
        self.length = len(self.times)
        self.marked = marked
        """Whether a value beside these times may be STALE or FOREIGN; never on an axis that is shared."""

    @property
    def last(self) -> int | None:
        return self.times[self.length - 1] if self.length else None


Columns = tuple[Axis, "array[float]", int]
"""Axis, values, offset: value `i` was taken at `axis.times[i + offset]`."""


class Series:
    """The samples of one label set. While `shared`, it has a value at each time of its source's axis from offset on."""

    __slots__ = ("columns", "ended", "key", "owner", "raw_labels", "shared", "stamp")

    def __init__(
        self, owner: "SourceState", key: Key, raw_labels: Labels, axis: Axis, offset: int, *, shared: bool
    ) -> None:
        self.owner = owner
        """The source that yields it."""
        self.key = key
        self.raw_labels = raw_labels
        """Its labels as its source gives them, without external ones."""
        self.columns: Columns = (axis, array("d"), offset)
        self.shared = shared
        self.ended = False
        self.stamp = 0
        """The run of its source that yielded it last."""

    def __len__(self) -> int:
        return len(self.columns[1])

    @property
    def oldest(self) -> int | None:
        """Time of the oldest kept sample, in milliseconds."""
        axis, values, offset = self.columns
        return axis.times[offset] if values else None

    def detach(self) -> None:
        """Give the series times of its own, from now on."""
        axis, values, offset = self.columns
        self.columns = (Axis(axis.times[offset : offset + len(values)]), values, 0)
        self.shared = False

    def point(self, at: int, value: float) -> bool:
        """Add a sample to a series with times of its own; return False if it is late and left out."""
        axis, values, _ = self.columns
        last = axis.last
        if last is not None and at <= last:
            if at < last and last - at <= LATE_MILLISECONDS:
                return False
            self.rewind(at)
            axis, values, _ = self.columns
        if value != value and (is_stale(value) or is_foreign(value)):  # noqa: PLR0124 (NaN)
            axis.marked = True
        axis.times.append(at)
        values.append(value)
        axis.length += 1
        return True

    def rewind(self, at: int) -> None:
        """Forget the samples at or after `at`; the series has times of its own."""
        axis, values, _ = self.columns
        kept = bisect_left(axis.times, at, 0, axis.length)
        self.columns = (Axis(axis.times[:kept], marked=axis.marked), values[:kept], 0)

    def trim(self, oldest: int) -> bool:
        """Forget the samples before `oldest`; return whether there were any. A shared axis stays as it is."""
        axis, values, offset = self.columns
        cut = bisect_left(axis.times, oldest, offset, offset + len(values)) - offset
        if not cut:
            return False
        kept = values[cut:]
        if self.shared:
            self.columns = (axis, kept, offset + cut)
        else:
            marked = axis.marked and any(is_stale(value) or is_foreign(value) for value in kept)
            self.columns = (Axis(axis.times[cut:], marked=marked), kept, 0)
        return True

    def share(self, axis: Axis) -> bool:
        """Go back to the source's axis if this series has a plain sample at each of its newest times."""
        own, values, _ = self.columns
        offset = axis.length - own.length
        if self.ended or own.marked or not own.length or offset < 0 or axis.times[offset : axis.length] != own.times:
            return False
        self.columns = (axis, values, offset)
        self.shared = True
        return True
