"""The clocks, in one place, so that tests can turn them."""

import time
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """What time it is. `now` never jumps by itself: a step of the wall clock shows when `follow` is called."""

    def now(self) -> float:
        """Return wall-clock seconds since the epoch, as of the last `follow`."""

    def boottime(self) -> float:
        """Return seconds since boot, suspended time included; never steps."""

    def drift(self) -> float:
        """Return by how much the wall clock is ahead of `now`."""

    def follow(self) -> None:
        """Make `now` agree with the wall clock again."""

    @property
    def boot_id(self) -> str:
        """Return what tells this boot from every other."""


class SystemClock:
    """Wall time carried forward by the boot-time clock, so that no deadline moves behind our back."""

    def __init__(self, procfs: Path = Path("/proc")) -> None:
        self._boot_id = (procfs / "sys/kernel/random/boot_id").read_text().strip()
        self._offset = 0.0
        self.follow()

    def now(self) -> float:
        return self.boottime() + self._offset

    def boottime(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def drift(self) -> float:
        return time.time() - self.now()

    def follow(self) -> None:
        self._offset = time.time() - self.boottime()

    @property
    def boot_id(self) -> str:
        return self._boot_id
