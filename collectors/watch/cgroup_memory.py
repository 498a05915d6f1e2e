"""What memory limits do to services, as events: the kernel says at once when a cgroup reaches one, or loses a process.

`memory.events` of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst) counts for a cgroup and all below it, and inotify
tells of a change, to anybody. Watched are the slices and what is in them: services, containers, users. A process that
the kernel kills for the whole host's lack of memory counts in its own cgroup, too.
"""

import os
import select
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from collectors import inotify
from collectors.procfs import shown
from collectors.sample import Labels, Sample, counter, gauge, labels
from collectors.spec import CollectError, NotAvailableError, WatchSpec

EVENTS = counter(
    "paramedic_cgroup_memory_events_total", "Events of a cgroup's memory limits, as the kernel names them."
)
WATCHED = gauge("paramedic_cgroup_watched", "Cgroups whose memory events are watched.")
METRICS = (EVENTS, WATCHED)

FILE = "memory.events"
ALWAYS = "oom_kill"
"""The event that is told even if there was none, so that the first is an increase."""
ENTRIES = inotify.IN_CREATE | inotify.IN_DELETE | inotify.IN_ONLYDIR


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupOptions:
    """Where /sys is, and how many cgroups are watched at most."""

    sysfs: Path = Path("/sys")
    most: int = 500


@dataclass(slots=True, eq=False, kw_only=True)
class _Cgroup:
    """One cgroup: its file, its inotify watch, and labels by event."""

    file: Path
    path: str
    number: int = inotify.LOST
    labels: dict[str, Labels] = field(default_factory=dict)


class CgroupWatch:
    """The watch over all of them: see `Watch` in collectors/spec.py."""

    pending = False

    def __init__(self, options: CgroupOptions) -> None:
        self._root = options.sysfs / "fs/cgroup"
        self._most = options.most
        if b"memory" not in _controllers(self._root):
            raise NotAvailableError(f"memory is not controlled by cgroup v2: there is no memory in {self._root}")
        self._known: dict[Path, _Cgroup] = {}
        self._folders: dict[int, Path] = {}
        fd = inotify.open_inotify()
        if fd is None:
            raise NotAvailableError("the system gives no more inotify instances")
        self._fd = fd

    @property
    def fds(self) -> Sequence[tuple[int, int]]:
        return [(self._fd, select.EPOLLIN)]

    def read(self, fd: int) -> list[Sample]:
        """Say what is new of the cgroups whose file changed. Those that come or go are seen, and told later."""
        numbers = {number for number, _mask in inotify.events(fd)}
        if numbers & (self._folders.keys() | {inotify.LOST}):
            self._find()
        lost = inotify.LOST in numbers
        changed = [each for each in self._known.values() if lost or each.number in numbers]
        return [sample for each in changed for sample in _samples(each)]

    def snapshot(self) -> list[Sample]:
        """Look which cgroups there are, and say how each is."""
        self._find()
        said = [sample for each in self._known.values() for sample in _samples(each)]
        return [*said, Sample(WATCHED.name, float(len(self._known)))]

    def close(self) -> None:
        os.close(self._fd)

    def _find(self) -> None:
        """Watch the cgroups that there are, and the folders in which others may come."""
        found = [self._root, *_folders(self._root)]
        self._folders = {
            number: folder for folder in found if (number := inotify.watch(self._fd, folder, ENTRIES)) is not None
        }
        inner = [each for folder in found[1:] for each in _folders(folder)]
        before, self._known = self._known, {}
        for folder in [*found[1:], *inner][: self._most]:
            file = folder / FILE
            # Watched anew, because it may be another by now: a service that was started again.
            number = inotify.watch(self._fd, file, inotify.IN_MODIFY)
            if number is not None:
                known = before.get(folder) or _Cgroup(file=file, path=shown(str(folder.relative_to(self._root))))
                known.number = number
                self._known[folder] = known


def _controllers(root: Path) -> list[bytes]:
    try:
        return (root / "cgroup.controllers").read_bytes().split()
    except OSError:
        return []


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(folder / each.name for each in entries if each.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CollectError(f"cannot list {folder}: {error.strerror}") from error


def _samples(cgroup: _Cgroup) -> Iterator[Sample]:
    with suppress(FileNotFoundError):  # gone meanwhile
        for event, count in _events(cgroup.file):
            if event != ALWAYS and not count:
                continue
            known = cgroup.labels.get(event)
            if known is None:
                named = {"cgroup": cgroup.path, "event": event, "name": cgroup.path.rpartition("/")[2]}
                known = cgroup.labels[event] = labels(**named)
            yield Sample(EVENTS.name, float(count), known)


def _events(file: Path) -> list[tuple[str, int]]:
    text = file.read_bytes().decode("utf-8", "replace")
    try:
        return [(event, int(count)) for event, count in (line.split() for line in text.splitlines())]
    except ValueError as error:
        raise CollectError(f"cannot make sense of {file}: {error}") from error


SPEC = WatchSpec(name="cgroup_memory", options=CgroupOptions, open=CgroupWatch, metrics=METRICS, interval_seconds=120.0)
