"""The changes that automation makes: one record an attempt, from the question for approval to its verdict. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from agent.incidents.events import Event, Rejected
from agent.incidents.incident import Approval, Attempt, Awaiting, Evidence, Incident, Outcome, State, Verdict
from agent.itsm import changes
from agent.itsm.changes import STANDING, Change, ChangeKind, ChangeState, ChangeType, Word

A_PERSON = "none of its own: the next step, or a person"
_WORKING = frozenset({State.REMEDIATING, State.VERIFYING})
_WAITS = (ChangeState.PROPOSED, ChangeState.APPROVED)
_HELPED = frozenset({Verdict.FIXED, Verdict.BY_ITSELF})


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One decision about an incident: how it was before (None: new) and is after, and what it was about."""

    before: Incident | None
    after: Incident
    event: Event | None
    fallback: str
    """What would undo an attempt that is begun or asked for now."""
    remediation: str
    """Whose plan is asked for now."""
    now: float


def followed(known: Iterable[Change], turn: Turn) -> Iterator[Change]:
    """Yield the changes that a decision begins, moves or ends. `known` are those of this incident that are open."""
    of_this = list(known)
    waiting = next((change for change in of_this if change.state in _WAITS), None)
    asked = turn.after.awaiting
    seen = {attempt.run_id for attempt in turn.before.attempts} if turn.before is not None else set()
    for attempt in turn.after.attempts:
        if attempt.run_id not in seen:
            yield _begun(waiting if attempt.approval is not None else None, attempt, turn)
            waiting = waiting if attempt.approval is None else None
    if waiting is not None and (asked is None or waiting.key != _asking(asked)):
        yield _answered(waiting, turn)
    if asked is not None and (waiting is None or waiting.key != _asking(asked)):
        yield _asked(asked, turn)
    elif asked is not None and waiting is not None:
        yield replace(waiting, ends_at=asked.until)
    for change in of_this:
        if change.state is ChangeState.IN_PROGRESS:
            yield _went(change, turn)


def id_of(what: Attempt | Awaiting) -> str:
    """Return the id of the change that is about an attempt, or about what waits for approval."""
    return changes.change_id(_asking(what) if isinstance(what, Awaiting) else _running(what))


def _asking(asked: Awaiting) -> str:
    return f"plan:{asked.plan}"


def _running(attempt: Attempt) -> str:
    """Return the key of an attempt's change: the one that asked for its approval, else its own."""
    asked = attempt.approval.asked if attempt.approval is not None else ""
    return f"plan:{asked}" if asked else f"run:{attempt.run_id}"


def _asked(asked: Awaiting, turn: Turn) -> Change:
    change = _of(turn, _asking(asked), turn.remediation)
    return replace(
        change,
        state=ChangeState.PROPOSED,
        details=asked.argv,
        ends_at=asked.until,
        before=_evidence(Evidence(at=turn.after.value_at, value=turn.after.value)),
    )


def _of(turn: Turn, key: str, remediation: str) -> Change:
    incident = turn.after
    return Change(
        id=changes.change_id(key),
        key=key,
        type=ChangeType.NORMAL,
        kind=ChangeKind.ACTION,
        state=ChangeState.IN_PROGRESS,
        reason=f"{incident.alertname} on service {incident.service}",
        subject=f"incident {incident.id}",
        requested_by=f"remediation {remediation}",
        opened_at=turn.now,
        updated_at=turn.now,
        incident=incident.id,
        problem=incident.problem,
        fallback=turn.fallback,
        drill=incident.drill,
    )


def _begun(waiting: Change | None, attempt: Attempt, turn: Turn) -> Change:
    """Return the record of an attempt that begins now: the one that asked for its approval, or a new one."""
    record = waiting or _of(turn, _running(attempt), attempt.remediation)
    return replace(
        record,
        type=_type(attempt),
        state=ChangeState.IN_PROGRESS,
        subject=f"{attempt.action} on {attempt.resource}",
        run_id=attempt.run_id,
        details=attempt.argv,
        before=_evidence(attempt.before),
        approval=_approval(attempt),
        fallback="a person" if attempt.compensates else turn.fallback,
        started_at=attempt.started_at,
        review=bool(attempt.emergency),
        reason=f"{record.reason}, in {attempt.emergency}" if attempt.emergency else record.reason,
        updated_at=turn.now,
    )


