"""Making decisions durable: what could not be written stays owed to the disk, and until then nothing leaves.

On a disk that stays full this must not grow without end. Rows that replace each other are kept once, as they are now:
incidents, alerts, counters. What is told only once is all kept: the timeline, what is owed to others. When that is
too much nothing more is judged, so that nothing more is to be told; posted alerts are refused from the beginning.
"""

import re
from collections.abc import Hashable, Sequence

from agent.engine.commands import BusyError, Command, Ingest, PostAlerts, SetStop
from agent.engine.situations import Situations
from agent.store.database import Database, StoreError, Write
from agent.telemetry import log, metrics

_log = log.get("store")
MOST = 10_000
"""Writes that may wait, and those of one turn more."""
_STEP = 1000
"""So many come between two looks for those that have been replaced."""
_REPLACING = re.compile(r"INSERT OR REPLACE INTO (\w+) |INSERT INTO (meta) |DELETE FROM (alerts) WHERE fingerprint = ")
_PAIRS = frozenset({"passes", "standings", "tickets"})
"""Tables whose key has two columns."""


class Durable:
    """The writes of this turn and of turns before it that failed, in order."""

    def __init__(self, database: Database, situations: Situations) -> None:
        self._database = database
        self._situations = situations
        self.unwritten: list[Write] = []
        self._left = 0
        """How many were left at the last look."""

    @property
    def is_full(self) -> bool:
        """Tell whether so much waits for the disk that nothing may be added."""
        return self._left >= MOST

    def refusal(self, command: Command) -> BusyError | None:
        """Return why a command is not even tried: its sender will send it again. To stop is always possible."""
        posts = isinstance(command, PostAlerts) or (isinstance(command, Ingest) and bool(command.alerts))
        if (posts and self._situations.degraded) or (self.is_full and not isinstance(command, SetStop)):
            return BusyError(self._situations.degraded)
        return None

    def commit(self, new: Sequence[Write]) -> bool:
        """Write everything in one transaction; return whether it is durable."""
        self.unwritten += new
        if not self.unwritten:
            return True
        try:
            self._database.commit(self.unwritten)
        except StoreError as error:
            self._failed(error)
            return False
        self.unwritten, self._left = [], 0
        if self._situations.degraded:
            self._situations.degraded = ""
            metrics.UNWRITTEN.set(0)
            self._database.reserve()
            _log.info("writing works again")
        return True

    def _failed(self, error: StoreError) -> None:
        was_full = self.is_full
        if len(self.unwritten) >= self._left + _STEP:
            self.unwritten = lasting(self.unwritten)
            self._left = len(self.unwritten)
        if not self._situations.degraded:
            _log.error("nothing can be made durable", error=str(error))
        if self.is_full and not was_full:
            _log.error("too much waits for the disk: nothing more is judged", writes=self._left)
        more = "; too much waits for the disk: nothing more is judged" if self.is_full else ""
        self._situations.degraded = f"nothing can be made durable: {error}{more}"
        metrics.UNWRITTEN.set(len(self.unwritten))


def lasting(waiting: Sequence[Write]) -> list[Write]:
    """Return the writes, in order, without those that a later one replaces as a whole."""
    rows = [_row(write) for write in waiting]
    last = {row: number for number, row in enumerate(rows)}
    return [
        write
        for number, (write, row) in enumerate(zip(waiting, rows, strict=True))
        if row is None or last[row] == number
    ]


def _row(write: Write) -> Hashable:
    """Return which row a write replaces whatever stands there; None if it adds to what is there, or changes it."""
    if callable(write) or (found := _REPLACING.match(write[0])) is None:
        return None
    table = found[found.lastindex or 1]
    return (table, *write[1][: 2 if table in _PAIRS else 1])
