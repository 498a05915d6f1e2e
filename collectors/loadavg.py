"""Load averages from /proc/loadavg."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.procfs import reading
from collectors.sample import Sample, gauge
from collectors.spec import CollectorSpec

METRICS = (
    gauge("node_load1", "1m load average."),
    gauge("node_load5", "5m load average."),
    gauge("node_load15", "15m load average."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """Where /proc is."""

    procfs: Path = Path("/proc")


def collect(options: LoadOptions) -> Iterator[Sample]:
    with reading(options.procfs / "loadavg") as text:
        for metric, field in zip(METRICS, text.split()[:3], strict=True):
            yield Sample(metric.name, float(field))


SPEC = CollectorSpec(name="loadavg", options=LoadOptions, collect=collect, metrics=METRICS)
