"""Watched processes. A pidfd makes the end of one an event; inotify makes a pidfile that is written one, too.

A process is found by the pid in its pidfile or by its command line. Without pidfds (an old sandbox, or a /proc of
another pid namespace) the watch stays `pending`, so that its host looks again and again.
"""

import os
import select
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from collectors.inotify import drain, open_inotify, watch_folder
from collectors.probe_tcp import refuse_twins
from collectors.proctable import TICKS_PER_SECOND, Process, boot_time, command_lines, process
from collectors.sample import Labels, Sample, counter, gauge
from collectors.spec import WatchSpec

UP = gauge("paramedic_process_up", "1 if the watched process runs.")
RESTARTS = counter("paramedic_process_restarts_total", "How often another process took its place.")
START_TIME = gauge("paramedic_process_start_time_seconds", "When it started, in seconds since the epoch.")
RESIDENT = gauge("paramedic_process_resident_memory_bytes", "Memory that it holds.")
CPU = counter("paramedic_process_cpu_seconds_total", "Seconds of CPU that it used.")
METRICS = (UP, RESTARTS, START_TIME, RESIDENT, CPU)

PROC = Path("/proc")
STALE_SECONDS = 2.0
"""By how much a process may seem younger than its pidfile: the kernel tells its boot time in whole seconds."""
PIDFILE_BYTES = 64
EAGER_LOOKS = 25
LAZY_EVERY = 5
"""After so many looks in vain for a command line only every so-manieth reads them all: that is dear on a busy host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedProcess:
    """A process to watch: by its pidfile, or by a regular expression (RE2) that matches its whole command line."""

    name: str
    pidfile: Path | None = None
    command: str | None = None
    only_with_pidfile: bool = False
    """Nothing is said while there is no pidfile: who ends the process on purpose takes it away."""

    def __post_init__(self) -> None:
        if (self.pidfile is None) == (self.command is None):
            raise ValueError(f"{self.name}: exactly one of pidfile and command is needed")
        if self.only_with_pidfile and self.pidfile is None:
            raise ValueError(f"{self.name}: only_with_pidfile needs a pidfile")
        if self.command is not None:
            compiled(self.command)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOptions:
    """Where /proc is, and what to watch."""

    procfs: Path = PROC
    watch: tuple[WatchedProcess, ...] = ()

    def __post_init__(self) -> None:
        refuse_twins([watched.name for watched in self.watch])


@dataclass(slots=True, kw_only=True)
class _Tracked:
    """What is known of one watched process: `fd` is its pidfd, `looks` counts the looks in vain since it is missing."""

    watched: WatchedProcess
    labels: Labels
    process: Process | None = None
    fd: int | None = None
    seen: bool = False
    restarts: int = 0
    looks: int = 0


class ProcessWatch:
    """The watch over all of them: see `Watch` in collectors/spec.py."""

    def __init__(self, options: ProcessOptions) -> None:
        self._procfs = options.procfs
        self._tracked = [_Tracked(watched=watched, labels=(("name", watched.name),)) for watched in options.watch]
        self._folders = {watched.pidfile.parent for watched in options.watch if watched.pidfile}
        self._inotify = open_inotify() if self._folders else None
        self._retired: list[int] = []

    @property
    def fds(self) -> Sequence[tuple[int, int]]:
        fds = [tracked.fd for tracked in self._tracked] + [self._inotify]
        return [(fd, select.EPOLLIN) for fd in fds if fd is not None]

    @property
    def pending(self) -> bool:
        """True while a process is missing, or is there but cannot announce its end."""
        return any(tracked.fd is None and not _excused(tracked) for tracked in self._tracked)

    def read(self, fd: int) -> list[Sample]:
        """Say that the process of `fd` has ended, unless another took its place; or which ones have come."""
        self._close_retired()
        if fd == self._inotify:
            drain(fd)
            return self._come()
        ended = [tracked for tracked in self._tracked if tracked.fd == fd]
        for tracked in ended:
            self._let_go(tracked)
        self._seek(ended)
        return [sample for tracked in ended for sample in self._samples(tracked)]

    def snapshot(self) -> list[Sample]:
        """Look at every process, look for the missing ones, and say how all of them are."""
        self._close_retired()
        self._watch_folders()
        for tracked in self._tracked:
            self._look_at(tracked)
        self._seek([tracked for tracked in self._tracked if tracked.process is None])
        return [sample for tracked in self._tracked for sample in self._samples(tracked)]

    def close(self) -> None:
        for tracked in self._tracked:
            self._let_go(tracked)
        if self._inotify is not None:
            self._retired.append(self._inotify)
            self._inotify = None
        self._close_retired()

    def _come(self) -> list[Sample]:
        """A file was written beside a pidfile: perhaps a process that is missing is back."""
        missing = [tracked for tracked in self._tracked if tracked.process is None and tracked.watched.pidfile]
        self._seek(missing)
        return [sample for tracked in missing if tracked.process for sample in self._samples(tracked)]

    def _look_at(self, tracked: _Tracked) -> None:
        before = tracked.process
        if before is None:
            return
        now = process(self._procfs, before.pid)
        if not _same(before, now):
            self._let_go(tracked)
            return
        tracked.process = now
        # A program that replaces itself without a gap writes its pidfile anew while the old process still runs.
        successor = self._in_pidfile(tracked.watched.pidfile) if tracked.watched.pidfile else None
        if successor and not _same(before, successor):
            self._let_go(tracked)
            self._take(tracked, successor)

    def _seek(self, missing: Sequence[_Tracked]) -> None:
        lines = self._command_lines([tracked for tracked in missing if tracked.watched.command])
        for tracked in missing:
            watched = tracked.watched
            found = self._in_pidfile(watched.pidfile) if watched.pidfile else self._matching(watched.command, lines)
            if found:
                self._take(tracked, found)

    def _command_lines(self, missing: Sequence[_Tracked]) -> list[tuple[int, str]]:
        due = False
        for tracked in missing:
            due = due or tracked.looks < EAGER_LOOKS or tracked.looks % LAZY_EVERY == 0
            tracked.looks += 1
        return list(command_lines(self._procfs)) if due else []

    def _matching(self, command: str | None, lines: Iterable[tuple[int, str]]) -> Process | None:
        """Return the eldest process with such a command line: the others are likely its children."""
        fullmatch = compiled(command or "").fullmatch
        found = [process(self._procfs, pid) for pid, line in lines if fullmatch(line)]
        return min((one for one in found if one), key=lambda one: one.start_ticks, default=None)

    def _in_pidfile(self, path: Path) -> Process | None:
        """Return the process that the pidfile names, unless the file is older than it: then the pid was used again."""
        try:
            with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
                written = os.fstat(file.fileno()).st_mtime
                words = file.read(PIDFILE_BYTES).split()
        except OSError:
            return None
        found = process(self._procfs, int(words[0])) if words and words[0].isdigit() else None
        if found and boot_time(self._procfs) + found.start_ticks / TICKS_PER_SECOND > written + STALE_SECONDS:
            return None
        return found

    def _take(self, tracked: _Tracked, found: Process) -> None:
        fd = _pidfd(found.pid) if self._procfs == PROC else None
        if not _same(found, process(self._procfs, found.pid)):
            # It ended meanwhile, so the pidfd may be that of another process with its pid.
            if fd is not None:
                self._retired.append(fd)
            return
        tracked.process, tracked.fd, tracked.looks = found, fd, 0
        tracked.restarts += tracked.seen
        tracked.seen = True

    def _let_go(self, tracked: _Tracked) -> None:
        """Forget the process. Its pidfd stays open until the host has asked for `fds`, lest the number be reused."""
        if tracked.fd is not None:
            self._retired.append(tracked.fd)
        tracked.process = tracked.fd = None

    def _close_retired(self) -> None:
        while self._retired:
            os.close(self._retired.pop())

    def _watch_folders(self) -> None:
        """A folder that is made later, or anew, is watched from the next snapshot on."""
        if self._inotify is not None:
            for folder in self._folders:
                watch_folder(self._inotify, folder)

    def _samples(self, tracked: _Tracked) -> Iterator[Sample]:
        found, labels = tracked.process, tracked.labels
        if found is None and _excused(tracked):
            return
        yield Sample(UP.name, float(found is not None), labels)
        yield Sample(RESTARTS.name, float(tracked.restarts), labels)
        if found:
            started = boot_time(self._procfs) + found.start_ticks / TICKS_PER_SECOND
            yield Sample(START_TIME.name, started, labels)
            yield Sample(RESIDENT.name, float(found.resident_bytes), labels)
            yield Sample(CPU.name, found.cpu_seconds, labels)


def _excused(tracked: _Tracked) -> bool:
    """Return whether the process may be missing: it was ended on purpose, or never begun."""
    watched = tracked.watched
    return watched.only_with_pidfile and watched.pidfile is not None and not watched.pidfile.exists()


class _Pattern(Protocol):
    def fullmatch(self, text: str) -> object: ...


@cache
def compiled(command: str) -> _Pattern:
    import re2  # noqa: PLC0415 -- only where a command line is watched

    options = re2.Options()
    options.log_errors = False
    try:
        # RE2, because anybody on the host may write a command line that keeps a backtracking matcher busy.
        compiled: _Pattern = re2.compile(command, options)
    except re2.error as error:
        raise ValueError(f"{command!r} is not a regular expression: {error}") from error
    return compiled


def _same(one: Process, other: Process | None) -> bool:
    return other is not None and (one.pid, one.start_ticks) == (other.pid, other.start_ticks)


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        # Gone, or not allowed in here: then its end is seen by looking.
        return None


SPEC = WatchSpec(name="processes", options=ProcessOptions, open=ProcessWatch, metrics=METRICS, interval_seconds=30.0)
