"""What both connections to a broker share: how long to wait before the next try, and how the log is told."""

from random import SystemRandom

from agent.telemetry import log

MIN_DELAY_SECONDS = 1.0
MAX_DELAY_SECONDS = 60.0
_random = SystemRandom()
_log = log.get("mqtt")


class Delay:
    """Doubles with each connection that the broker does not accept. Random, so that a fleet does not come at once."""

    def __init__(self) -> None:
        self._seconds = MIN_DELAY_SECONDS

    def after(self, *, was_accepted: bool) -> float:
        """Return how many seconds to wait after a connection, or a try, has ended."""
        self._seconds = MIN_DELAY_SECONDS if was_accepted else min(2 * self._seconds, MAX_DELAY_SECONDS)
        return self._seconds * _random.uniform(0.5, 1.0)


class Fate:
    """Why there is no connection; empty while there is one. A change is logged, in the words given for it."""

    def __init__(self, broker: str, *, good: str, bad: str) -> None:
        self.reason = f"not connected to {broker} yet"
        self._broker, self._good, self._bad = broker, good, bad

    def note(self, reason: str) -> None:
        if reason == self.reason:
            return
        self.reason = reason
        if reason:
            _log.warning(self._bad, broker=self._broker, reason=reason)
        else:
            _log.info(self._good, broker=self._broker)
