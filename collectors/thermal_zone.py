"""Temperatures of the thermal zones and what cools them, from /sys/class/thermal."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors import sysfs
from collectors.sample import Sample, gauge
from collectors.spec import CollectorSpec, NotAvailableError

TEMPERATURE = gauge("node_thermal_zone_temp", "Zone temperature in Celsius")
CURRENT = gauge("node_cooling_device_cur_state", "Current throttle state of the cooling device")
MAXIMUM = gauge("node_cooling_device_max_state", "Maximum throttle state of the cooling device")
ZONE = "thermal_zone"
COOLING = "cooling_device"
MILLIDEGREES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ThermalZoneOptions:
    """Where /sys is."""

    sysfs: Path = Path("/sys")


def collect(options: ThermalZoneOptions) -> Iterator[Sample]:
    parent = options.sysfs / "class/thermal"
    names = sysfs.folders(parent)
    if not names:
        raise NotAvailableError(f"this host has no thermal zones: {parent} is empty")
    for name in names:
        kind = sysfs.text(parent / name, "type")
        if kind and name.startswith(ZONE):
            yield from _zone(parent / name, (("type", kind), ("zone", name.removeprefix(ZONE))))
        elif kind and name.startswith(COOLING):
            yield from _cooling(parent / name, (("name", name.removeprefix(COOLING)), ("type", kind)))


def _zone(folder: Path, labels: tuple[tuple[str, str], ...]) -> Iterator[Sample]:
    # A zone that is switched off has no temperature.
    if (temperature := sysfs.number(folder, "temp")) is not None:
        yield Sample(TEMPERATURE.name, temperature / MILLIDEGREES, labels)


def _cooling(folder: Path, labels: tuple[tuple[str, str], ...]) -> Iterator[Sample]:
    for metric, name in ((CURRENT, "cur_state"), (MAXIMUM, "max_state")):
        if (state := sysfs.number(folder, name)) is not None:
            yield Sample(metric.name, state, labels)


SPEC = CollectorSpec(
    name="thermal_zone",
    options=ThermalZoneOptions,
    collect=collect,
    metrics=(TEMPERATURE, CURRENT, MAXIMUM),
    # Some firmware takes milliseconds for a temperature.
    blocking=True,
    interval_seconds=60.0,
)
