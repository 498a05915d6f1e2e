"""Temperatures, fans, voltages and what else the sensors of the machine tell, from /sys/class/hwmon."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from collectors import filters, sysfs
from collectors.sample import Labels, Metric, Sample, counter, gauge
from collectors.spec import CollectError, CollectorSpec

PREFIX = "node_hwmon_"
CHIP_NAMES = gauge("node_hwmon_chip_names", "Annotation metric for human-readable chip names")
SENSOR_LABEL = gauge("node_hwmon_sensor_label", "Label for given chip and sensor")
PWM = gauge("node_hwmon_pwm", "Hardware monitor pwm element")
KINDS = "cpu|curr|energy|fan|freq|humidity|in|intrusion|power|pwm|temp"
ATTRIBUTE = re.compile(rf"(?P<sensor>(?P<kind>{KINDS})\d+)(?:_(?P<element>.+))?")
UNCLEAN = re.compile("[^a-z0-9:_]")


class Unit(NamedTuple):
    """What the kernel's number is divided by, how the metric's name ends, and its help text for an `{element}`."""

    divisor: int
    suffix: str
    help: str


UNITS = {
    "cpu": Unit(1000, "_volts", "Hardware monitor for voltage ({element})"),
    "curr": Unit(1000, "_amps", "Hardware monitor for current ({element})"),
    "energy": Unit(1_000_000, "_joule_total", "Hardware monitor for joules used so far ({element})"),
    "humidity": Unit(
        1_000_000,
        "",
        "Hardware monitor for humidity, as a ratio"
        " (multiply with 100.0 to get the humidity as a percentage) ({element})",
    ),
    "in": Unit(1000, "_volts", "Hardware monitor for voltage ({element})"),
    "power": Unit(1_000_000, "_watt", "Hardware monitor for power usage in watts ({element})"),
    "temp": Unit(1000, "_celsius", "Hardware monitor for temperature ({element})"),
}
"""By kind of sensor."""
REVOLUTIONS = Unit(1, "_rpm", "Hardware monitor for fan revolutions per minute ({element})")
POWER_INTERVAL = Unit(1000, "_seconds", "Hardware monitor power usage update interval ({element})")
OF_ELEMENTS = {
    **{("fan", element): REVOLUTIONS for element in ("input", "min", "max", "target")},
    ("freq", "input"): Unit(1_000_000, "_freq_mhz", "Hardware monitor for GPU frequency in MHz"),
    **{("power", f"average_interval{end}"): POWER_INTERVAL for end in ("", "_min", "_max")},
    ("power", "accuracy"): Unit(1_000_000, "", "Hardware monitor power meter accuracy, as a ratio"),
    ("temp", "type"): Unit(1, "", "Hardware monitor temp element type"),
}
"""What differs from the rest of its kind."""
OF_ANY_KIND = {
    "alarm": Unit(1, "", "Hardware sensor alarm status ({kind})"),
    "beep": Unit(1, "_enabled", "Hardware monitor sensor has beeping enabled"),
    "fault": Unit(1, "", "Hardware sensor fault status ({kind})"),
}
OTHER = Unit(1, "", "Hardware monitor {kind} element {element}")
CURVE = " ".join(f"auto_point{point}_pwm auto_point{point}_temp" for point in range(1, 6))
ELEMENTS = {
    "cpu": "vid",
    "curr": "input min max crit average lowest highest alarm beep crit_alarm min_alarm max_alarm",
    "energy": "input",
    "fan": "input min max target alarm beep fault div manual output pulses tolerance min_alarm max_alarm",
    "freq": "input",
    "humidity": "input min max alarm fault",
    "in": "input min max lcrit crit average lowest highest alarm beep fault min_alarm max_alarm crit_alarm",
    "intrusion": "alarm beep",
    "power": "input average average_interval average_interval_min average_interval_max accuracy cap max crit alarm",
    "pwm": f"""
        {CURVE} crit_temp_tolerance enable floor freq mode start step_down_time step_up_time stop_time target_temp
        temp_sel temp_tolerance weight_duty_base weight_duty_step weight_temp_sel weight_temp_step
        weight_temp_step_base weight_temp_step_tol
    """,
    "temp": """
        input min max crit crit_hyst max_hyst emergency lcrit offset type alarm beep fault crit_alarm max_alarm
        min_alarm
    """,
}
"""What most sensors tell, by kind. A driver may name more."""


def _unit(kind: str, element: str) -> Unit:
    return OF_ANY_KIND.get(element) or OF_ELEMENTS.get((kind, element)) or UNITS.get(kind, OTHER)


def _metrics() -> Iterator[Metric]:
    for kind, elements in ELEMENTS.items():
        for element in elements.split():
            unit = _unit(kind, element)
            name = PREFIX + (kind if element == "input" else f"{kind}_{element}") + unit.suffix
            yield (counter if kind == "energy" else gauge)(name, unit.help.format(kind=kind, element=element))


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
    unit = _unit(kind, element)
    return Sample(name + unit.suffix, value / unit.divisor, labels)


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
    metrics=(CHIP_NAMES, SENSOR_LABEL, PWM, *_metrics()),
    # Which sensors there are depends on the machine.
    open_metrics=True,
    # Some chips answer over a slow bus, and a big machine has hundreds of sensors.
    blocking=True,
    interval_seconds=60.0,
)
