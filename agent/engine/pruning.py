"""Forgetting what is over, the oldest first: after its time, and sooner while the record takes more room than it may.

Open incidents are never forgotten, nor changes, problems and effects that somebody or something still has work with.
"""

from agent.engine import silencing
from agent.engine.parts import Parts
from agent.store import writes
from agent.store.database import Write
from agent.telemetry import log, metrics

_log = log.get("engine")
EVERY_SECONDS = 3600.0
_HURRY_SECONDS = 60.0
"""How soon more is forgotten while there is too much."""
_ROWS = 500
"""Incidents and changes forgotten at once: pruning goes in small steps."""
_SENT_DAYS = 7 * 86400.0
_RESOLVED_SECONDS = 3600.0
"""An Alertmanager that has not heard of an alert's end by then has let it expire."""
_LEAST_SHARE = 0.02
"""Of the time on record that is forgotten at once, at least."""

_REPORTED = "SELECT max(end) FROM reports r WHERE r.name = reports.name"
"""The newest of a name tells what has been reported already."""
_SOLVED_AT = "coalesce(json_extract(document, '$.closed_at'), opened_at)"
_OLDEST = f"""SELECT min(at) FROM (
SELECT min(updated_at) AS at FROM incidents WHERE state = 'closed'
UNION ALL SELECT min(updated_at) FROM changes WHERE wanted = 0
UNION ALL SELECT min({_SOLVED_AT}) FROM problems WHERE state = 'closed'
UNION ALL SELECT min(changed_at) FROM book_tickets WHERE state = 'closed'
UNION ALL SELECT min(made_at) FROM reports WHERE end < ({_REPORTED})
UNION ALL SELECT min(at) FROM capacity_hours
UNION ALL SELECT * FROM (SELECT at FROM audit WHERE incident_id = '' ORDER BY id LIMIT 1))"""  # noqa: S608 - constants


def prune(parts: Parts, now: float) -> tuple[list[Write], float]:
    """Return what must be written, and after how many seconds to come again."""
    keep = parts.orders.keep
    pressed = _pressed(parts, now)
    old = max(now - keep.incidents, pressed)
    due = [
        *silencing.prune(parts.situations.muting, now),
        *parts.desk.problems.prune(now),
        *parts.desk.changes.prune(now),
        *_spent(now - keep.output, max(now - _SENT_DAYS, pressed), now),
        *_over(old),
        ("DELETE FROM capacity_hours WHERE at < ?", (max(now - keep.rollups, pressed),)),
        ("DELETE FROM capacity_subjects WHERE plan = '' AND id NOT IN (SELECT subject FROM capacity_hours)", ()),
    ]
    return due, _HURRY_SECONDS if pressed else EVERY_SECONDS


def _pressed(parts: Parts, now: float) -> float:
    """Return up to when (wall seconds) things are forgotten although their time is not over; 0: there is room."""
    used, most = parts.database.used_bytes(), parts.orders.keep.disk
    metrics.STATE_LIMIT.set(most)
    if used <= most:
        return 0.0
    (oldest,) = parts.database.connection.execute(_OLDEST).fetchone()
    if oldest is None or oldest >= now:
        _log.warning("the record is too large, and all of it is open work", bytes=used, most=int(most))
        return 0.0
    until: float = oldest + (now - oldest) * max(1.0 - most / used, _LEAST_SHARE)
    _log.warning("the record is too large: the oldest is forgotten", bytes=used, most=int(most), until=round(until))
    return until


def _spent(output: float, sent: float, now: float) -> list[Write]:
    """Forget what belongs to things that stay: their output, what was sent, alerts that are over."""
    return [
        ("UPDATE runs SET output = NULL, diagnostics = NULL WHERE output IS NOT NULL AND ended_at < ?", (output,)),
        ("UPDATE audit SET inputs = NULL WHERE inputs IS NOT NULL AND at < ?", (output,)),
        ("DELETE FROM outbox WHERE state = 'done' AND settled_at < ?", (sent,)),
        (
            "DELETE FROM alerts WHERE state = 'resolved' AND json_extract(document, '$.resolved_at') < ?",
            (now - _RESOLVED_SECONDS,),
        ),
    ]


def _over(before: float) -> list[Write]:
    """Forget what was over before then, with everything that hangs on it."""
    gone = f"SELECT id FROM incidents WHERE state = 'closed' AND updated_at < ? ORDER BY updated_at LIMIT {_ROWS}"  # noqa: S608 - a constant
    noted = "SELECT id FROM book_tickets WHERE state = 'closed' AND changed_at < ?"
    return [
        writes.drop_orders(before),
        (f"DELETE FROM reports WHERE made_at < ? AND end < ({_REPORTED})", (before,)),  # noqa: S608 - a constant
        ("DELETE FROM suggestions WHERE state = 'closed' AND updated_at < ?", (before,)),
        ("DELETE FROM reviews WHERE at < ?", (before,)),
        writes.drop_changes(before, _ROWS),
        ("DELETE FROM tickets WHERE incident_id GLOB 'CHG-*' AND incident_id NOT IN (SELECT id FROM changes)", ()),
        (f"DELETE FROM problems WHERE state = 'closed' AND {_SOLVED_AT} < ?", (before,)),  # noqa: S608 - a constant
        ("DELETE FROM outbox WHERE state IN ('dead', 'interrupted') AND created_at < ?", (before,)),
        (f"DELETE FROM book_comments WHERE ticket IN ({noted})", (before,)),  # noqa: S608 - a constant
        (f"DELETE FROM book_tickets WHERE id IN ({noted})", (before,)),  # noqa: S608 - a constant
        *(
            (f"DELETE FROM {table} WHERE incident_id IN ({gone})", (before,))  # noqa: S608 - a constant
            for table in ("audit", "runs", "tickets")
        ),
        (f"DELETE FROM incidents WHERE id IN ({gone})", (before,)),  # noqa: S608 - a constant
    ]
