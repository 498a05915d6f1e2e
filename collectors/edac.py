"""Errors that the memory controllers corrected or could not correct, from /sys/devices/system/edac."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors import sysfs
from collectors.sample import Sample, counter
from collectors.spec import CollectorSpec

FILES = {
    "ce_count": counter("node_edac_correctable_errors_total", "Total correctable memory errors."),
    "ue_count": counter("node_edac_uncorrectable_errors_total", "Total uncorrectable memory errors."),
}
CONTROLLER = "mc"


@dataclass(frozen=True, slots=True, kw_only=True)
class EdacOptions:
    """Where /sys is."""

    sysfs: Path = Path("/sys")


def collect(options: EdacOptions) -> Iterator[Sample]:
    parent = options.sysfs / "devices/system/edac/mc"
    for folder in sysfs.folders(parent, CONTROLLER):
        labels = (("controller", folder.removeprefix(CONTROLLER)),)
        for name, metric in FILES.items():
            if (errors := sysfs.number(parent / folder, name)) is not None:
                yield Sample(metric.name, errors, labels)


SPEC = CollectorSpec(
    name="edac", options=EdacOptions, collect=collect, metrics=tuple(FILES.values()), interval_seconds=60.0
)
