"""The embedded ticket book, read for those who ask."""

from typing import Any

from agent.store.reader import Reader

_FIELDS = "id, correlation, title, body, priority, service, drill, state, opened_at, changed_at"


def tickets(reader: Reader, *, closed: bool, limit: int) -> list[dict[str, Any]]:
    """Return tickets, newest first: the open ones, or all."""
    which = "1" if closed else "state = 'open'"
    query = f"SELECT {_FIELDS} FROM book_tickets WHERE {which} ORDER BY id DESC LIMIT ?"  # noqa: S608 - constants
    with reader.opened() as connection:
        return [dict(row) for row in connection.execute(query, (limit,))]


def ticket(reader: Reader, number: int) -> dict[str, Any] | None:
    """Return one ticket with its comments; None if there is none."""
    with reader.opened() as connection:
        row = connection.execute(f"SELECT {_FIELDS} FROM book_tickets WHERE id = ?", (number,)).fetchone()  # noqa: S608 - constants
        if row is None:
            return None
        comments = connection.execute(
            "SELECT comment, made_at FROM book_comments WHERE ticket = ? ORDER BY made_at, key", (number,)
        )
        return {**dict(row), "comments": [dict(each) for each in comments]}
