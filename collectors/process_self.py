"""What this process itself uses, under the names that every Prometheus client gives, from /proc/self."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from collectors.procfs import reading
from collectors.proctable import PAGE_BYTES, TICKS_PER_SECOND, boot_time
from collectors.sample import Sample, counter, gauge
from collectors.spec import CollectError, CollectorSpec

CPU = counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.")
OPEN_FDS = gauge("process_open_fds", "Number of open file descriptors.")
MAX_FDS = gauge("process_max_fds", "Maximum number of open file descriptors.")
VIRTUAL = gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.")
MAX_VIRTUAL = gauge("process_virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes.")
RESIDENT = gauge("process_resident_memory_bytes", "Resident memory size in bytes.")
START = gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.")
LIMITS = {"Max open files": MAX_FDS, "Max address space": MAX_VIRTUAL}
LIMIT = re.compile(r"^(Max open files|Max address space) +(\S+)", re.MULTILINE)
UNLIMITED = float(2**64 - 1)
"""What other clients say of an address space without a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSelfOptions:
    """Where /proc is."""

    procfs: Path = Path("/proc")


def collect(options: ProcessSelfOptions) -> Iterator[Sample]:
    folder = options.procfs / "self"
    with reading(folder / "stat") as text:
        fields = text[text.rindex(")") + 2 :].split()
        yield Sample(CPU.name, (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND)
        yield Sample(VIRTUAL.name, float(fields[20]))
        yield Sample(RESIDENT.name, float(int(fields[21]) * PAGE_BYTES))
        yield Sample(START.name, _boot_time(options.procfs) + int(fields[19]) / TICKS_PER_SECOND)
    yield Sample(OPEN_FDS.name, float(_open_fds(folder / "fd")))
    with reading(folder / "limits") as text:
        for name, limit in LIMIT.findall(text):
            yield Sample(LIMITS[name].name, UNLIMITED if limit == "unlimited" else float(limit))


@lru_cache(maxsize=4)
def _boot_time(procfs: Path) -> float:
    """Return it as it was at first: what the kernel says moves with every step of the clock."""
    return boot_time(procfs)


def _open_fds(folder: Path) -> int:
    try:
        # The listing itself has one open.
        return max(0, len(os.listdir(folder)) - 1)  # noqa: PTH208 -- only how many there are
    except OSError as error:
        raise CollectError(f"cannot read {folder}: {error.strerror}") from error


SPEC = CollectorSpec(
    name="process_self",
    options=ProcessSelfOptions,
    collect=collect,
    metrics=(CPU, OPEN_FDS, MAX_FDS, VIRTUAL, MAX_VIRTUAL, RESIDENT, START),
    interval_seconds=60.0,
)
