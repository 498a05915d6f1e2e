"""How many requests a second somebody may make."""

import math
import time
from collections.abc import Callable

_BURST_SECONDS = 10.0
"""Of requests that may come at once after a pause."""
_REMEMBERED = 4096


class Rates:
    """A bucket of permits for each address or token, filled at `per_second`."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._gap = 1.0 / per_second
        self._clock = clock
        self._free_at: dict[str, float] = {}
        """When the bucket would be full again."""

    def wait(self, who: str) -> int:
        """Take a permit; return 0, or for how many seconds there is none."""
        now = self._clock()
        full_at = max(self._free_at.pop(who, now), now) + self._gap
        over = full_at - now - _BURST_SECONDS
        if over > 0:
            self._free_at[who] = full_at - self._gap
            return math.ceil(over)
        self._free_at[who] = full_at
        if len(self._free_at) > _REMEMBERED:
            del self._free_at[next(iter(self._free_at))]
        return 0
