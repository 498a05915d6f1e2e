"""Ticket systems whose search knows a new ticket only after a while: what to believe until then.

A ticket that we have made is remembered. That there is none is believed only when the search had time to learn of one
that was made by a creation whose answer got lost, or by ourselves before a crash.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from agent.tickets.contract import TicketError

T = TypeVar("T")
MOST = 2000
"""Tickets remembered; the oldest of them the search has long known."""


class Lag:
    """Of one ticket system. `seconds` is how long its search may lag behind."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._since = clock()
        self._lock = threading.Lock()
        self._made: dict[str, str] = {}
        self._unanswered: dict[str, float] = {}

    def made(self, wanted: str) -> str | None:
        """Return the id of a ticket that we have made."""
        return self._made.get(wanted)

    @contextmanager
    def making(self, wanted: str) -> Iterator[Callable[[str], None]]:
        """Wrap the creation of a ticket; gives what to call with its id."""
        try:
            yield lambda ident: self._remember(self._made, wanted, ident)
        except TicketError as error:
            if not error.permanent:
                self._remember(self._unanswered, wanted, self._clock())
            raise

    def missing(self, wanted: str) -> None:
        """Accept that the search knows no such ticket; raise TicketError while that proves nothing."""
        wait = self._unanswered.get(wanted, self._since) + self._seconds - self._clock()
        if wait > 0:
            reason = "whether there is a ticket already is not known until its search has caught up"
            raise TicketError(reason, retry_after=wait)

    def _remember(self, table: dict[str, T], wanted: str, value: T) -> None:
        with self._lock:
            if len(table) >= MOST:
                del table[next(iter(table))]
            table[wanted] = value
