"""Real processes: whether they live, and their end."""

import fcntl
import os
import sys
import termios
import time
from pathlib import Path

from tests.services.service import eventually

BOOT = "this-boot"


def alive(pid):
    """Tell whether the process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] not in b"ZX"
    except OSError:
        return False


def pid_in(path):
    """Return the pid in the file once it is written, as a reading function for `eventually`."""
    return lambda: int(path.read_text()) if path.exists() and path.read_text().endswith("\n") else 0


def end(pid):
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return


def cut_short(runner, run_id, plan, ready):
    """Run the plan, and let its time be over once it is ready: `ready` is given the run."""
    running = runner.start(run_id, plan, 600.0)
    try:
        eventually(lambda: ready(running), what="a program that is ready")
        running._deadline = time.monotonic()
        return running.wait()
    finally:
        running.close()


def waiting_in(running):
    """Return how many bytes of output are not read yet."""
    return int.from_bytes(fcntl.ioctl(running._pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
