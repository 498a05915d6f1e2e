"""The clocks, in one place, so that tests can turn them."""

import time
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """What time it is: wall seconds for people and records, boot-time seconds for intervals."""

    def now(self) -> float:
        """Return wall-clock seconds since the epoch."""

    def boottime(self) -> float:
        """Return seconds since boot, suspended time included; never steps."""

    @property
    def boot_id(self) -> str:
        """Return what tells this boot from every other."""


class SystemClock:
    """The kernel's clocks."""

    def __init__(self, procfs: Path = Path("/proc")) -> None:
        self._boot_id = (procfs / "sys/kernel/random/boot_id").read_text().strip()

    def now(self) -> float:
        return time.time()

    def boottime(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    @property
    def boot_id(self) -> str:
        return self._boot_id
