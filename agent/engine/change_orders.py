"""What people do about changes: ask for one, allow or forbid it, close it, review it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from agent.engine.batch import Batch
from agent.engine.casebook import Casebook
from agent.engine.commands import AnswerChange, ChangeCommand, CloseChange, CommandError, ProposeChange, ReviewChange
from agent.engine.desk import Desk
from agent.incidents.events import Approved, Rejected
from agent.itsm import changes
from agent.itsm.changes import Change, ChangeKind, ChangeState, Proposal, Word
from agent.itsm.problems import Problem
from agent.store import writes
from agent.telemetry import log

_log = log.get("change")


def carry_out(batch: Batch, desk: Desk, casebook: Casebook, command: ChangeCommand) -> Mapping[str, Any]:
    """Return the change as it is afterwards. Raise CommandError."""
    match command:
        case ProposeChange():
            return asdict(desk.changes.propose(batch, _proposal(command, desk, batch.now)))
        case AnswerChange():
            return _answer(batch, desk, casebook, command)
        case CloseChange():
            return _close(batch, desk, command)
        case ReviewChange():
            return _review(batch, desk, command)


def _proposal(command: ProposeChange, desk: Desk, now: float) -> Proposal:
    problem = _problem(desk, command.problem) if command.problem else None
    if command.ends_at is not None and command.ends_at <= max(now, command.starts_at or now):
        raise CommandError("it must end after it begins, and not in the past", 400)
    return Proposal(
        key=f"problem:{command.problem}" if problem else changes.change_id("manual", command, now),
        kind=ChangeKind.PROBLEM_REQUEST if problem else ChangeKind.MANUAL,
        subject=command.subject or (problem.symptom if problem else ""),
        reason=command.reason,
        requested_by=command.actor,
        problem=command.problem,
        details=(problem.permanent_fix,) if problem and problem.permanent_fix else (),
        fallback=command.fallback,
        starts_at=command.starts_at,
        ends_at=command.ends_at,
    )


def _problem(desk: Desk, problem_id: str) -> Problem:
    for problem in desk.problems.open():
        if problem.id == problem_id:
            return problem
    raise CommandError(f"there is no open problem {problem_id!r}", 404)


def _answer(batch: Batch, desk: Desk, casebook: Casebook, command: AnswerChange) -> Mapping[str, Any]:
    change = _get(desk, command.change_id)
    if change.state is not ChangeState.PROPOSED:
        raise CommandError(f"nothing waits for approval: the change is {change.state}")
    if change.kind is ChangeKind.ACTION:
        return _answer_incident(batch, desk, casebook, change, command)
    if why := _objection(desk.rules.approvers, command):
        _record(batch, change, "change_approval_refused", command.actor, why)
        raise CommandError(why, 403)
    word = Word(by=command.actor, via=command.via, at=batch.now, comment=command.comment)
    after = changes.approved(change, word) if command.approve else changes.rejected(change, word)
    return _keep(batch, desk, after, command.actor, command.comment)


def _objection(approvers: tuple[str, ...], command: AnswerChange) -> str:
    if not approvers:
        return "nobody may approve: there are no [approvals] approvers"
    said = f"{command.via}:{command.actor}"
    if command.actor in approvers or said in approvers:
        return ""
    return f"{said} is not among the approvers ({', '.join(approvers)})"


def _answer_incident(
    batch: Batch, desk: Desk, casebook: Casebook, change: Change, command: AnswerChange
) -> Mapping[str, Any]:
    """An action waits on its incident: the word is for the plan that is asked for there."""
    incident = casebook.get(change.incident)
    if incident is None or incident.awaiting is None:
        raise CommandError("its incident asks for nothing any more")
    kind = Approved if command.approve else Rejected
    event = kind(actor=command.actor, via=command.via, plan=incident.awaiting.plan, comment=command.comment)
    if desk.happened(batch, incident, event).state is incident.state:
        raise CommandError(desk.objection(incident, event, batch.now), 403)
    after = desk.changes.about(change.key)
    return asdict(after if after is not None else change)


def _close(batch: Batch, desk: Desk, command: CloseChange) -> Mapping[str, Any]:
    change = _get(desk, command.change_id)
    if change.state is not ChangeState.APPROVED or change.kind is ChangeKind.ACTION:
        hint = "; approve it first" if change.state is ChangeState.PROPOSED else ""
        raise CommandError(f"it cannot be closed by hand: the change is {change.state}{hint}")
    state = ChangeState.DONE if command.done else ChangeState.FAILED
    after = changes.closed(change, state, command.result, batch.now)
    return _keep(batch, desk, after, command.actor, command.result)


def _review(batch: Batch, desk: Desk, command: ReviewChange) -> Mapping[str, Any]:
    change = _get(desk, command.change_id)
    if not change.unreviewed:
        raise CommandError("it needs no review")
    if change.state in changes.OPEN:
        raise CommandError(f"it is not over yet: the change is {change.state}")
    word = Word(by=command.actor, via=command.via, at=batch.now, comment=command.comment)
    return _keep(batch, desk, changes.reviewed(change, word), command.actor, command.comment)


def _get(desk: Desk, change_id: str) -> Change:
    change = desk.changes.get(change_id)
    if change is None:
        raise CommandError(f"there is no change {change_id!r} about which there is something to do", 404)
    return change


def _keep(batch: Batch, desk: Desk, change: Change, actor: str, detail: str) -> Mapping[str, Any]:
    desk.changes.keep(batch, change)
    _record(batch, change, "change_reviewed" if change.reviewed else f"change_{change.state}", actor, detail)
    return asdict(change)


def _record(batch: Batch, change: Change, event: str, actor: str, detail: str) -> None:
    batch.writes.append(writes.audit_order(batch.now, event, actor=actor, detail=f"{change.id}: {detail}"))
    _log.info(event.replace("_", " "), change=change.id, actor=actor)
