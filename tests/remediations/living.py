"""Real processes, and waiting for what they do."""

import os
import select
import time
from pathlib import Path

BOOT = "this-boot"
DEADLINE_SECONDS = 20.0


def until(condition, what="the condition"):
    """Wait until the condition holds and return what it returned."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    nothing = select.poll()
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true in time"
        nothing.poll(5)
    return found


def alive(pid):
    """Tell whether the process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] not in b"ZX"
    except OSError:
        return False


def pid_in(path):
    """Return the pid in the file once it is written, as a reading function for `until`."""
    return lambda: int(path.read_text()) if path.exists() and path.read_text().endswith("\n") else 0


def end(pid):
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return
