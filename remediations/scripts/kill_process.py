"""End a process found by pid file, name, unit or memory: TERM, the grace, KILL. Standard library only: `python3 -I -S`.

A process is looked at and signalled through a pidfd that was opened before: a pid that is used again in between is
never hit. PID 1, kernel threads, the daemon and its helper, this process and what started it, and whoever shares a
session with these (the login that the daemon was started from by hand) are never touched.

Exit status: 0 all have ended, 1 none found or one is still alive, 2 refused.
"""

# ruff: noqa: PTH115, PTH116, PTH123, PTH208 - pathlib costs more to load than all the rest

import argparse
import contextlib
import os
import re
import resource
import select
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

KERNEL_THREAD = 0x00200000  # PF_KTHREAD among the flags in /proc/PID/stat
KILL_SECONDS = 2.0
PIDFILE_BYTES = 64
OUR_UNITS = frozenset({"paramedic.service", "paramedic-exec.service"})


class RefusedError(Exception):
    """Nothing was signalled; the message says why."""


class Seen(NamedTuple):
    """What the kernel says of a process now."""

    name: str
    program: str
    user: int
    parent: int
    killable: bool


class Target(NamedTuple):
    """A process to end, and the descriptor by which it cannot be mistaken."""

    pid: int
    descriptor: int
    seen: Seen


def main(arguments: Sequence[str]) -> int:
    """End what the arguments name, and print what became of it."""
    options = parse(arguments)

    def end_all(targets: Sequence[Target]) -> int:
        alive = end(targets, options.grace_seconds)
        for target in targets:
            print(f"{'still alive' if target in alive else 'ended'}: {target.pid} {target.seen.name!a}")
        return 1 if alive else 0

    return work_on(options, end_all)


def work_on(options: argparse.Namespace, work: Callable[[Sequence[Target]], int]) -> int:
    """Do the work on the processes that the options name; return the exit status."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # a sandbox may forbid it
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each process that is looked at takes one
    try:
        targets = find(options)
    except RefusedError as error:
        print(f"refused: {error}")
        return 2
    if not targets:
        print("no such process")
        return 1
    return work(targets)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="End a process: TERM, then KILL.", allow_abbrev=False)
    parser.add_argument("--pidfile")
    parser.add_argument("--command")
    parser.add_argument("--unit")
    parser.add_argument("--memory", type=share, metavar="PERCENT")
    parser.add_argument("--every", action="store_true")
    parser.add_argument("--grace-seconds", type=float, default=5.0)
    options = parser.parse_args(arguments)
    if not (options.pidfile or options.command or options.unit or options.memory):
        parser.error("--pidfile, --command, --unit or --memory must be given")
    return options


def share(text: str) -> float:
    return float(text.removesuffix("%")) / 100


def find(options: argparse.Namespace) -> list[Target]:
    """Return the processes to end; raise RefusedError where they may not be, or where it is unclear which is meant."""
    spared = ourselves()
    if options.pidfile:
        return from_pidfile(options.pidfile, options.command, spared)
    unit, memory = getattr(options, "unit", None), getattr(options, "memory", None)
    looked = ((pid, look(pid, options.command)) for pid in pids())
    # Whose it is, is asked after that: if the pid has changed hands since, the descriptor is of one that is gone.
    targets = [
        target
        for pid, target in looked
        if target and (unit is None or unit in units(pid)) and not is_spared(pid, spared)
    ]
    if memory:
        return greatest(targets, memory)
    if len(targets) > 1 and not options.every:
        raise RefusedError(f"{len(targets)} processes match: {', '.join(str(target.pid) for target in targets)}")
    return targets


def from_pidfile(path: str, command: str | None, spared: frozenset[int]) -> list[Target]:
    pid, owner = read_pidfile(path)
    target = look(pid, command)
    if is_spared(pid, spared):
        raise RefusedError(f"pid {pid} is init, the daemon, this program, what started it or of their session")
    if target and owner not in {0, os.geteuid(), target.seen.user}:
        raise RefusedError(f"{path!a} belongs to user {owner}, who may not name a process of user {target.seen.user}")
    return [target] if target else []


def read_pidfile(path: str) -> tuple[int, int]:
    """Return the pid in the file and the file's owner."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise RefusedError(f"cannot read {path!a}: {error.strerror}") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise RefusedError(f"{path!a} is no regular file, or others may write it")
        match = re.fullmatch(rb"\s*([0-9]{1,10})\s*", os.read(descriptor, PIDFILE_BYTES))
    finally:
        os.close(descriptor)
    if not match:
        raise RefusedError(f"{path!a} does not hold a pid")
    return int(match[1]), found.st_uid


