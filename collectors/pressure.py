"""Time that tasks lost waiting for CPU, memory, input and output and interrupts, from /proc/pressure."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.procfs import reading
from collectors.sample import Metric, Sample, counter
from collectors.spec import CollectorSpec, NotAvailableError

FIELDS: dict[str, dict[str, Metric]] = {
    "cpu": {
        "some": counter(
            "node_pressure_cpu_waiting_seconds_total", "Total time in seconds that processes have waited for CPU time"
        )
    },
    "io": {
        "some": counter(
            "node_pressure_io_waiting_seconds_total",
            "Total time in seconds that processes have waited due to IO congestion",
        ),
        "full": counter(
            "node_pressure_io_stalled_seconds_total",
            "Total time in seconds no process could make progress due to IO congestion",
        ),
    },
    "memory": {
        "some": counter(
            "node_pressure_memory_waiting_seconds_total", "Total time in seconds that processes have waited for memory"
        ),
        "full": counter(
            "node_pressure_memory_stalled_seconds_total",
            "Total time in seconds no process could make progress due to memory congestion",
        ),
    },
    "irq": {
        "full": counter(
            "node_pressure_irq_stalled_seconds_total",
            "Total time in seconds no process could make progress due to IRQ congestion",
        )
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PressureOptions:
    """Where /proc is."""

    procfs: Path = Path("/proc")


def collect(options: PressureOptions) -> Iterator[Sample]:
    folder = options.procfs / "pressure"
    if not folder.is_dir():
        raise NotAvailableError(f"this kernel tells no pressure: there is no {folder}")
    for resource, fields in FIELDS.items():
        # Kernels before 6.1 have no irq file.
        if (folder / resource).exists():
            yield from _samples(folder / resource, fields)


def _samples(path: Path, fields: dict[str, Metric]) -> Iterator[Sample]:
    with reading(path) as text:
        for line in text.splitlines():
            kind, *values = line.split()
            if kind in fields:
                total = dict(value.split("=", 1) for value in values)["total"]
                yield Sample(fields[kind].name, float(total) / 1000 / 1000)


SPEC = CollectorSpec(
    name="pressure",
    options=PressureOptions,
    collect=collect,
    metrics=tuple(metric for fields in FIELDS.values() for metric in fields.values()),
)
