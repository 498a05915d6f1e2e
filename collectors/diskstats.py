"""Reads, writes, discards and flushes of every block device, from /proc/diskstats."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors import filters
from collectors.procfs import reading
from collectors.sample import Sample, counter, gauge
from collectors.spec import CollectorSpec

SECTOR_BYTES = 512.0
"""The kernel counts sectors of this size whatever the device uses."""
MILLISECONDS = 0.001

COLUMNS = (
    (counter("node_disk_reads_completed_total", "The total number of reads completed successfully."), 1.0),
    (counter("node_disk_reads_merged_total", "The total number of reads merged."), 1.0),
    (counter("node_disk_read_bytes_total", "The total number of bytes read successfully."), SECTOR_BYTES),
    (counter("node_disk_read_time_seconds_total", "The total number of seconds spent by all reads."), MILLISECONDS),
    (counter("node_disk_writes_completed_total", "The total number of writes completed successfully."), 1.0),
    (counter("node_disk_writes_merged_total", "The number of writes merged."), 1.0),
    (counter("node_disk_written_bytes_total", "The total number of bytes written successfully."), SECTOR_BYTES),
    (
        counter("node_disk_write_time_seconds_total", "This is the total number of seconds spent by all writes."),
        MILLISECONDS,
    ),
    (gauge("node_disk_io_now", "The number of I/Os currently in progress."), 1.0),
    (counter("node_disk_io_time_seconds_total", "Total seconds spent doing I/Os."), MILLISECONDS),
    (
        counter("node_disk_io_time_weighted_seconds_total", "The weighted # of seconds spent doing I/Os."),
        MILLISECONDS,
    ),
    (counter("node_disk_discards_completed_total", "The total number of discards completed successfully."), 1.0),
    (counter("node_disk_discards_merged_total", "The total number of discards merged."), 1.0),
    (counter("node_disk_discarded_sectors_total", "The total number of sectors discarded successfully."), 1.0),
    (
        counter("node_disk_discard_time_seconds_total", "This is the total number of seconds spent by all discards."),
        MILLISECONDS,
    ),
    (counter("node_disk_flush_requests_total", "The total number of flush requests completed successfully"), 1.0),
    (
        counter(
            "node_disk_flush_requests_time_seconds_total",
            "This is the total number of seconds spent by all flush requests.",
        ),
        MILLISECONDS,
    ),
)
NAMES_AND_UNITS = tuple((metric.name, unit) for metric, unit in COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskOptions:
    """Where /proc is, and patterns of device names."""

    procfs: Path = Path("/proc")
    device_include: str = ""
    device_exclude: str = r"^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$"

    def __post_init__(self) -> None:
        filters.check(self.device_include, self.device_exclude)


def collect(options: DiskOptions) -> Iterator[Sample]:
    with reading(options.procfs / "diskstats") as text:
        for line in text.splitlines():
            _major, _minor, device, *values = line.split()
            if filters.selected(device, include=options.device_include, exclude=options.device_exclude):
                labels = (("device", device),)
                # Discards came with Linux 4.18, flushes with 5.5: an older kernel has fewer columns.
                for (name, unit), value in zip(NAMES_AND_UNITS, values, strict=False):
                    yield Sample(name, int(value) * unit, labels)


SPEC = CollectorSpec(
    name="diskstats", options=DiskOptions, collect=collect, metrics=tuple(metric for metric, _ in COLUMNS)
)
