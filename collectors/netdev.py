"""Traffic, errors and drops of every network device, from /proc/net/dev."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors import filters
from collectors.procfs import read_once, reading
from collectors.sample import Sample, counter
from collectors.spec import CollectError, CollectorSpec

COLUMNS = (
    counter("node_network_receive_bytes_total", "Network device statistic receive_bytes."),
    counter("node_network_receive_packets_total", "Network device statistic receive_packets."),
    counter("node_network_receive_errs_total", "Network device statistic receive_errs."),
    counter("node_network_receive_drop_total", "Network device statistic receive_drop."),
    counter("node_network_receive_fifo_total", "Network device statistic receive_fifo."),
    counter("node_network_receive_frame_total", "Network device statistic receive_frame."),
    counter("node_network_receive_compressed_total", "Network device statistic receive_compressed."),
    counter("node_network_receive_multicast_total", "Network device statistic receive_multicast."),
    counter("node_network_transmit_bytes_total", "Network device statistic transmit_bytes."),
    counter("node_network_transmit_packets_total", "Network device statistic transmit_packets."),
    counter("node_network_transmit_errs_total", "Network device statistic transmit_errs."),
    counter("node_network_transmit_drop_total", "Network device statistic transmit_drop."),
    counter("node_network_transmit_fifo_total", "Network device statistic transmit_fifo."),
    counter("node_network_transmit_colls_total", "Network device statistic transmit_colls."),
    counter("node_network_transmit_carrier_total", "Network device statistic transmit_carrier."),
    counter("node_network_transmit_compressed_total", "Network device statistic transmit_compressed."),
)
NOHANDLER = counter("node_network_receive_nohandler_total", "Network device statistic receive_nohandler.")
HEADER_LINES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class NetdevOptions:
    """Where /proc and /sys are, and patterns of device names."""

    procfs: Path = Path("/proc")
    sysfs: Path = Path("/sys")
    device_include: str = ""
    device_exclude: str = ""

    def __post_init__(self) -> None:
        filters.check(self.device_include, self.device_exclude)


def collect(options: NetdevOptions) -> Iterator[Sample]:
    with reading(options.procfs / "net/dev") as text:
        for line in text.splitlines()[HEADER_LINES:]:
            # The name of an alias holds a colon itself ("eth0:1"), so the last one ends it.
            name, _, values = line.rpartition(":")
            device = name.strip()
            if filters.selected(device, include=options.device_include, exclude=options.device_exclude):
                labels = (("device", device),)
                for metric, value in zip(COLUMNS, values.split(), strict=True):
                    yield Sample(metric.name, float(value), labels)
                yield from _nohandler(options.sysfs, device)


def _nohandler(sysfs: Path, device: str) -> Iterator[Sample]:
    try:
        text = read_once(sysfs / "class/net" / device / "statistics/rx_nohandler")
    except CollectError:
        # /proc/net/dev has no column for it, and in a container /sys may show other devices.
        return
    yield Sample(NOHANDLER.name, float(text), (("device", device),))


SPEC = CollectorSpec(name="netdev", options=NetdevOptions, collect=collect, metrics=(*COLUMNS, NOHANDLER))
