"""Every statement that changes the state."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

from agent.incidents.decision import Decision
from agent.incidents.effects import Effect
from agent.incidents.incident import Attempt, Incident
from agent.incidents.posted import Held
from agent.incidents.replay import Taken
from agent.incidents.silences import Silence
from agent.itsm.changes import OPEN, Change
from agent.itsm.problems import Occurrence, Problem
from agent.store.database import Statement, Write
from agent.store.documents import encode, silence_text
from remediations.standing import Standing
from rules.alert import Alert

T = TypeVar("T")
_ROWS = 100
"""Of one statement."""
MOST_DRAFTS = 200
MOST_DRILLS = 500
"""The oldest make room for new ones."""


def put_incident(incident: Incident) -> Write:
    return (
        "INSERT OR REPLACE INTO incidents VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            incident.id,
            incident.key,
            incident.state,
            incident.priority,
            incident.opened_at,
            incident.updated_at,
            incident.parent,
            encode(incident),
        ),
    )


def put_alert(alert: Alert) -> Write:
    return ("INSERT OR REPLACE INTO alerts VALUES (?, ?, ?)", (alert.fingerprint, alert.state, encode(alert)))


def drop_alert(fingerprint: str) -> Write:
    return ("DELETE FROM alerts WHERE fingerprint = ?", (fingerprint,))


def audit(at: float, event: str, decision: Decision, taken: Taken | None = None) -> Write:
    """Put a decision on record, with what it was taken on where a remediation was asked for."""
    incident = decision.incident
    return (
        """INSERT INTO audit (at, incident_id, revision, event, reason, guard, state, actor, detail, inputs)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            at,
            incident.id,
            incident.revision,
            event,
            decision.reason,
            decision.guard or "",
            incident.state,
            decision.actor,
            decision.detail,
            encode(taken) if taken is not None and taken.situation.steps else None,
        ),
    )


def audit_order(at: float, event: str, *, actor: str, detail: str) -> Write:
    """Put on record what somebody ordered that is not about one incident."""
    return (
        """INSERT INTO audit (at, incident_id, revision, event, reason, guard, state, actor, detail)
        VALUES (?, '', 0, ?, 'ordered', '', '', ?, ?)""",
        (at, event, actor, detail),
    )


def drop_orders(before: float) -> Write:
    return ("DELETE FROM audit WHERE incident_id = '' AND at < ?", (before,))


def put_silence(silence: Silence) -> Write:
    return ("INSERT OR REPLACE INTO silences VALUES (?, ?, ?)", (silence.id, silence.ends_at, silence_text(silence)))


def drop_silences(before: float) -> Write:
    return ("DELETE FROM silences WHERE ends_at < ?", (before,))


def start_run(incident: Incident, attempt: Attempt) -> Write:
    return (
        "INSERT INTO runs (run_id, incident_id, remediation, resource, action, started_at) VALUES (?, ?, ?, ?, ?, ?)",
        (attempt.run_id, incident.id, attempt.remediation, attempt.resource, attempt.action, attempt.started_at),
    )


def end_run(run_id: str, *, at: float, outcome: str, exit_code: int | None, output: str, diagnostics: str) -> Write:
    return (
        "UPDATE runs SET ended_at = ?, outcome = ?, exit_code = ?, output = ?, diagnostics = ? WHERE run_id = ?",
        (at, outcome, exit_code, output, diagnostics or None, run_id),
    )


def drop_run(run_id: str) -> Write:
    return ("DELETE FROM runs WHERE run_id = ?", (run_id,))


def put_passes(remediation: str, resource: str, count: int, unhealthy_at: float) -> Write:
    return ("INSERT OR REPLACE INTO passes VALUES (?, ?, ?, ?)", (remediation, resource, count, unhealthy_at))


def put_standing(scope: str, name: str, standing: Standing) -> Write:
    return ("INSERT OR REPLACE INTO standings VALUES (?, ?, ?)", (scope, name, encode(standing)))


def owe(row: int, effect: Effect, payload: str, now: float) -> Write:
    return (
        """INSERT INTO outbox (id, key, kind, lane, target, incident_id, payload, state, attempts, not_before, owner,
        claim, created_at, reason) VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', 0, 0, '', '', ?, '')""",
        (row, effect.key, effect.kind, effect.lane, effect.target, effect.incident_id, payload, now),
    )


def claim(row: int, *, owner: str, claim_id: str) -> Write:
    return (
        "UPDATE outbox SET state = 'running', attempts = attempts + 1, owner = ?, claim = ? WHERE id = ?",
        (owner, claim_id, row),
    )


def settle(row: int, *, state: str, at: float, reason: str) -> Write:
    return ("UPDATE outbox SET state = ?, settled_at = ?, reason = ? WHERE id = ?", (state, at, reason, row))


def postpone(row: int, *, not_before: float, reason: str) -> Write:
    return ("UPDATE outbox SET state = 'pending', not_before = ?, reason = ? WHERE id = ?", (not_before, reason, row))


def receive(row: int, *, at: float, origin: str, body: bytes) -> Write:
    return ("INSERT INTO inbox VALUES (?, ?, ?, ?)", (row, at, origin, body))


def applied(row: int) -> Write:
    """Forget the rows of the inbox up to this one."""
    return ("DELETE FROM inbox WHERE id <= ?", (row,))


