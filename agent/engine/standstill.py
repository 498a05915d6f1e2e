"""Notices that the process stood still: stopped, starved of the CPU, or asleep with its host."""

import math

from agent.clock import Clock
from agent.telemetry import log, metrics

STANDSTILL_SECONDS = 5.0
"""A process that wakes so much later than it wanted has stood still."""
_log = log.get("engine")


class Standstill:
    """Compares how long the engine wanted to rest with how long it was away."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at = clock.boottime()
        self._rest = math.inf
        self._blind_at: float | None = None

    def blind(self, *, now: bool) -> float:
        """Take note whether nothing can be judged now; return for how many seconds nothing was, once that is over."""
        at, since = self._clock.boottime(), self._blind_at
        self._blind_at = None if not now else at if since is None else since
        return 0.0 if now or since is None else at - since

    def rests(self, seconds: float) -> float:
        """Take note that nothing is due for so many seconds; return them."""
        self._rest = seconds
        return seconds

    def lost(self) -> float:
        """Return for how many seconds nobody looked since this was asked last; 0: nothing was missed."""
        at = self._clock.boottime()
        lost, self._at, self._rest = at - self._at - self._rest, at, math.inf
        if lost < STANDSTILL_SECONDS:
            return 0.0
        _log.warning("the process stood still", seconds=round(lost, 3))
        metrics.STANDSTILLS.inc()
        return lost
