"""Traffic, errors and drops of every network device, from /proc/net/dev."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors import filters
from collectors.procfs import read_once, reading
from collectors.sample import Sample, counter
from collectors.spec import CollectError, CollectorSpec

COLUMNS = (
    counter("node_network_receive_bytes_total", "Bytes received."),
    counter("node_network_receive_packets_total", "Packets received."),
    counter("node_network_receive_errs_total", "Packets received broken."),
    counter("node_network_receive_drop_total", "Packets dropped on reception."),
    counter("node_network_receive_fifo_total", "Receptions lost to a full buffer."),
    counter("node_network_receive_frame_total", "Framing errors on reception."),
    counter("node_network_receive_compressed_total", "Compressed packets received."),
    counter("node_network_receive_multicast_total", "Multicast packets received."),
    counter("node_network_transmit_bytes_total", "Bytes sent."),
    counter("node_network_transmit_packets_total", "Packets sent."),
    counter("node_network_transmit_errs_total", "Packets that could not be sent."),
    counter("node_network_transmit_drop_total", "Packets dropped before they were sent."),
    counter("node_network_transmit_fifo_total", "Transmissions lost to a full buffer."),
    counter("node_network_transmit_colls_total", "Collisions."),
    counter("node_network_transmit_carrier_total", "Losses of carrier while sending."),
    counter("node_network_transmit_compressed_total", "Compressed packets sent."),
)
NOHANDLER = counter("node_network_receive_nohandler_total", "Packets received that nothing on the host takes.")
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
