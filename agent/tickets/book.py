"""The embedded ticket book: a ticket system for hosts that have none, in the daemon's own database.

It writes in its caller's transaction and never commits: a ticket is there if and only if the decision that asked for it
is. Its tables are those of the store's second migration.
"""

import sqlite3
import time
from collections.abc import Callable

from agent.tickets.contract import Draft, TicketError, TicketRef, TicketState, Update

BOOK = "book"
"""The name by which the configuration and the outbox call it."""


class Book:
    """A `TicketSystem` on an open connection."""

    def __init__(self, connection: sqlite3.Connection, now: Callable[[], float] = time.time) -> None:
        self._connection = connection
        self._now = now

    def find(self, correlation: str) -> TicketRef | None:
        query = "SELECT id, state FROM book_tickets WHERE correlation = ?"
        row = self._connection.execute(query, (correlation,)).fetchone()
        return _ref(row[0], TicketState(row[1])) if row else None

    def create(self, draft: Draft) -> TicketRef:
        """Open a ticket; the one that carries the correlation id already is as good as a new one."""
        now = self._now()
        fields = (draft.correlation, draft.title, draft.body, draft.priority, draft.service, draft.drill)
        self._connection.execute(
            "INSERT INTO book_tickets"
            " (correlation, title, body, priority, service, drill, state, opened_at, changed_at)"
            " VALUES (?, ?, ?, ?, ?, ?, 'open', ?, ?) ON CONFLICT (correlation) DO NOTHING",
            (*fields, now, now),
        )
        ref = self.find(draft.correlation)
        assert ref is not None  # noqa: S101 - for the type checker: it was inserted or was there
        return ref

    def update(self, ref: TicketRef, update: Update) -> None:
        self._note(ref, update, state=None)

    def close(self, ref: TicketRef, update: Update) -> None:
        self._note(ref, update, state=TicketState.CLOSED)

    def reopen(self, ref: TicketRef, update: Update) -> None:
        self._note(ref, update, state=TicketState.OPEN)

    def check(self) -> None:
        self._connection.execute("SELECT id FROM book_tickets LIMIT 1")

    def _note(self, ref: TicketRef, update: Update, state: TicketState | None) -> None:
        now = self._now()
        changed = self._connection.execute(
            "UPDATE book_tickets SET changed_at = ?1, state = coalesce(?2, state),"
            " priority = coalesce(nullif(?3, ''), priority) WHERE id = ?4",
            (now, state, update.priority, int(ref.id)),
        )
        if changed.rowcount == 0:
            raise TicketError(f"the book has no ticket {ref.id}", permanent=True)
        self._connection.execute(
            "INSERT INTO book_comments (ticket, key, comment, made_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (int(ref.id), update.key, update.comment, now),
        )


def _ref(number: int, state: TicketState) -> TicketRef:
    return TicketRef(id=str(number), url="", state=state)
