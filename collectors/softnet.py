"""How each CPU gets on with the packets that arrive, from /proc/net/softnet_stat."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.procfs import reading
from collectors.sample import Sample, counter, gauge
from collectors.spec import CollectorSpec

COLUMNS = {
    0: counter("node_softnet_processed_total", "Number of processed packets"),
    1: counter("node_softnet_dropped_total", "Number of dropped packets"),
    2: counter("node_softnet_times_squeezed_total", "Number of times processing packets ran out of quota"),
    8: counter(
        "node_softnet_cpu_collision_total", "Number of collision occur while obtaining device lock while transmitting"
    ),
    9: counter("node_softnet_received_rps_total", "Number of times cpu woken up received_rps"),
    10: counter("node_softnet_flow_limit_count_total", "Number of times flow limit has been reached"),
    11: gauge("node_softnet_backlog_len", "Softnet backlog status"),
}
BACKLOG_COLUMN = 11
CPU_COLUMN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftnetOptions:
    """Where /proc is."""

    procfs: Path = Path("/proc")


def collect(options: SoftnetOptions) -> Iterator[Sample]:
    with reading(options.procfs / "net/softnet_stat") as text:
        for line, row in enumerate(text.splitlines()):
            fields = [int(field, 16) for field in row.split()]
            # Lines of CPUs that are offline are left out, so since Linux 5.10 each names its own.
            cpu = fields[CPU_COLUMN] if len(fields) > CPU_COLUMN else line
            labels = (("cpu", str(cpu)),)
            if len(fields) == BACKLOG_COLUMN:
                fields.append(0)
            for column, metric in COLUMNS.items():
                yield Sample(metric.name, float(fields[column]), labels)


SPEC = CollectorSpec(
    name="softnet", options=SoftnetOptions, collect=collect, metrics=tuple(COLUMNS.values()), interval_seconds=60.0
)
