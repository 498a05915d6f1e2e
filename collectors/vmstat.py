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
    untyped("node_vmstat_oom_kill", "/proc/vmstat information field oom_kill."),
    untyped("node_vmstat_pgfault", "/proc/vmstat information field pgfault."),
    untyped("node_vmstat_pgmajfault", "/proc/vmstat information field pgmajfault."),
    untyped("node_vmstat_pgpgin", "/proc/vmstat information field pgpgin."),
    untyped("node_vmstat_pgpgout", "/proc/vmstat information field pgpgout."),
    untyped("node_vmstat_pswpin", "/proc/vmstat information field pswpin."),
    untyped("node_vmstat_pswpout", "/proc/vmstat information field pswpout."),
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
