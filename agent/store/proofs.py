"""The records of a period, as controls are proven by them: kind, id, time and author of each."""

import sqlite3
from collections.abc import Iterator, Mapping

from agent.itsm.controls import Fact

_REAL = "incident_id NOT IN (SELECT id FROM incidents WHERE coalesce(json_extract(document, '$.drill'), 0))"
"""What was practised proves that it was practised, and nothing else."""
_QUERIES: Mapping[str, str] = {
    "incident": """SELECT id, opened_at, '' FROM incidents WHERE opened_at >= :start AND opened_at < :end
        AND NOT coalesce(json_extract(document, '$.drill'), 0)""",
    "drill": """SELECT id, opened_at, '' FROM incidents WHERE opened_at >= :start AND opened_at < :end
        AND coalesce(json_extract(document, '$.drill'), 0)""",
    "ticket": f"""SELECT system || ':' || ticket_id, updated_at, '' FROM tickets
        WHERE updated_at >= :start AND updated_at < :end AND {_REAL}""",  # noqa: S608 - a constant
    "problem": "SELECT id, opened_at, '' FROM problems WHERE opened_at >= :start AND opened_at < :end",
    "change": """SELECT id, opened_at, json_extract(document, '$.requested_by') FROM changes
        WHERE opened_at >= :start AND opened_at < :end AND NOT coalesce(json_extract(document, '$.drill'), 0)""",
    "approval": f"""SELECT incident_id, at, actor FROM audit WHERE reason = 'approved'
        AND at >= :start AND at < :end AND {_REAL}""",  # noqa: S608 - a constant
    "rejection": f"""SELECT incident_id, at, actor FROM audit WHERE reason IN ('approval_rejected', 'approval_refused')
        AND at >= :start AND at < :end AND {_REAL}""",  # noqa: S608 - a constant
    "promise": f"""SELECT incident_id, at, '' FROM audit WHERE reason IN ('promise_at_risk', 'promise_broken')
        AND at >= :start AND at < :end AND {_REAL}""",  # noqa: S608 - a constant
    "refusal": f"""SELECT incident_id || ':' || guard, at, '' FROM audit WHERE guard != ''
        AND at >= :start AND at < :end AND {_REAL}""",  # noqa: S608 - a constant
    "silence": """SELECT substr(detail, 1, instr(detail || ' ', ' ') - 1), at, actor FROM audit
        WHERE reason = 'ordered' AND event LIKE 'silence_%' AND at >= :start AND at < :end""",
    "override": """SELECT substr(detail, 1, instr(detail || ':', ':') - 1), at, actor FROM audit
        WHERE reason = 'ordered' AND event LIKE 'override_%' AND at >= :start AND at < :end""",
    "outlook": """SELECT trim(resource || ' ' || subject), json_extract(outlook, '$.at'), '' FROM capacity_subjects
        WHERE json_extract(outlook, '$.at') >= :start AND json_extract(outlook, '$.at') < :end""",
    "draft": "SELECT name, written_at, '' FROM drafts WHERE written_at >= :start AND written_at < :end",
    "report": """SELECT id, made_at, made_by FROM reports WHERE evidence != x''
        AND made_at >= :start AND made_at < :end""",
    "review": "SELECT id, at, json_extract(document, '$.by') FROM reviews WHERE at >= :start AND at < :end",
    "suggestion": """SELECT id, updated_at, coalesce(json_extract(document, '$.closed_by'), '') FROM suggestions
        WHERE updated_at >= :start AND updated_at < :end""",
}


def facts(connection: sqlite3.Connection, start: float, end: float) -> Iterator[Fact]:
    """Yield everything that proves something, of a period in wall seconds."""
    for kind, query in _QUERIES.items():
        for record, at, by in connection.execute(query, {"start": start, "end": end}):
            yield kind, record, at, by or ""
