"""Published reports, suggestions and reviews in the database: written by the engine, read by everybody."""

import sqlite3
import zlib
from typing import Any

import msgspec

from agent.itsm.evidence import Evidence
from agent.itsm.review import Review
from agent.itsm.suggestions import Suggestion
from agent.store.database import Write

_evidence = msgspec.json.Decoder(Evidence)
_suggestion = msgspec.json.Decoder(Suggestion)
_review = msgspec.json.Decoder(Review)
_COLUMNS = "id, name, start, end, made_at, made_by, digest"


def encoded(known: Evidence) -> bytes:
    """Return evidence as it is kept."""
    return zlib.compress(msgspec.json.encode(known))


def put_report(report: tuple[str, str, float, float], at: float, by: str, digest: str, evidence: bytes) -> Write:
    """Keep a report: id, name, start, end; when it was made, by whom, what it looks like and what it is made of."""
    return ("INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*report, at, by, digest, evidence))


def put_suggestion(suggestion: Suggestion) -> Write:
    """Keep a suggestion, unless the one that is there has been changed later."""
    return (
        """INSERT INTO suggestions VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
        state = excluded.state, updated_at = excluded.updated_at, document = excluded.document
        WHERE suggestions.updated_at <= excluded.updated_at""",
        (suggestion.id, suggestion.state, suggestion.updated_at, msgspec.json.encode(suggestion).decode()),
    )


def put_review(review: Review) -> Write:
    return ("INSERT INTO reviews VALUES (?, ?, ?)", (review.id, review.at, msgspec.json.encode(review).decode()))


def has_report(connection: sqlite3.Connection, report_id: str) -> bool:
    return connection.execute("SELECT 1 FROM reports WHERE id = ?", (report_id,)).fetchone() is not None


def newest(connection: sqlite3.Connection, name: str) -> float | None:
    """Return until when reports of this name have gone (wall seconds); None: there has never been one."""
    (end,) = connection.execute("SELECT max(end) FROM reports WHERE name = ?", (name,)).fetchone()
    return float(end) if end is not None else None


def reports(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return what was published, newest first: id, name, start, end, made_at, made_by, digest."""
    query = f"SELECT {_COLUMNS} FROM reports WHERE evidence != x'' ORDER BY made_at DESC, id"  # noqa: S608 - a constant
    names = _COLUMNS.split(", ")
    return [dict(zip(names, row, strict=True)) for row in connection.execute(query)]


def evidence(connection: sqlite3.Connection, report_id: str) -> tuple[Evidence, str] | None:
    """Return what a report was computed from, and its digest; None if there is no such report."""
    row = connection.execute("SELECT evidence, digest FROM reports WHERE id = ?", (report_id,)).fetchone()
    return (_evidence.decode(zlib.decompress(row[0])), row[1]) if row is not None and row[0] else None


def suggestions(connection: sqlite3.Connection, *, closed: bool = True) -> tuple[Suggestion, ...]:
    condition = "" if closed else "WHERE state = 'open'"
    query = f"SELECT document FROM suggestions {condition} ORDER BY id"  # noqa: S608 - a constant
    return tuple(_suggestion.decode(text) for (text,) in connection.execute(query))


def suggestion(connection: sqlite3.Connection, suggestion_id: str) -> Suggestion | None:
    row = connection.execute("SELECT document FROM suggestions WHERE id = ?", (suggestion_id,)).fetchone()
    return _suggestion.decode(row[0]) if row is not None else None


def reviews(connection: sqlite3.Connection) -> list[Review]:
    """Return all reviews, newest first."""
    return [_review.decode(text) for (text,) in connection.execute("SELECT document FROM reviews ORDER BY at DESC, id")]
