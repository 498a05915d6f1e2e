"""Watched files and folders: each change is an event, by inotify(7). Not below a folder, and on local disks only.

A change is a different inode, size or time of change (content, owner, mode), or something written, made or removed in
a folder; many at once count as one. A path that does not exist is waited for in the nearest folder that does. Nothing
is awake while nothing changes; while much does, each look after the first waits for the next snapshot. Where the system
gives no inotify watch, only snapshots see a change.
"""

import os
import select
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from collectors import inotify
from collectors.probe_tcp import refuse_twins
from collectors.sample import Labels, Sample, counter, gauge
from collectors.spec import CollectError, NotAvailableError, WatchSpec

CHANGES = counter("paramedic_file_changes_total", "How often the watched file or folder was seen to have changed.")
MISSING = gauge("paramedic_file_missing", "1 if the watched file or folder does not exist.")
MTIME = gauge("paramedic_file_mtime_seconds", "When it was last written, in seconds since the epoch.")
SIZE = gauge("paramedic_file_size_bytes", "How large it is.")
METRICS = (CHANGES, MISSING, MTIME, SIZE)

ITSELF = inotify.IN_CLOSE_WRITE | inotify.IN_ATTRIB | inotify.IN_MOVE_SELF | inotify.IN_DELETE_SELF
ENTRIES = inotify.IN_CREATE | inotify.IN_DELETE | inotify.IN_MOVED_FROM | inotify.IN_MOVED_TO
WITHIN = inotify.IN_CLOSE_WRITE | ENTRIES
"""What is a change of a folder even if the folder itself stays as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedFile:
    """A file or folder to watch, by its absolute path."""

    name: str
    path: Path

    def __post_init__(self) -> None:
        if not self.path.is_absolute():
            raise ValueError(f"{self.name}: {self.path} is not an absolute path")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """What to watch."""

    watch: tuple[WatchedFile, ...] = ()

    def __post_init__(self) -> None:
        refuse_twins([watched.name for watched in self.watch])


@dataclass(slots=True, kw_only=True, eq=False)
class _Tracked:
    """What is known of one watched path: `found` is what stat(2) said last, `number` its inotify watch."""

    path: Path
    labels: Labels
    found: os.stat_result | None = None
    number: int | None = None
    changes: int = 0


class FileWatch:
    """The watch over all of them: see `Watch` in collectors/spec.py."""

    def __init__(self, options: FileOptions) -> None:
        self._tracked = [_Tracked(path=each.path, labels=(("name", each.name),)) for each in options.watch]
        self._numbers: set[int | None] = set()
        self._paused = False
        self._fd = inotify.open_inotify() if options.watch else None
        if options.watch and self._fd is None:
            raise NotAvailableError("the system gives no more inotify instances")
        for tracked in self._tracked:
            tracked.found = _stat(tracked.path)
        # What happens before this is seen by the first snapshot.
        self._arm()

    @property
    def fds(self) -> Sequence[tuple[int, int]]:
        return [] if self._fd is None or self._paused else [(self._fd, select.EPOLLIN)]

    @property
    def pending(self) -> bool:
        """True while events wait for the next snapshot."""
        return self._paused

    def read(self, fd: int) -> list[Sample]:
        """Say what is new of those that changed."""
        changed = self._look(fd)
        return [sample for tracked in changed for sample in _samples(tracked)]

    def snapshot(self) -> list[Sample]:
        """Look at all of them, and say how they are."""
        if self._fd is not None:
            self._look(self._fd)
        return [sample for tracked in self._tracked for sample in _samples(tracked)]

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _look(self, fd: int) -> list[_Tracked]:
        """Count what changed, as one change of each path, and return those."""
        waiting = list(inotify.events(fd))
        self._paused = bool(waiting)
        touched = {number for number, mask in waiting if mask & (WITHIN | inotify.IN_Q_OVERFLOW)}
        hit = [tracked for tracked in self._tracked if tracked.number in touched or inotify.LOST in touched]
        within = [tracked for tracked in hit if _is_folder(tracked.found)]
        self._arm()
        changed = [tracked for tracked in self._tracked if _changed(tracked) or tracked in within]
        for tracked in changed:
            tracked.changes += 1
        return changed

    def _arm(self) -> None:
        """Watch each path as it is now, and the nearest folder above it that there is; nothing else any longer."""
        if self._fd is None:
            return
        wanted: set[int | None] = set()
        for tracked in self._tracked:
            tracked.number = inotify.watch(self._fd, tracked.path, ITSELF | WITHIN | inotify.IN_MASK_ADD)
            above = next((folder for folder in tracked.path.parents if _is_folder(_stat(folder))), Path("/"))
            # A file that we may not read cannot be watched itself, but its folder tells of it.
            mask = ENTRIES if tracked.number is not None or tracked.found is None else ENTRIES | ITSELF
            wanted |= {tracked.number, inotify.watch(self._fd, above, mask | inotify.IN_ONLYDIR | inotify.IN_MASK_ADD)}
        for number in self._numbers - wanted:
            if number is not None:
                inotify.unwatch(self._fd, number)
        self._numbers = wanted


def _changed(tracked: _Tracked) -> bool:
    """Look at the path again; return whether something else is there than before."""
    before, tracked.found = tracked.found, _stat(tracked.path)
    return _identity(before) != _identity(tracked.found)


def _stat(path: Path) -> os.stat_result | None:
    """Return what is there, or None if nothing is. Raise CollectError where we may not look."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CollectError(f"cannot look at {path}: {error.strerror}") from error


def _identity(found: os.stat_result | None) -> tuple[int, ...] | None:
    return found and (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _is_folder(found: os.stat_result | None) -> bool:
    return found is not None and stat.S_ISDIR(found.st_mode)


def _samples(tracked: _Tracked) -> Iterator[Sample]:
    found = tracked.found
    yield Sample(CHANGES.name, float(tracked.changes), tracked.labels)
    yield Sample(MISSING.name, float(found is None), tracked.labels)
    if found:
        yield Sample(MTIME.name, found.st_mtime_ns / 1_000_000_000, tracked.labels)
        yield Sample(SIZE.name, float(found.st_size), tracked.labels)


SPEC = WatchSpec(name="files", options=FileOptions, open=FileWatch, metrics=METRICS)
