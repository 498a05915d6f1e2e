"""Hourly roll-ups of capacity, forecasts and what was asked for because of them: statements, and short reads."""

import sqlite3
from collections.abc import Iterator

import msgspec

from agent.itsm.capacity import Hour
from agent.itsm.capacity_plan import FORGOTTEN_SECONDS, Outlook, Plan, Subject
from agent.store.database import Write
from agent.store.documents import encode

_outlook = msgspec.json.Decoder(Outlook)
_plan = msgspec.json.Decoder(Plan)


def put_outlook(outlook: Outlook) -> Write:
    put = (
        "INSERT INTO capacity_subjects (resource, subject, outlook, plan) VALUES (?, ?, ?, '')"
        " ON CONFLICT (resource, subject) DO UPDATE SET outlook = excluded.outlook"
    )
    return (put, (outlook.subject.resource, outlook.subject.name, encode(outlook)))


def put_plan(subject: Subject, plan: Plan | None) -> Write:
    text = encode(plan) if plan is not None else ""
    where = (subject.resource, subject.name)
    return ("UPDATE capacity_subjects SET plan = ? WHERE resource = ? AND subject = ?", (text, *where))


def put_hour(subject: Subject, hour: Hour) -> Write:
    """Keep a roll-up of a subject that has an outlook; the one of that instant that is there stays."""
    found = "SELECT id, ?, ?, ?, ?, ? FROM capacity_subjects WHERE resource = ? AND subject = ?"
    values = (round(hour.at), hour.low, hour.mean, hour.high, hour.limit)
    return (f"INSERT OR IGNORE INTO capacity_hours {found}", (*values, subject.resource, subject.name))


def plans(connection: sqlite3.Connection) -> Iterator[tuple[Outlook, Plan]]:
    """Yield what was asked for because of subjects, and is not answered yet, with the newest outlook on each."""
    return ((outlook, plan) for outlook, plan in outlooks(connection, 0.0) if plan is not None)


def outlooks(connection: sqlite3.Connection, now: float) -> Iterator[tuple[Outlook, Plan | None]]:
    """Yield the newest outlook on every subject that was measured not too long before `now`, and the plan there is."""
    for text, plan in connection.execute("SELECT outlook, plan FROM capacity_subjects ORDER BY resource, subject"):
        outlook = _outlook.decode(text)
        if now - outlook.measured_at < FORGOTTEN_SECONDS:
            yield outlook, _plan.decode(plan) if plan else None


def hours(connection: sqlite3.Connection, subject: Subject, since: float, until: float) -> list[Hour]:
    """Return the roll-ups of a subject in a span of time, the oldest first."""
    query = (
        "SELECT at, low, mean, high, size FROM capacity_hours WHERE at > ? AND at <= ?"
        " AND subject = (SELECT id FROM capacity_subjects WHERE resource = ? AND subject = ?) ORDER BY at"
    )
    rows = connection.execute(query, (since, until, subject.resource, subject.name))
    return [Hour(at=at, low=low, mean=mean, high=high, limit=size) for at, low, mean, high, size in rows]
