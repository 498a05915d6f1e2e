"""Rows that cannot be read or applied at a start: set aside as they are, and told of. Those beside them go on."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, TypeVar

from agent.store.database import Database, Statement, Write
from agent.telemetry import log

T = TypeVar("T")
_log = log.get("store")
FOREIGN = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What a row may cause that is not as this program would have written it. A file that is damaged is another matter."""
_LONGEST = 300
"""Characters of a reason."""
_OWED = "SELECT id FROM outbox WHERE incident_id = CAST(? AS TEXT) AND state IN ('pending', 'running')"
_WHOLE: Statement = ("", ())


def each(
    database: Database, table: str, columns: str, take: Callable[..., object], *, where: Statement = _WHOLE
) -> None:
    """Give the columns of every row to `take`, one by one: there may be very many. What it cannot take is set aside."""
    keys = _keys(database, table)
    rest, parameters = where
    query = f"SELECT {columns}, {', '.join(f'{table}.{key}' for key in keys)} FROM {table} {rest}"  # noqa: S608 - our names
    foreign: list[tuple[Sequence[Any], Exception]] = []
    with _as_it_stands(database):
        for row in database.connection.execute(query, parameters):
            try:
                take(*row[: -len(keys)])
            except FOREIGN as error:
                foreign.append((row[-len(keys) :], error))
    for key, wrong in foreign:
        set_aside(database, table, key, wrong)


def meta(database: Database, key: str, decode: Callable[[str], T], default: T, instead: Sequence[Write] = ()) -> T:
    """Return what stands under a key of the table `meta`. What cannot be read is set aside, and `instead` written."""
    found = _fetched(database, "SELECT value FROM meta WHERE key = ?", (key,))
    try:
        return decode(str(found[0][0])) if found else default
    except FOREIGN as error:
        set_aside(database, "meta", (key,), error, instead)
        return default


def set_aside(
    database: Database, table: str, key: Sequence[Any], error: Exception, instead: Sequence[Write] = ()
) -> None:
    """Move a row out of the way. With an incident goes what it owes: nothing is done for what nobody can read."""
    reason = log.printable(f"{type(error).__name__}: {error}"[:_LONGEST])
    moves = _moves(database, table, key, reason)
    if table == "incidents":
        for owed in _fetched(database, _OWED, [_bound(each) for each in key]):
            moves += _moves(database, "outbox", owed, "its incident is set aside")
    database.commit([*moves, *instead])
    _log.error("cannot be read or applied: set aside", table=table, key=_spelled(key), reason=reason)


def count(database: Database) -> int:
    """Return how many rows are set aside."""
    return int(database.connection.execute("SELECT count(*) FROM quarantined").fetchone()[0])


def orders(database: Database) -> frozenset[str]:
    """Return the keys of the effects that are set aside."""
    query = "SELECT json_extract(content, '$.key') FROM quarantined WHERE place = 'outbox'"
    return frozenset(str(key) for (key,) in database.connection.execute(query))


def _moves(database: Database, table: str, key: Sequence[Any], reason: str) -> list[Write]:
    """Return the writes that move a row, with what stands in it."""
    where = " AND ".join(
        f"{name} IS {'CAST(? AS TEXT)' if isinstance(value, str) else '?'}"
        for name, value in zip(_keys(database, table), key, strict=True)
    )
    bound = tuple(map(_bound, key))
    with closing(database.connection.execute(f"SELECT * FROM {table} LIMIT 0")) as cursor:  # noqa: S608 - our names
        names = [column[0] for column in cursor.description]
    (values,) = _fetched(database, f"SELECT * FROM {table} WHERE {where}", bound)  # noqa: S608 - our names
    content = json.dumps(dict(zip(names, values, strict=True)), default=_text)
    row = (time.time(), table, log.printable(_spelled(key)), content, reason)
    return [
        ("INSERT INTO quarantined (at, place, key, content, error) VALUES (?, ?, ?, ?, ?)", row),
        (f"DELETE FROM {table} WHERE {where}", bound),  # noqa: S608 - our names
    ]


def _keys(database: Database, table: str) -> list[str]:
    rows = database.connection.execute(f"PRAGMA table_info({table})").fetchall()
    return [name for _, name, _, _, _, key in rows if key]


def _fetched(database: Database, query: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with _as_it_stands(database):
        return database.connection.execute(query, parameters).fetchall()


@contextmanager
def _as_it_stands(database: Database) -> Iterator[None]:
    """Read rows, also where text is none: whoever takes it says so."""
    database.connection.text_factory = _text
    try:
        yield
    finally:
        database.connection.text_factory = str


def _text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")


def _bound(value: object) -> object:
    """Return a key as a parameter: what is no text cannot be bound as text."""
    return value.encode(errors="surrogateescape") if isinstance(value, str) else value


def _spelled(key: Sequence[Any]) -> str:
    return "/".join(map(str, key))
