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
_KILL_SECONDS = 2.0
_ROUND_SECONDS = 0.1


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


def leader(run_id: str, argv: tuple[str, ...]) -> Process | None:
    """Return the first process of a run whose pid nobody wrote down; None if it has ended or runs another program.

    A script shows its interpreter before its own words. What the run started in the background is never meant.
    """
    mark = f"{MARK}={run_id}".encode()
    words = [os.fsencode(word) for word in argv]
    for pid in (int(name) for name in os.listdir(_PROC) if name.isdecimal()):  # noqa: PTH208
        if _read(pid, "cmdline").split(b"\0")[:-1][-len(words) :] == words and _carries(pid, mark):
            found = process(pid)
            if found is not None and found.group == pid and not found.zombie:
                return found
    return None


def end_run(leader: int, run_id: str, grace_seconds: float) -> bool:
    """End every process of the run: TERM, the grace, KILL, until none is left. Return whether none is.

    The caller must know that `leader` is the run's own process, alive or not yet waited for. Out of reach is a process
    that has left the group, has lost its parent and has cleared its environment.
    """
    mark = f"{MARK}={run_id}".encode()
    # Kept from round to round: once its parent has ended, a process may be found by nothing else.
    members: dict[int, int] = {}
    try:
        # All before the first signal: the end of a parent hides its children.
        _join(leader, mark, members)
        _signal_all(members, signal.SIGTERM)
        _wait_for_end(members, grace_seconds)
        deadline = time.monotonic() + _KILL_SECONDS
        while _kill_all(leader, mark, members):
            if time.monotonic() > deadline:
                return False
    finally:
        for descriptor in members.values():
            os.close(descriptor)
    return True


def _kill_all(leader: int, mark: bytes, members: dict[int, int]) -> int:
    """Kill the members (pid: descriptor) and whoever has joined them, wait a moment, and return how many they were."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    _signal_all(members, signal.SIGKILL)
    _join(leader, mark, members, signal.SIGKILL)
    hit = len(members)
    _wait_for_end(members, _ROUND_SECONDS)
    return hit


def _signal_all(members: dict[int, int], number: signal.Signals) -> None:
    for descriptor in members.values():
        _signal(descriptor, number)


def _join(leader: int, mark: bytes, members: dict[int, int], number: signal.Signals | None = None) -> None:
    """Add to the members what is not yet among them, and signal each at once."""
    for found in _members(leader, mark):
        if found.pid not in members and (descriptor := _open(found)) is not None:
            members[found.pid] = descriptor
            if number is not None:
                _signal(descriptor, number)


def _open(member: Process) -> int | None:
    """Return a descriptor of the process, if its pid is still its own."""
    try:
        descriptor = os.pidfd_open(member.pid)
    except OSError:
        return None
    now = process(member.pid)
    if now and now.start_ticks == member.start_ticks:
        return descriptor
    os.close(descriptor)
    return None


def _signal(descriptor: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        signal.pidfd_send_signal(descriptor, number)


def _wait_for_end(members: dict[int, int], wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    poll = select.poll()
    pids = {descriptor: pid for pid, descriptor in members.items()}
    for descriptor in pids:
        poll.register(descriptor, select.POLLIN)
    while members and (remaining := deadline - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(remaining * 1000):
            poll.unregister(descriptor)
            os.close(members.pop(pids[descriptor]))


def _members(leader: int, mark: bytes) -> Iterator[Process]:
    """Yield the processes of the run, the newest first: what forks has to be hit before it has forked again."""
    table: dict[int, Process] = {}
    found = {leader}
    for pid in sorted((int(name) for name in os.listdir(_PROC) if name.isdecimal()), reverse=True):  # noqa: PTH208
        entry = process(pid)
        if entry is None or entry.zombie or pid == os.getpid():
            continue
        if leader in {pid, entry.group} or _carries(pid, mark):
            found.add(pid)
            yield entry
        else:
            table[pid] = entry
    while children := [entry for entry in table.values() if entry.parent in found]:
        for entry in children:
            found.add(entry.pid)
            yield table.pop(entry.pid)


def _carries(pid: int, mark: bytes) -> bool:
    return mark in _read(pid, "environ").split(b"\0")


def _read(pid: int, name: str) -> bytes:
    try:
        return (_PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""
