"""Whether the host can bear a drill now: where room is short already, nothing is filled up for practice."""

import os
from pathlib import Path

_MIB = 1024 * 1024
LEAST_DISK_BYTES = 64 * _MIB
LEAST_MEMORY_BYTES = 192 * _MIB
MOST_PRESSURE = 20.0
"""Percent of the last ten seconds in which something waited for memory."""


def objection(folder: Path, procfs: Path = Path("/proc")) -> str:
    """Return why no drill may be held now, empty if one may. What the kernel does not tell is no objection."""
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if free < LEAST_DISK_BYTES:
        return f"only {free // _MIB} MiB of disk are left at {folder}"
    available = _number(procfs / "meminfo", "MemAvailable:", 1)
    if available is not None and available * 1024 < LEAST_MEMORY_BYTES:
        return f"only {available / 1024:.0f} MiB of memory are available"
    waiting = _number(procfs / "pressure/memory", "some", 1)
    if waiting is not None and waiting > MOST_PRESSURE:
        return f"the host is short of memory: something waited for it in {waiting:g} % of the last 10 s"
    return ""


def _number(path: Path, name: str, column: int) -> float | None:
    """Return the number in a column of the line with this name, None if there is none."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    words = next((line.split() for line in lines if line.startswith(name)), [])
    try:
        return float(words[column].removeprefix("avg10="))
    except (IndexError, ValueError):
        return None
