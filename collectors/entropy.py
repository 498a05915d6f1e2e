"""Randomness that the kernel has gathered, from /proc/sys/kernel/random."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.procfs import reading
from collectors.sample import Sample, gauge
from collectors.spec import CollectorSpec

FILES = {
    "entropy_avail": gauge("node_entropy_available_bits", "Bits of available entropy."),
    "poolsize": gauge("node_entropy_pool_size_bits", "Bits of entropy pool."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EntropyOptions:
    """Where /proc is."""

    procfs: Path = Path("/proc")


def collect(options: EntropyOptions) -> Iterator[Sample]:
    for name, metric in FILES.items():
        with reading(options.procfs / "sys/kernel/random" / name) as text:
            yield Sample(metric.name, float(text))


SPEC = CollectorSpec(
    name="entropy", options=EntropyOptions, collect=collect, metrics=tuple(FILES.values()), interval_seconds=60.0
)
