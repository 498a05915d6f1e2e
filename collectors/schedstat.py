"""How long tasks ran and waited on each CPU, from /proc/schedstat."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.procfs import reading
from collectors.sample import Sample, counter
from collectors.spec import CollectorSpec, NotAvailableError

RUNNING = counter("node_schedstat_running_seconds_total", "Number of seconds CPU spent running a process.")
WAITING = counter("node_schedstat_waiting_seconds_total", "Number of seconds spent by processing waiting for this CPU.")
TIMESLICES = counter("node_schedstat_timeslices_total", "Number of timeslices executed by CPU.")
COLUMNS = ((7, RUNNING, 1e9), (8, WAITING, 1e9), (9, TIMESLICES, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedstatOptions:
    """Where /proc is."""

    procfs: Path = Path("/proc")


def collect(options: SchedstatOptions) -> Iterator[Sample]:
    path = options.procfs / "schedstat"
    if not path.exists():
        raise NotAvailableError(f"this kernel keeps no such statistics: there is no {path}")
    with reading(path) as text:
        for line in text.splitlines():
            if line.startswith("cpu"):
                fields = line.split()
                labels = (("cpu", fields[0][3:]),)
                for column, metric, unit in COLUMNS:
                    yield Sample(metric.name, int(fields[column]) / unit, labels)


SPEC = CollectorSpec(
    name="schedstat",
    options=SchedstatOptions,
    collect=collect,
    metrics=(RUNNING, WAITING, TIMESLICES),
    interval_seconds=60.0,
)
