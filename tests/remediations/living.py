"""Real processes: whether they live, and their end."""

import os
from pathlib import Path

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
