"""Processes as /proc shows them: who they are, since when, and what they use."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from collectors.procfs import read, read_once
from collectors.spec import CollectError

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
DEAD = ("Z", "X", "x")
"""States of a process that has ended: its parent has yet to ask for its exit code."""


class Process(NamedTuple):
    """A process at one moment. `pid` and `start_ticks` together never come back; a pid alone does."""

    pid: int
    start_ticks: int
    cpu_seconds: float
    resident_bytes: int


def process(procfs: Path, pid: int) -> Process | None:
    """Return the process, or None if there is none or it has ended."""
    try:
        text = read_once(procfs / str(pid) / "stat")
        # The name in parentheses may hold spaces and parentheses itself: the last one ends it.
        fields = text[text.rindex(")") + 2 :].split()
        cpu_seconds = (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
        found = Process(pid, int(fields[19]), cpu_seconds, int(fields[21]) * PAGE_BYTES)
    except (CollectError, ValueError, IndexError):
        return None
    # A first thread that ended before the others looks dead, but its process is not.
    return None if fields[0] in DEAD and int(fields[17]) <= 1 else found


def command_lines(procfs: Path) -> Iterator[tuple[int, str]]:
    """Yield pid and command line, the words joined by spaces, of every process but this one and the kernel's own."""
    try:
        entries = os.listdir(procfs)  # noqa: PTH208 -- a Path for each process is dear
    except OSError as error:
        raise CollectError(f"cannot read {procfs}: {error.strerror}") from error
    for entry in entries:
        if entry.isdecimal() and int(entry) != os.getpid():
            try:
                line = read_once(procfs / entry / "cmdline")
            except CollectError:
                # It ended since the folder was listed.
                continue
            if line:
                yield int(entry), line.rstrip("\0").replace("\0", " ")


def boot_time(procfs: Path) -> float:
    """Return when the host booted, in seconds since the epoch, as far as the clock is right."""
    for line in read(procfs / "stat").splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    raise CollectError(f"{procfs / 'stat'} does not say when the host booted")