def put_posted(alerts: Iterable[Held]) -> Write:
    """Write posted alerts down, many rows a statement: with one each, the statements would cost more than the rows."""
    rows = [_posted(alert) for alert in alerts]

    def write(connection: sqlite3.Connection) -> None:
        for part in _parts(rows):
            places = ",".join(["(?, ?, ?, ?, ?, ?, ?, ?)"] * len(part))
            connection.execute(f"INSERT OR REPLACE INTO posted VALUES {places}", list(chain.from_iterable(part)))  # noqa: S608 - only question marks

    return write


def _posted(a: Held) -> tuple[object, ...]:
    texts = (a.identity.decode(), a.rest.decode(), a.origin)  # sqlite3 takes longer over bytes
    return (a.row, *texts, a.active_at, a.fired_at, a.until, a.state.value)


def drop_posted(rows: Sequence[int]) -> Write:
    def write(connection: sqlite3.Connection) -> None:
        for part in _parts(rows):
            connection.execute(f"DELETE FROM posted WHERE id IN ({','.join('?' * len(part))})", part)  # noqa: S608 - only question marks

    return write


def shift_posted(delta: float) -> Write:
    return ("UPDATE posted SET until = until + ?", (delta,))


def _parts(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    return (rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS))


def put_ticket(incident_id: str, system: str, link: tuple[str, str, str], at: float) -> Statement:
    """Remember where the ticket is; `link` is its id, address and state at the far end."""
    return ("INSERT OR REPLACE INTO tickets VALUES (?, ?, ?, ?, ?, ?)", (incident_id, system, *link, at))


def shift_counters(delta: float) -> list[Write]:
    """Move the instants that guard counters are rebuilt from, when the clock that wrote them was wrong."""
    return [
        ("UPDATE runs SET started_at = started_at + ?1, ended_at = ended_at + ?1", (delta,)),
        ("UPDATE passes SET unhealthy_at = unhealthy_at + ?", (delta,)),
    ]


def shift_outside(delta: float) -> list[Write]:
    """Move since when effects are owed and tickets of the book open, when the clock that wrote that was wrong."""
    return [
        ("UPDATE outbox SET created_at = created_at + ? WHERE state IN ('pending', 'running')", (delta,)),
        (
            "UPDATE book_tickets SET opened_at = opened_at + ?1, changed_at = changed_at + ?1 WHERE state = 'open'",
            (delta,),
        ),
    ]


def put_problem(problem: Problem) -> Write:
    row = (problem.id, problem.subject, problem.state, problem.opened_at, encode(problem))
    return ("INSERT OR REPLACE INTO problems VALUES (?, ?, ?, ?, ?)", row)


def count_occurrence(seen: Occurrence) -> Write:
    return (
        "INSERT INTO occurrences (at, subject, family, incident_id, happening) VALUES (?, ?, ?, ?, ?)",
        (seen.at, seen.key, seen.family, seen.incident, seen.happening),
    )


def forget_occurrences(subject: str) -> Write:
    """Start the count of a subject, or of a whole family, again."""
    return ("DELETE FROM occurrences WHERE ?1 IN (subject, family)", (subject,))


def drop_occurrences(before: float) -> Write:
    return ("DELETE FROM occurrences WHERE at <= ?", (before,))


def put_change(change: Change) -> Write:
    wanted = change.state in OPEN or change.unreviewed
    names = (change.id, change.key, change.type, change.kind, change.state, change.incident)
    row = (*names, change.opened_at, change.updated_at, int(wanted), encode(change))
    return ("INSERT OR REPLACE INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def drop_changes(before: float, most: int) -> Write:
    """Forget what was closed long ago, the oldest first; what somebody has to look at never."""
    old = "SELECT id FROM changes WHERE wanted = 0 AND updated_at < ? ORDER BY updated_at LIMIT ?"
    return (f"DELETE FROM changes WHERE id IN ({old})", (before, most))  # noqa: S608 - a constant


def put_drill(result: Mapping[str, Any], at: float) -> list[Statement]:
    """Keep what a drill came to; of the oldest there are not more than `MOST_DRILLS`."""
    keep = "SELECT id FROM drills ORDER BY held_at DESC LIMIT ?"
    return [
        ("INSERT OR REPLACE INTO drills VALUES (?, ?, ?)", (result["drill"], at, json.dumps(result))),
        (f"DELETE FROM drills WHERE id NOT IN ({keep})", (MOST_DRILLS,)),  # noqa: S608 - a constant
    ]


def collect(digest: str, incident_id: str, notice: Mapping[str, Any], at: float) -> Statement:
    """Put a notice by for a digest: of one incident only the last is kept, and how many there were."""
    headline = str(notice["text"]).partition("\n")[0]
    return (
        """INSERT INTO collected VALUES (?1, ?2, ?3, ?4, ?4, 1, ?5, ?6) ON CONFLICT (digest, incident_id) DO UPDATE
        SET priority = ?3, last_at = ?4, times = times + 1, subject = ?5, text = ?6""",
        (digest, incident_id, notice["priority"], at, notice["subject"], headline),
    )


def put_draft(name: str, incident_id: str, text: str, at: float) -> list[Statement]:
    """Keep the draft of an article; one that is there already stays as it is."""
    keep = "SELECT name FROM drafts ORDER BY written_at DESC, name LIMIT ?"
    return [
        ("INSERT OR IGNORE INTO drafts VALUES (?, ?, ?, ?)", (name, incident_id, at, text)),
        (f"DELETE FROM drafts WHERE name NOT IN ({keep})", (MOST_DRAFTS,)),  # noqa: S608 - a constant
    ]
