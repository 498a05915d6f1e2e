"""Temperatures, fans, voltages and what else the sensors of the machine tell, from /sys/class/hwmon."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors import filters, sysfs
from collectors.sample import Labels, Sample, gauge
from collectors.spec import CollectError, CollectorSpec

PREFIX = "node_hwmon_"
CHIP_NAMES = gauge("node_hwmon_chip_names", "Always 1; names the chip as its driver does.")
SENSOR_LABEL = gauge("node_hwmon_sensor_label", "Always 1; names the sensor as its driver does.")
METRICS = (
    CHIP_NAMES,
    SENSOR_LABEL,
    gauge("node_hwmon_fan_rpm", "Speed of the fan in revolutions per minute."),
    gauge("node_hwmon_fan_min_rpm", "Slowest speed that the fan should have."),
    gauge("node_hwmon_temp_celsius", "Temperature in degrees Celsius."),
    gauge("node_hwmon_temp_max_celsius", "Temperature that is high."),
    gauge("node_hwmon_temp_crit_celsius", "Temperature that is critical."),
    gauge("node_hwmon_temp_crit_hyst_celsius", "Temperature below which it is no longer critical."),
    gauge("node_hwmon_temp_crit_alarm_celsius", "Not 0 if the temperature is critical."),
    gauge("node_hwmon_temp_alarm", "1 if the temperature is out of its bounds."),
)
KINDS = "cpu|curr|energy|fan|freq|humidity|in|intrusion|power|pwm|temp"
ATTRIBUTE = re.compile(rf"(?P<sensor>(?P<kind>{KINDS})\d+)(?:_(?P<element>.+))?")
UNCLEAN = re.compile("[^a-z0-9:_]")
UNITS = {
    "cpu": (1000, "_volts"),
    "curr": (1000, "_amps"),
    "energy": (1_000_000, "_joule_total"),
    "humidity": (1_000_000, ""),
    "in": (1000, "_volts"),
    "power": (1_000_000, "_watt"),
    "temp": (1000, "_celsius"),
}
"""What a kind of sensor is divided by, and the unit that is left."""
NO_UNIT = {("temp", "type"), ("power", "accuracy"), ("intrusion", "alarm")}
REVOLUTIONS = {"input", "min", "max", "target"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HwmonOptions:
    """Where /sys is, and patterns of chips, as the label `chip` names them."""

    sysfs: Path = Path("/sys")
    chip_include: str = ""
    chip_exclude: str = ""

    def __post_init__(self) -> None:
        filters.check(self.chip_include, self.chip_exclude)


def collect(options: HwmonOptions) -> Iterator[Sample]:
    parent = options.sysfs / "class/hwmon"
    for name in sysfs.folders(parent):
        folder = parent / name
        chip = _chip(folder)
        if filters.selected(chip, include=options.chip_include, exclude=options.chip_exclude):
            yield from _names(folder, chip)
            yield from _sensors(folder, chip)


def _chip(folder: Path) -> str:
    """Return what stays the same when drivers load in another order: bus and name of the device, if it has one."""
    name = _clean(sysfs.text(folder, "name") or "")
    if not (folder / "device").exists():
        return name or _clean(folder.name)
    device = (folder / "device").resolve()
    chip = "_".join(part for part in (_clean(device.parent.name), _clean(device.name)) if part)
    # Several sensor chips on one device are told apart by their names.
    return f"{chip}_{name}" if name and len([*(device / "hwmon").glob("hwmon*")]) > 1 else chip


def _names(folder: Path, chip: str) -> Iterator[Sample]:
    if name := _clean(sysfs.text(folder, "name") or ""):
        yield Sample(CHIP_NAMES.name, 1.0, (("chip", chip), ("chip_name", name)))


def _sensors(folder: Path, chip: str) -> Iterator[Sample]:
    # Old drivers leave the sensors with the device.
    found = dict.fromkeys(_attributes(folder / "device"), folder / "device") | dict.fromkeys(
        _attributes(folder), folder
    )
    for name, home in found.items():
        match = ATTRIBUTE.fullmatch(name)
        if match is None:
            continue
        sensor, kind, element = match["sensor"], match["kind"], match["element"] or ""
        text = sysfs.text(home, name)
        if element == "label":
            if text:
                yield Sample(SENSOR_LABEL.name, 1.0, (("chip", chip), ("label", text), ("sensor", sensor)))
            continue
        try:
            value = float(text or "")
        except ValueError:
            # A sensor that has nothing to tell now, or that tells no number.
            continue
        if kind == "freq":
            # Clocks are many and come in any order: their label is what tells them apart.
            named = _clean(sysfs.text(home, f"{sensor}_label") or "")
            sensor = named or sensor
        yield _sample(kind, element, value, (("chip", chip), ("sensor", sensor)), bare=sensor in found)


def _sample(kind: str, element: str, value: float, labels: Labels, *, bare: bool) -> Sample:
    """Return the sample with its unit. `bare`: there is a reading without `_input` besides this one."""
    name = PREFIX + kind
    if element and (element != "input" or bare):
        name += "_" + _clean(element)
    if element in {"alarm", "fault"} or (kind, element) in NO_UNIT:
        return Sample(name, value, labels)
    if element == "beep":
        return Sample(f"{name}_enabled", value, labels)
    if kind == "fan" and element in REVOLUTIONS:
        return Sample(f"{name}_rpm", value, labels)
    if kind == "freq" and element == "input":
        return Sample(f"{name}_freq_mhz", value / 1_000_000, labels)
    divisor, unit = UNITS.get(kind, (1, ""))
    return Sample(name + unit, value / divisor, labels)


def _attributes(folder: Path) -> list[str]:
    try:
        return sysfs.folders(folder)
    except CollectError:
        return []


def _clean(text: str) -> str:
    """Return the text as node_exporter writes it in labels and metrics."""
    return UNCLEAN.sub("_", text.lower()).strip("_")


SPEC = CollectorSpec(
    name="hwmon",
    options=HwmonOptions,
    collect=collect,
    metrics=METRICS,
    # Which sensors there are depends on the machine.
    open_metrics=True,
    # Some chips answer over a slow bus, and a big machine has hundreds of sensors.
    blocking=True,
    interval_seconds=60.0,
)
