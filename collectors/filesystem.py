"""Size, free space and inodes of every mounted filesystem, by mountinfo and statvfs(3). Each mount is a target."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from collectors import filters
from collectors.procfs import reading
from collectors.sample import Labels, Sample, gauge
from collectors.spec import CollectError, Outcome, TargetedSpec

SIZE = gauge("node_filesystem_size_bytes", "Filesystem size in bytes.")
FREE = gauge("node_filesystem_free_bytes", "Filesystem free space in bytes.")
AVAIL = gauge("node_filesystem_avail_bytes", "Filesystem space available to non-root users in bytes.")
FILES = gauge("node_filesystem_files", "Filesystem total file nodes.")
FILES_FREE = gauge("node_filesystem_files_free", "Filesystem total free file nodes.")
READONLY = gauge("node_filesystem_readonly", "Filesystem read-only status.")
DEVICE_ERROR = gauge(
    "node_filesystem_device_error", "Whether an error occurred while getting statistics for the given device."
)
METRICS = (SIZE, FREE, AVAIL, FILES, FILES_FREE, READONLY, DEVICE_ERROR)
SILENT = ("device_error", "mountpoint timeout")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesystemOptions:
    """Where /proc and the host's root are, and patterns of mount points and types."""

    procfs: Path = Path("/proc")
    rootfs: Path = Path("/")
    mount_points_include: str = ""
    mount_points_exclude: str = (
        "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)"
    )
    fs_types_include: str = ""
    fs_types_exclude: str = (
        "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|"
        "overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$"
    )

    def __post_init__(self) -> None:
        filters.check(
            self.mount_points_include, self.mount_points_exclude, self.fs_types_include, self.fs_types_exclude
        )


class Mount(NamedTuple):
    """One line of mountinfo, as far as it matters here."""

    device: str
    fstype: str
    readonly: bool


def targets(options: FilesystemOptions) -> Sequence[str]:
    """Return the mount points that pass the filters."""
    return [point for point, mount in _mounts(options).items() if _wanted(options, point, mount)]


def collect(options: FilesystemOptions, target: str) -> Iterator[Sample]:
    mount = _mounts(options).get(target)
    if mount is None:
        raise CollectError(f"{target} is not mounted any more")
    labels: Labels = (("device", mount.device), ("fstype", mount.fstype), ("mountpoint", target))
    try:
        usage = os.statvfs(options.rootfs / target.lstrip("/"))
    except OSError as error:
        labels = (labels[0], ("device_error", error.strerror or "unknown"), *labels[1:])
        yield from _states(mount, labels, device_error=True)
        return
    yield from _states(mount, labels, device_error=False)
    yield Sample(SIZE.name, float(usage.f_blocks * usage.f_frsize), labels)
    yield Sample(FREE.name, float(usage.f_bfree * usage.f_frsize), labels)
    yield Sample(AVAIL.name, float(usage.f_bavail * usage.f_frsize), labels)
    yield Sample(FILES.name, float(usage.f_files), labels)
    yield Sample(FILES_FREE.name, float(usage.f_ffree), labels)


def outcome(options: FilesystemOptions, target: str, result: Outcome) -> Iterator[Sample]:
    """Say that a mount did not answer at all (a network filesystem whose server is gone), which no run can say."""
    if result.succeeded:
        return
    with suppress(CollectError):
        if (mount := _mounts(options).get(target)) is not None:
            labels = (("device", mount.device), SILENT, ("fstype", mount.fstype), ("mountpoint", target))
            yield from _states(mount, labels, device_error=True)


def _states(mount: Mount, labels: Labels, *, device_error: bool) -> Iterator[Sample]:
    yield Sample(DEVICE_ERROR.name, float(device_error), labels)
    yield Sample(READONLY.name, float(mount.readonly), labels)


def _wanted(options: FilesystemOptions, point: str, mount: Mount) -> bool:
    return filters.selected(
        point, include=options.mount_points_include, exclude=options.mount_points_exclude
    ) and filters.selected(mount.fstype, include=options.fs_types_include, exclude=options.fs_types_exclude)


def _mounts(options: FilesystemOptions) -> dict[str, Mount]:
    try:
        # The daemon may live in a mount namespace of its own (ProtectSystem=); the host's is that of process 1.
        with reading(options.procfs / "1/mountinfo") as text:
            return _parsed(text)
    except CollectError:
        with reading(options.procfs / "self/mountinfo") as text:
            return _parsed(text)


@lru_cache(maxsize=2)
def _parsed(text: str) -> dict[str, Mount]:
    """Mounts by mount point; of several on top of each other the last, which is the one that is seen."""
    mounts = {}
    for line in text.rstrip("\n").split("\n"):
        fields = line.split(" ")
        # Optional fields end with a lone dash; type, device and the filesystem's own options follow.
        fstype, device, super_options = fields[fields.index("-", 6) + 1 :][:3]
        readonly = "ro" in fields[5].split(",") or "ro" in super_options.split(",")
        mounts[_unescaped(fields[4])] = Mount(_unescaped(device), _unescaped(fstype), readonly)
    return mounts


def _unescaped(field: str) -> str:
    r"""The kernel writes space, tab, newline and backslash as \040, \011, \012 and \134."""
    return re.sub(r"\\(0[14][0-2]|134)", lambda match: chr(int(match[1], 8)), field)


SPEC = TargetedSpec(
    name="filesystem", options=FilesystemOptions, targets=targets, collect=collect, metrics=METRICS, outcome=outcome
)
