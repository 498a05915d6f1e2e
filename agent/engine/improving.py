"""Reports, suggestions and reviews: published, assigned, closed and written down, each with an audit line."""

import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from agent.engine.batch import Batch
from agent.engine.commands import CommandError
from agent.engine.delivery import Delivery
from agent.engine.improvements import AssignSuggestion, CloseSuggestion, Improvement, PublishReport, RecordReview
from agent.incidents.effects import Effect, Kind
from agent.incidents.identity import new_id
from agent.itsm import suggestions
from agent.itsm.review import Review
from agent.itsm.suggestions import Point, Suggestion, SuggestionState
from agent.store import improvement, writes
from agent.telemetry import log

_log = log.get("report")


def carry_out(
    batch: Batch, connection: sqlite3.Connection, delivery: Delivery, command: Improvement
) -> Mapping[str, Any]:
    """Raise CommandError."""
    match command:
        case PublishReport():
            return _publish(batch, connection, delivery, command)
        case AssignSuggestion():
            return _assign(batch, connection, command)
        case CloseSuggestion():
            return _close(batch, connection, command)
        case RecordReview():
            return _review(batch, command)
        case _:
            raise CommandError("overrides are not kept here", 500)


def _publish(
    batch: Batch, connection: sqlite3.Connection, delivery: Delivery, command: PublishReport
) -> Mapping[str, Any]:
    """Keep a report once: whoever publishes it again is told that it is there."""
    if improvement.has_report(connection, command.report_id):
        return {"report": command.report_id, "new": False}
    row = (command.report_id, command.name, command.start, command.end)
    batch.writes.append(improvement.put_report(row, batch.now, command.actor, command.digest, command.evidence))
    if not command.evidence:
        return {"report": command.report_id, "new": True}
    batch.writes += [improvement.put_suggestion(each) for each in command.suggestions]
    for channel, notice in command.notices.items():
        key = f"{command.report_id}:{channel}"
        payload = {"notice": {**notice, "key": key}}
        effect = Effect(kind=Kind.PUBLISH, key=key, lane=key, target=channel, incident_id="", payload=payload)
        delivery.owe_as_written(batch, effect)
    detail = f"{command.report_id} to {', '.join(command.notices) or 'nobody'}"
    _note(batch, "report_published", command.actor, detail)
    return {"report": command.report_id, "new": True}


def _assign(batch: Batch, connection: sqlite3.Connection, command: AssignSuggestion) -> Mapping[str, Any]:
    known = _open(connection, command.suggestion_id)
    changed = suggestions.assigned(known, command.owner, command.due, batch.now)
    detail = f"{changed.id}: {changed.owner or 'nobody'} by {changed.due}"
    return _keep(batch, changed, "suggestion_assigned", command.actor, detail)


def _close(batch: Batch, connection: sqlite3.Connection, command: CloseSuggestion) -> Mapping[str, Any]:
    known = _open(connection, command.suggestion_id)
    done = suggestions.closed(known, command.actor, command.reason, batch.now, command.accepted_seconds)
    return _keep(batch, done, "suggestion_closed", command.actor, f"{done.id}: {command.reason}")


def _review(batch: Batch, command: RecordReview) -> Mapping[str, Any]:
    """Write a review down; what it wants done comes back in reports until it is."""
    review_id = f"review-{new_id(batch.now, secrets.randbits(20))}"
    made = []
    for number, (what, owner, due) in enumerate(command.actions, 1):
        point = Point(
            kind="review",
            about=f"{review_id}, action {number}",
            says="decided in a review",
            suggestion=what,
            owner=owner,
        )
        made.append(suggestions.opened(point, due, batch.now))
    review = Review(
        id=review_id,
        at=batch.now,
        by=command.actor,
        report=command.report,
        decisions=tuple(command.decisions),
        actions=tuple(each.id for each in made),
    )
    batch.writes += [improvement.put_review(review), *(improvement.put_suggestion(each) for each in made)]
    _note(
        batch, "review_recorded", command.actor, f"{review_id}: {len(review.decisions)} decisions, {len(made)} actions"
    )
    return asdict(review)


def _open(connection: sqlite3.Connection, suggestion_id: str) -> Suggestion:
    known = improvement.suggestion(connection, suggestion_id)
    if known is None or known.state is SuggestionState.CLOSED:
        raise CommandError(f"there is no open suggestion {suggestion_id!r}", 404)
    return known


def _keep(batch: Batch, suggestion: Suggestion, event: str, actor: str, detail: str) -> Mapping[str, Any]:
    batch.writes.append(improvement.put_suggestion(suggestion))
    _note(batch, event, actor, detail)
    return asdict(suggestion)


def _note(batch: Batch, event: str, actor: str, detail: str) -> None:
    batch.writes.append(writes.audit_order(batch.now, event, actor=actor, detail=detail))
    _log.info(event.replace("_", " "), actor=actor, detail=detail)
