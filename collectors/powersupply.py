"""Mains and batteries, from /sys/class/power_supply."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors import sysfs
from collectors.sample import Sample, gauge
from collectors.spec import CollectorSpec, NotAvailableError

FILES = {
    "online": gauge("node_power_supply_online", "online value of /sys/class/power_supply/<power_supply>."),
    "present": gauge("node_power_supply_present", "present value of /sys/class/power_supply/<power_supply>."),
    "capacity": gauge("node_power_supply_capacity", "capacity value of /sys/class/power_supply/<power_supply>."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PowersupplyOptions:
    """Where /sys is."""

    sysfs: Path = Path("/sys")


def collect(options: PowersupplyOptions) -> Iterator[Sample]:
    parent = options.sysfs / "class/power_supply"
    supplies = sysfs.folders(parent)
    if not supplies:
        raise NotAvailableError(f"this host has no power supplies that tell: {parent} is empty")
    for supply in supplies:
        for name, metric in FILES.items():
            if (value := sysfs.number(parent / supply, name)) is not None:
                yield Sample(metric.name, value, (("power_supply", supply),))


SPEC = CollectorSpec(
    name="powersupply",
    options=PowersupplyOptions,
    collect=collect,
    metrics=tuple(FILES.values()),
    # Firmware answers for batteries, and takes its time.
    blocking=True,
    interval_seconds=60.0,
)
