"""Open files of the whole host against their limit, from /proc/sys/fs/file-nr."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.procfs import reading
from collectors.sample import Sample, gauge
from collectors.spec import CollectorSpec

ALLOCATED = gauge("node_filefd_allocated", "File descriptor statistics: allocated.")
MAXIMUM = gauge("node_filefd_maximum", "File descriptor statistics: maximum.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilefdOptions:
    """Where /proc is."""

    procfs: Path = Path("/proc")


def collect(options: FilefdOptions) -> Iterator[Sample]:
    with reading(options.procfs / "sys/fs/file-nr") as text:
        # The one in the middle counts handles that are allocated and unused: always 0 since Linux 2.6.
        allocated, _, maximum = text.split()
        yield Sample(ALLOCATED.name, float(allocated))
        yield Sample(MAXIMUM.name, float(maximum))


SPEC = CollectorSpec(name="filefd", options=FilefdOptions, collect=collect, metrics=(ALLOCATED, MAXIMUM))
