"""Paging, swapping, page faults and kills for lack of memory, from /proc/vmstat."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors import filters
from collectors.procfs import reading
from collectors.sample import Sample, untyped
from collectors.spec import CollectorSpec

PREFIX = "node_vmstat_"
METRICS = (
    untyped("node_vmstat_oom_kill", "Processes that the kernel killed for lack of memory."),
    untyped("node_vmstat_pgfault", "Page faults."),
    untyped("node_vmstat_pgmajfault", "Page faults that had to read from a disk."),
    untyped("node_vmstat_pgpgin", "KiB read from block devices."),
    untyped("node_vmstat_pgpgout", "KiB written to block devices."),
    untyped("node_vmstat_pswpin", "Pages read from swap."),
    untyped("node_vmstat_pswpout", "Pages written to swap."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VmstatOptions:
    """Where /proc is, and a pattern of the fields to take."""

    procfs: Path = Path("/proc")
    fields: str = "^(oom_kill|pgpg|pswp|pg.*fault).*"

    def __post_init__(self) -> None:
        filters.check(self.fields)


def collect(options: VmstatOptions) -> Iterator[Sample]:
    wanted = filters.pattern(options.fields).search
    with reading(options.procfs / "vmstat") as text:
        for line in text.splitlines():
            field, value = line.split()
            if wanted(field):
                yield Sample(PREFIX + field, float(value))


SPEC = CollectorSpec(
    name="vmstat",
    options=VmstatOptions,
    collect=collect,
    metrics=METRICS,
    # Which fields there are depends on the kernel and on the pattern.
    open_metrics=True,
)
