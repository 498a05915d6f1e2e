"""Boot time, context switches, forks, interrupts and process counts from /proc/stat."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.procfs import reading
from collectors.sample import Sample, counter, gauge
from collectors.spec import CollectorSpec

FIELDS = {
    "btime": gauge("node_boot_time_seconds", "When the host booted, in seconds since the epoch."),
    "ctxt": counter("node_context_switches_total", "Context switches since boot."),
    "intr": counter("node_intr_total", "Interrupts served since boot."),
    "processes": counter("node_forks_total", "Processes and threads created since boot."),
    "procs_blocked": gauge("node_procs_blocked", "Tasks that wait for input or output."),
    "procs_running": gauge("node_procs_running", "Tasks that run or could run."),
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
