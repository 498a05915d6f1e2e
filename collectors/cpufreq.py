"""At what frequency each CPU runs and may run, from /sys/devices/system/cpu."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors import sysfs
from collectors.sample import Sample, gauge
from collectors.spec import CollectorSpec, NotAvailableError

FILES = {
    "scaling_cur_freq": gauge("node_cpu_scaling_frequency_hertz", "Current scaled CPU thread frequency in hertz."),
    "scaling_min_freq": gauge("node_cpu_scaling_frequency_min_hertz", "Minimum scaled CPU thread frequency in hertz."),
    "scaling_max_freq": gauge("node_cpu_scaling_frequency_max_hertz", "Maximum scaled CPU thread frequency in hertz."),
}
HERTZ_PER_KILOHERTZ = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CpufreqOptions:
    """Where /sys is."""

    sysfs: Path = Path("/sys")


def collect(options: CpufreqOptions) -> Iterator[Sample]:
    parent = options.sysfs / "devices/system/cpu"
    names = [name for name in sysfs.folders(parent, "cpu") if name[3:].isdecimal()]
    found = [(name[3:], parent / name / "cpufreq") for name in names if (parent / name / "cpufreq").is_dir()]
    if not found:
        raise NotAvailableError(f"nothing here changes frequencies: no CPU in {parent} has a cpufreq folder")
    for cpu, folder in found:
        for name, metric in FILES.items():
            if (kilohertz := sysfs.number(folder, name)) is not None:
                yield Sample(metric.name, kilohertz * HERTZ_PER_KILOHERTZ, (("cpu", cpu),))


SPEC = CollectorSpec(
    name="cpufreq", options=CpufreqOptions, collect=collect, metrics=tuple(FILES.values()), interval_seconds=60.0
)