def _type(attempt: Attempt) -> ChangeType:
    if attempt.emergency:
        return ChangeType.EMERGENCY
    return ChangeType.NORMAL if attempt.approval is not None else ChangeType.STANDARD


def _approval(attempt: Attempt) -> Word:
    if attempt.approval is not None:
        return _word(attempt.approval)
    return Word(by=f"mode auto of {attempt.remediation}", via=STANDING, at=attempt.started_at)


def _word(given: Approval) -> Word:
    return Word(by=given.by, via=given.via, at=given.at, comment=given.comment)


def _answered(waiting: Change, turn: Turn) -> Change:
    """Return what waited for approval and waits no more."""
    after, event = turn.after, turn.event
    if isinstance(event, Rejected):
        return changes.rejected(waiting, Word(by=event.actor, via=event.via, at=turn.now, comment=event.comment))
    if after.approval is not None:  # a guard holds it back still
        return waiting if waiting.approval is not None else changes.approved(waiting, _word(after.approval))
    why = after.escalated_reason or (f"not needed: {after.resolution}" if after.resolution else "another plan is due")
    return changes.closed(waiting, ChangeState.EXPIRED, why, turn.now)


def _went(change: Change, turn: Turn) -> Change:
    """Return the record with what is known about its attempt by now."""
    attempt = next((each for each in turn.after.attempts if each.run_id == change.run_id), None)
    if attempt is None:
        return lost(change, turn.now)
    after = _evidence(attempt.after) or change.after
    told = replace(change, outcome=attempt.outcome or "", after=after)
    if attempt.verdict is not None:
        state = ChangeState.DONE if attempt.verdict in _HELPED else ChangeState.FAILED
        return changes.closed(told, state, str(attempt.verdict), turn.now)
    if attempt.outcome is not None and not is_worked_on(turn.after, change.run_id):
        return ended(told, attempt.outcome, attempt.detail, turn.now)
    return change if told == change else replace(told, updated_at=turn.now)


def is_worked_on(incident: Incident, run_id: str) -> bool:
    """Tell whether the attempt runs or is being verified: its verdict is yet to come."""
    return incident.state in _WORKING and incident.work is not None and incident.work.run_id == run_id


def moved(change: Change, delta: float) -> Change:
    """Return an open change as it is on a clock that was set ahead by so many seconds."""
    word, begun, until = change.approval, change.started_at, change.ends_at
    return replace(
        change,
        opened_at=change.opened_at + delta,
        updated_at=change.updated_at + delta,
        started_at=begun + delta if begun is not None else None,
        ends_at=until + delta if until is not None else None,
        approval=replace(word, at=word.at + delta) if word is not None else None,
    )


def lost(change: Change, now: float) -> Change:
    """Return the change whose attempt never began."""
    return changes.closed(change, ChangeState.EXPIRED, "it never began: nothing was done", now)


def ended(change: Change, outcome: Outcome, detail: str, now: float) -> Change:
    """Return the change whose attempt has ended and will not be verified any more."""
    told = replace(change, outcome=outcome)
    if outcome is Outcome.REFUSED:
        return changes.closed(told, ChangeState.REJECTED, f"refused: {detail}", now)
    state = ChangeState.DONE if outcome is Outcome.SUCCEEDED else ChangeState.FAILED
    return changes.closed(told, state, f"{outcome}, not verified" + (f": {detail}" if detail else ""), now)


def _evidence(measured: Evidence | None) -> str:
    if measured is None or not measured.at:
        return ""
    at = datetime.fromtimestamp(measured.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{measured.value:g} at {at}" if measured.value is not None else f"nothing at {at}"
