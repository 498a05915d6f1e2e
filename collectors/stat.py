"""Boot time, context switches, forks, interrupts and process counts from /proc/stat."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.procfs import reading
from collectors.sample import Sample, counter, gauge
from collectors.spec import CollectorSpec

FIELDS = {
    "btime": gauge("node_boot_time_seconds", "Node boot time, in unixtime."),
    "ctxt": counter("node_context_switches_total", "Total number of context switches."),
    "intr": counter("node_intr_total", "Total number of interrupts serviced."),
    "processes": counter("node_forks_total", "Total number of forks."),
    "procs_blocked": gauge("node_procs_blocked", "Number of processes blocked waiting for I/O to complete."),
    "procs_running": gauge("node_procs_running", "Number of processes in runnable state."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatOptions:
    """Where /proc is."""

    procfs: Path = Path("/proc")


def collect(options: StatOptions) -> Iterator[Sample]:
    with reading(options.procfs / "stat") as text:
        for line in text.splitlines():
            # `intr` goes on with a number for each interrupt line; only the total is wanted.
            key, _, rest = line.partition(" ")
            if key in FIELDS:
                yield Sample(FIELDS[key].name, float(rest.split(" ", 1)[0]))


SPEC = CollectorSpec(name="stat", options=StatOptions, collect=collect, metrics=tuple(FIELDS.values()))
