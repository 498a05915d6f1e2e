"""Reading what is durable: read-only connections for the API, the CLI and the pages. Each call is one short read."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.incidents.incident import Incident
from agent.itsm.changes import Change
from agent.itsm.problems import Problem
from agent.store import documents
from agent.store.database import read_only

_READ_SECONDS = 5.0
_CHANGES = {
    "open": "WHERE state IN ('proposed', 'approved', 'in-progress')",
    "unreviewed": "WHERE wanted = 1 AND state NOT IN ('proposed', 'approved', 'in-progress')",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Incidents, when somebody first took them (wall seconds by incident), and problems that are not closed."""

    incidents: tuple[Incident, ...]
    acknowledged: Mapping[str, float]
    problems: tuple[Problem, ...]
    changes: tuple[Change, ...]
    """Those that ended in the period, and those about which there is something to do."""


class Reader:
    """Opens the state file anew for each call, so no read ever holds a snapshot for long. Safe from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for one short read."""
        connection = sqlite3.connect(read_only(self._path), uri=True, timeout=_READ_SECONDS)
        connection.row_factory = sqlite3.Row
        try:
            yield connection
        finally:
            connection.close()

    def incidents(self, states: tuple[str, ...] = (), limit: int = 100) -> list[dict[str, Any]]:
        """Return incidents, newest first; all that are not closed when no state is named."""
        condition = f"state IN ({','.join('?' * len(states))})" if states else "state != 'closed'"
        query = f"SELECT document FROM incidents WHERE {condition} ORDER BY opened_at DESC LIMIT ?"  # noqa: S608 - only question marks
        with self.opened() as connection:
            return [json.loads(row["document"]) for row in connection.execute(query, (*states, limit))]

    def incident(self, incident_id: str) -> dict[str, Any] | None:
        """Return one incident with its timeline, runs and tickets; None if there is none."""
        with self.opened() as connection:
            row = connection.execute("SELECT document FROM incidents WHERE id = ?", (incident_id,)).fetchone()
            if row is None:
                return None
            return {
                **json.loads(row["document"]),
                "timeline": _rows(
                    connection,
                    "SELECT id, at, incident_id, revision, event, reason, guard, state, actor, detail"
                    " FROM audit WHERE incident_id = ? ORDER BY id",
                    incident_id,
                ),
                "runs": _rows(connection, "SELECT * FROM runs WHERE incident_id = ? ORDER BY started_at", incident_id),
                "changes": [
                    json.loads(each["document"])
                    for each in _rows(
                        connection,
                        "SELECT document FROM changes WHERE incident_id = ? ORDER BY opened_at, id",
                        incident_id,
                    )
                ],
                "ticket_links": _rows(connection, "SELECT * FROM tickets WHERE incident_id = ?", incident_id),
                "effects": _rows(
                    connection,
                    "SELECT id, key, kind, target, state, attempts, created_at, settled_at, reason"
                    " FROM outbox WHERE incident_id = ? ORDER BY id",
                    incident_id,
                ),
            }

    def lasting(self, start: float, end: float) -> tuple[Incident, ...]:
        """Return the incidents that were open at some time of a period, by when they were opened."""
        with self.opened() as connection:
            return _lasting(connection, start, end)

    def record(self, start: float, end: float) -> Record:
        """Return what a report on a period is made of: incidents that were open in it, and when they were taken."""
        taken = (
            "SELECT incident_id, min(at) FROM audit WHERE reason = 'acknowledged' AND at >= ? AND at < ?"
            " GROUP BY incident_id"
        )
        known = "SELECT document FROM problems WHERE opened_at < ? AND state != 'closed' ORDER BY id"
        changed = (
            "SELECT document FROM changes WHERE opened_at < ? AND (wanted = 1 OR updated_at >= ?)"
            " ORDER BY opened_at, id"
        )
        with self.opened() as connection:
            return Record(
                incidents=_lasting(connection, start, end),
                acknowledged=dict(map(tuple, connection.execute(taken, (start, end)))),
                problems=tuple(documents.problem(text) for (text,) in connection.execute(known, (end,))),
                changes=tuple(documents.change(text) for (text,) in connection.execute(changed, (end, start))),
            )

    def problems(self, *, closed: bool = False, limit: int = 1000) -> list[dict[str, Any]]:
        """Return problems, newest first: the open ones, or all."""
        condition = "" if closed else "WHERE state != 'closed'"
        query = f"SELECT document FROM problems {condition} ORDER BY opened_at DESC LIMIT ?"  # noqa: S608 - a constant
        with self.opened() as connection:
            return [json.loads(row["document"]) for row in connection.execute(query, (limit,))]

    def problem(self, problem_id: str) -> dict[str, Any] | None:
        """Return one problem; None if there is none."""
        with self.opened() as connection:
            row = connection.execute("SELECT document FROM problems WHERE id = ?", (problem_id,)).fetchone()
            asked = "SELECT id, state FROM changes WHERE key = ? ORDER BY opened_at"
            changes = _rows(connection, asked, f"problem:{problem_id}")
            return {**json.loads(row["document"]), "changes": changes} if row is not None else None

    def changes(self, state: str = "all", limit: int = 1000) -> list[dict[str, Any]]:
        """Return changes, newest first: those that are "open", those that are over and "unreviewed", or all."""
        condition = _CHANGES.get(state, "")
        query = f"SELECT document FROM changes {condition} ORDER BY opened_at DESC, id LIMIT ?"  # noqa: S608 - a constant
        with self.opened() as connection:
            return [json.loads(row["document"]) for row in connection.execute(query, (limit,))]

    def change(self, change_id: str) -> dict[str, Any] | None:
        """Return one change with the tickets that tell of it: its own, or its incident's; None if there is none."""
        with self.opened() as connection:
            row = connection.execute("SELECT document FROM changes WHERE id = ?", (change_id,)).fetchone()
            if row is None:
                return None
            change = json.loads(row["document"])
            about = change["incident"] or change_id
            return {**change, "ticket_links": _rows(connection, "SELECT * FROM tickets WHERE incident_id = ?", about)}

    def drills(self, limit: int = 1000) -> list[dict[str, Any]]:
        """Return what drills came to, newest first."""
        query = "SELECT document FROM drills ORDER BY held_at DESC, id LIMIT ?"
        with self.opened() as connection:
            return [json.loads(row["document"]) for row in connection.execute(query, (limit,))]

    def drafts(self) -> list[dict[str, Any]]:
        """Return the drafts of articles, newest first: name, text, incident_id, written_at."""
        with self.opened() as connection:
            rows = connection.execute("SELECT name, text, incident_id, written_at FROM drafts ORDER BY written_at DESC")
            return [dict(row) for row in rows]

    def timeline(self, incident_id: str) -> tuple[Incident, list[dict[str, Any]]] | None:
        """Return one incident and what happened to it, as drafts are made of them; None if there is none."""
        with self.opened() as connection:
            row = connection.execute("SELECT document FROM incidents WHERE id = ?", (incident_id,)).fetchone()
            if row is None:
                return None
            query = "SELECT at, reason, guard, actor, detail FROM audit WHERE incident_id = ? ORDER BY id"
            return documents.incident(row["document"]), _rows(connection, query, incident_id)

    def undelivered(self) -> list[dict[str, Any]]:
        """Return who is owed something that was tried in vain: how much waits, since when, and why."""
        with self.opened() as connection:
            return _rows(
                connection,
                "SELECT target, count(*) AS waiting, min(created_at) AS since, max(reason) AS reason FROM outbox"
                " WHERE state IN ('pending', 'running') GROUP BY target HAVING max(reason) != '' LIMIT ?",
                100,
            )

    def dead_letters(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return effects that will never be delivered, newest first, each with its reason."""
        with self.opened() as connection:
            return _rows(
                connection,
                "SELECT id, key, kind, target, incident_id, attempts, created_at, reason"
                " FROM outbox WHERE state = 'dead' ORDER BY id DESC LIMIT ?",
                limit,
            )

    def quarantined(self, limit: int = 20) -> list[dict[str, Any]]:
        """Return rows that were set aside because they could not be read, newest first, without their content."""
        query = "SELECT id, place, key, error, at AS set_aside_at FROM quarantined ORDER BY id DESC LIMIT ?"
        with self.opened() as connection:
            return _rows(connection, query, limit)


def _lasting(connection: sqlite3.Connection, start: float, end: float) -> tuple[Incident, ...]:
    query = (
        "SELECT document FROM incidents WHERE opened_at < ?"
        " AND (updated_at >= ? OR state NOT IN ('resolved', 'closed')) ORDER BY opened_at, id"
    )
    return tuple(documents.incident(text) for (text,) in connection.execute(query, (end, start)))


def _rows(connection: sqlite3.Connection, query: str, argument: object) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query, (argument,))]
