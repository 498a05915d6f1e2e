"""strace as the executioner: it kills a daemon on its way into the n-th system call of a kind.

strace counts for each thread and each call on its own, so a kill point is (call, n): the thread that is the first to
make its n-th such call dies, and the daemon with it, before the call has done anything. Programs that the daemon starts
are let go (`-b execve`): their calls neither count nor kill.
"""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crash.scene import Life, wait_for

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

DURABLE = ("pwrite64", "fdatasync", "fsync", "ftruncate", "rename", "unlink")
OUTWARD = ("connect", "sendto", "recvfrom")
HANDING = ("clone3", "vfork", "pidfd_open", "write")


@contextmanager
def traced(life: Life, calls: Sequence[str], *options: str, output: Path = Path("/dev/null")) -> Iterator[None]:
    """Trace the daemon's calls while it lives; the daemon ends with the context at the latest.

    It ends first: strace may hang when it is told to let go of a daemon that is starting a program.
    """
    names = ",".join(f"?{call}" for call in calls)
    command = ["strace", "-f", "-b", "execve", "-qq", "-e", f"trace={names}", "-e", "signal=none", *options]
    process = subprocess.Popen([*command, "-o", output, "-p", str(life.pid)], stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: _has_all(process.pid, life.pid), "strace to attach")
        yield
    finally:
        life.kill()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        life.end()


def executioner(call: str, number: int) -> tuple[str, str]:
    return ("-e", f"inject={call}:signal=KILL:when={number}")


def _has_all(tracer: int, pid: int) -> bool:
    try:
        statuses = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/status")]
    except OSError:  # a thread that has just ended
        return False
    return bool(statuses) and all(f"TracerPid:\t{tracer}\n" in status for status in statuses)


def counted(trace: Path) -> dict[str, int]:
    """Return for each call how many the thread made that made most."""
    by_thread: Counter[tuple[str, str]] = Counter()
    for line in trace.read_text(errors="replace").splitlines():
        if found := re.match(r"(\d+) +(\w+)\(", line):
            by_thread[found[1], found[2]] += 1
    most: dict[str, int] = {}
    for (_, call), number in by_thread.items():
        most[call] = max(number, most.get(call, 0))
    return most
