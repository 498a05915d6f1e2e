"""Neighbours that are known on each network device, from /proc/net/arp."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors import filters
from collectors.procfs import reading
from collectors.sample import Sample, gauge
from collectors.spec import CollectorSpec

ENTRIES = gauge("node_arp_entries", "ARP entries by device")
DEVICE_COLUMN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ArpOptions:
    """Where /proc is, and patterns of device names."""

    procfs: Path = Path("/proc")
    device_include: str = ""
    device_exclude: str = ""

    def __post_init__(self) -> None:
        filters.check(self.device_include, self.device_exclude)


def collect(options: ArpOptions) -> Iterator[Sample]:
    with reading(options.procfs / "net/arp") as text:
        entries = Counter(line.split()[DEVICE_COLUMN] for line in text.splitlines()[1:])
    for device, count in entries.items():
        if filters.selected(device, include=options.device_include, exclude=options.device_exclude):
            yield Sample(ENTRIES.name, float(count), (("device", device),))


SPEC = CollectorSpec(name="arp", options=ArpOptions, collect=collect, metrics=(ENTRIES,), interval_seconds=60.0)
