"""Finding and ending the processes of one run: its group, its descendants, and what carries its mark."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MARK = "PARAMEDIC_RUN"
"""The environment variable that holds the run id, by which processes that left the group and the tree are found."""

_PROC = Path("/proc")  # our own children's table, wherever the collectors read theirs
_KILL_ROUNDS = 20
_KILL_ROUND_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One line of the process table. `start_ticks` tells a process from a later one with the same pid."""

    pid: int
    parent: int
    group: int
    start_ticks: int
    zombie: bool


def process(pid: int) -> Process | None:
    """Return the process as it is now, None where there is none."""
    try:
        raw = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The name in parentheses may itself hold spaces and parentheses: fields count from the last one.
    fields = raw[raw.rindex(b")") + 2 :].split()
    state, parent, group, start_ticks = fields[0], int(fields[1]), int(fields[2]), int(fields[19])
    return Process(pid=pid, parent=parent, group=group, start_ticks=start_ticks, zombie=state in b"ZX")


def end_run(leader: int, run_id: str, grace_seconds: float) -> bool:
    """End every process of the run: TERM, the grace, KILL, until none is left. Return whether none is.

    The caller must know that `leader` is the run's own process, alive or not yet waited for. Out of reach is a process
    that has left the group, has lost its parent and has cleared its environment.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGTERM)
    _signal_members(leader, run_id, signal.SIGTERM, grace_seconds)
    for _ in range(_KILL_ROUNDS):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)
        if not _signal_members(leader, run_id, signal.SIGKILL, _KILL_ROUND_SECONDS):
            return True
    return False


def _signal_members(leader: int, run_id: str, number: signal.Signals, wait_seconds: float) -> int:
    """Signal each member once and wait until all have ended, at most so long; return how many there were."""
    members = [found for pid in _members(leader, run_id) if (found := _open(pid)) is not None]
    try:
        for descriptor in members:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(descriptor, number)
        _wait_for_end(members, wait_seconds)
    finally:
        for descriptor in members:
            os.close(descriptor)
    return len(members)


def _open(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _wait_for_end(descriptors: list[int], wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    left = len(descriptors)
    while left and (remaining := deadline - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(remaining * 1000):
            poll.unregister(descriptor)
            left -= 1


def _members(leader: int, run_id: str) -> set[int]:
    table = {entry.pid: entry for entry in _table()}
    mark = f"{MARK}={run_id}".encode()
    members = {pid for pid, entry in table.items() if entry.group == leader or _carries(pid, mark)}
    members.add(leader)
    grown = True
    while grown:
        children = {pid for pid, entry in table.items() if entry.parent in members} - members
        members |= children
        grown = bool(children)
    return {pid for pid in members if pid in table and not table[pid].zombie} - {os.getpid()}


def _table() -> Iterator[Process]:
    for name in os.listdir(_PROC):  # noqa: PTH208 - names are all that is needed, of thousands of entries
        if name.isdecimal() and (entry := process(int(name))):
            yield entry


def _carries(pid: int, mark: bytes) -> bool:
    try:
        environment = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return mark in environment.split(b"\0")