def look(pid: int, command: str | None) -> Target | None:
    """Return the process if it is there, may be killed and has the name or program; its descriptor is open."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return None
    # Only now look who it is: if the pid has changed hands since, the descriptor still is the one before.
    seen = see(pid)
    if seen and seen.killable and command in {None, seen.name, seen.program}:
        return Target(pid, descriptor, seen)
    os.close(descriptor)
    return None


def see(pid: int) -> Seen | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            head, _, tail = file.read().rpartition(b")")
        user = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None
    program = ""
    with contextlib.suppress(OSError):
        program = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")  # by an upgrade
    fields = tail.split()
    killable = fields[0] not in {b"Z", b"X"} and not int(fields[6]) & KERNEL_THREAD
    name = head.partition(b"(")[2].decode(errors="backslashreplace")
    return Seen(name, program, user, int(fields[1]), killable)


def units(pid: int) -> list[str]:
    """Return the names of the control groups that a process is in; those of units are called like them."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="backslashreplace") as file:
            return file.read().replace("\n", "/").split("/")
    except OSError:
        return []


def is_spared(pid: int, spared: frozenset[int]) -> bool:
    """Tell whether a process is ours: of our units, too, for the helper starts this program apart from the daemon."""
    if pid in spared or session(pid) in spared - {0, 1}:  # a container may be one session as a whole
        return True
    groups = units(pid)
    return "user.slice" not in groups and not OUR_UNITS.isdisjoint(groups)


def greatest(targets: Sequence[Target], least: float) -> list[Target]:
    """Return the target that holds the most memory, if that is at least this share of the host's."""
    held = max(targets, key=lambda target: resident(target.pid), default=None)
    if held is None or resident(held.pid) < least * os.sysconf("SC_PHYS_PAGES"):
        return []
    return [held]


def resident(pid: int) -> int:
    """Return the pages of memory that a process holds."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1])
    except OSError:
        return 0


def pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def session(pid: int) -> int:
    """Return the session of a process, which is called like the process that began it; 0 for one that is gone."""
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def ourselves() -> frozenset[int]:
    """Return init, this process, its parent, and so on upwards, and their sessions."""
    line = [0, 1]
    pid = os.getpid()
    while pid not in line:
        line.append(pid)
        seen = see(pid)
        pid = seen.parent if seen else 1
    return frozenset((*line, *map(session, line)))


def end(targets: Sequence[Target], grace_seconds: float) -> list[Target]:
    """Send TERM, wait, send KILL to the rest, wait; return those that are alive even then."""
    alive = list(targets)
    for number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, KILL_SECONDS)):
        for target in alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(target.descriptor, number)
        alive = wait(alive, seconds)
    return alive


def wait(targets: Sequence[Target], seconds: float) -> list[Target]:
    """Wait until all have ended, at most so long; return those that have not."""
    deadline = time.monotonic() + seconds
    alive = {target.descriptor: target for target in targets}
    poll = select.poll()
    for descriptor in alive:
        poll.register(descriptor, select.POLLIN)
    while alive and (remaining := deadline - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(remaining * 1000):
            poll.unregister(descriptor)
            del alive[descriptor]
    return list(alive.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
