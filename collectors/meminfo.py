"""Memory by use, every line of /proc/meminfo."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from collectors.procfs import reading
from collectors.sample import Metric, Sample, gauge
from collectors.spec import CollectorSpec

KIBIBYTE = 1024
IN_BYTES = """
    MemTotal MemFree MemAvailable Buffers Cached SwapCached Active Inactive Active_anon Inactive_anon Active_file
    Inactive_file Unevictable Mlocked SwapTotal SwapFree Zswap Zswapped Dirty Writeback AnonPages Mapped Shmem
    KReclaimable Slab SReclaimable SUnreclaim KernelStack ShadowCallStack PageTables SecPageTables NFS_Unstable Bounce
    WritebackTmp CommitLimit Committed_AS VmallocTotal VmallocUsed VmallocChunk Percpu HardwareCorrupted AnonHugePages
    ShmemHugePages ShmemPmdMapped FileHugePages FilePmdMapped CmaTotal CmaFree Unaccepted Balloon Hugepagesize Hugetlb
    DirectMap4k DirectMap2M DirectMap4M DirectMap1G
"""
IN_PAGES = "HugePages_Total HugePages_Free HugePages_Rsvd HugePages_Surp"


def _metrics() -> Iterator[Metric]:
    for field in (*(f"{field}_bytes" for field in IN_BYTES.split()), *IN_PAGES.split()):
        yield gauge(f"node_memory_{field}", f"Memory information field {field}.")


METRICS = tuple(_metrics())


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryOptions:
    """Where /proc is."""

    procfs: Path = Path("/proc")


def collect(options: MemoryOptions) -> Iterator[Sample]:
    with reading(options.procfs / "meminfo") as text:
        for line in text.splitlines():
            field, value, *unit = line.split()
            if unit:
                yield Sample(_name(field) + "_bytes", float(int(value) * KIBIBYTE))
            else:
                yield Sample(_name(field), float(value))


@cache
def _name(field: str) -> str:
    """`Active(anon):` is Active_anon."""
    return "node_memory_" + re.sub(r"\W+", "_", field.rstrip(":")).strip("_")


SPEC = CollectorSpec(
    name="meminfo",
    options=MemoryOptions,
    collect=collect,
    metrics=METRICS,
    # Which lines there are depends on the kernel; a newer one may have more than are named here.
    open_metrics=True,
)
