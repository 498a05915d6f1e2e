"""One run of another program, bounded in time, output and memory; nothing of it outlives the run."""

import contextlib
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from collectors.spec import CollectError

_CHUNK = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a run may take."""

    seconds: float
    output_bytes: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended: its exit code (None: it was killed, by us at its time-out or by a signal) and first output."""

    exit_code: int | None
    output: bytes


def run(argv: Sequence[str], search_path: str, limits: Limits) -> Ended:
    """Run a program to its end and end whatever it left behind. Raise CollectError if it cannot be started."""
    deadline = time.monotonic() + limits.seconds
    try:
        # No preexec_fn: with it the child is forked, not vforked, which costs more the larger the daemon is.
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            env={"PATH": search_path, "LC_ALL": "C"},
            start_new_session=True,
            umask=0o077,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CollectError(f"cannot start {argv[0]!a}: {reason}") from error
    try:
        _limit(process.pid, limits)
        output, ended = _follow(process, limits.output_bytes, deadline)
    finally:
        # The group is still ours: its leader is not reaped before `wait`.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        process.stdout.close()
    return Ended(exit_code=status if ended and status >= 0 else None, output=output)


def _limit(pid: int, limits: Limits) -> None:
    bounds = {
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_CPU: int(limits.seconds) + 1,
        resource.RLIMIT_CORE: 0,
    }
    for kind, bound in bounds.items():
        with contextlib.suppress(OSError, ValueError):  # it is gone already, or its limit is lower
            resource.prlimit(pid, kind, (bound, bound))


def _follow(process: "subprocess.Popen[bytes]", most: int, deadline: float) -> tuple[bytes, bool]:
    """Return what it printed first, and whether it ended by itself in time. More output is read and forgotten."""
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    pipe, exited = process.stdout.fileno(), os.pidfd_open(process.pid)
    os.set_blocking(pipe, False)
    output = bytearray()
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    poll.register(exited, select.POLLIN)
    try:
        while (left := deadline - time.monotonic()) > 0:
            ready = {descriptor for descriptor, _ in poll.poll(left * 1000)}
            if pipe in ready and not _read(pipe, output, most):
                poll.unregister(pipe)
            if exited in ready:
                _read(pipe, output, most)  # what it printed last
                return bytes(output), True
        return bytes(output), False
    finally:
        os.close(exited)


def _read(pipe: int, output: bytearray, most: int) -> bool:
    """Take what the pipe holds; return False at its end."""
    try:
        chunk = os.read(pipe, _CHUNK)
    except BlockingIOError:
        return True
    output += chunk[: most - len(output)]
    return bool(chunk)
