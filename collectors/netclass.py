"""Link, MTU and speed of every network device, from /sys/class/net."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors import filters, sysfs
from collectors.sample import Sample, gauge
from collectors.spec import CollectorSpec

UP = gauge("node_network_up", "Value is 1 if operstate is 'up', 0 otherwise.")
CARRIER = gauge("node_network_carrier", "Network device property: carrier")
MTU = gauge("node_network_mtu_bytes", "Network device property: mtu_bytes")
SPEED = gauge("node_network_speed_bytes", "Network device property: speed_bytes")
BYTES_PER_MEGABIT = 125_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NetclassOptions:
    """Where /sys is, and patterns of device names."""

    sysfs: Path = Path("/sys")
    device_include: str = ""
    device_exclude: str = ""

    def __post_init__(self) -> None:
        filters.check(self.device_include, self.device_exclude)


def collect(options: NetclassOptions) -> Iterator[Sample]:
    parent = options.sysfs / "class/net"
    for device in sysfs.folders(parent):
        if filters.selected(device, include=options.device_include, exclude=options.device_exclude):
            yield from _device(f"{parent}/{device}", (("device", device),))


def _device(folder: str, labels: tuple[tuple[str, str]]) -> Iterator[Sample]:
    state = sysfs.text(folder, "operstate")
    if state is None:
        # bonding_masters is a file among the devices; or the device has just gone.
        return
    yield Sample(UP.name, float(state == "up"), labels)
    # The kernel tells no carrier of a device that was taken down, and no speed of one without any.
    if (carrier := sysfs.number(folder, "carrier")) is not None:
        yield Sample(CARRIER.name, carrier, labels)
    if (mtu := sysfs.number(folder, "mtu")) is not None:
        yield Sample(MTU.name, mtu, labels)
    speed = sysfs.number(folder, "speed")
    if speed is not None and speed >= 0:
        yield Sample(SPEED.name, speed * BYTES_PER_MEGABIT, labels)


SPEC = CollectorSpec(
    name="netclass", options=NetclassOptions, collect=collect, metrics=(UP, CARRIER, MTU, SPEED), interval_seconds=60.0
)
