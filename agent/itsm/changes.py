"""Changes: who wanted what done to this host or its configuration, who allowed it, and what came of it. Pure.

Other parts ask for a change with `ChangeBook.propose` (agent/engine/changes.py; in the engine: `desk.changes.propose`):
a `Proposal` with a stable key, such as "capacity:filesystem:/var", becomes one record, which later proposals with that
key update instead of repeating it. `ChangeBook.withdraw` closes what is not needed any more.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

STANDING = "standing"
"""How a standard change is approved: by the configuration, for every time."""
REST_SECONDS = 7 * 86400.0
"""For so long after a proposal was rejected or carried out it is not made again."""


class ChangeType(StrEnum):
    """Standard: approved beforehand. Normal: somebody approves this one. Emergency: it goes through a freeze."""

    STANDARD = "standard"
    NORMAL = "normal"
    EMERGENCY = "emergency"


class ChangeKind(StrEnum):
    """What is changed, or who asks for it."""

    ACTION = "action"
    CONFIGURATION = "configuration"
    RELOAD = "reload"
    POLICY = "policy"
    CAPACITY = "capacity"
    PROBLEM_REQUEST = "problem-request"
    MANUAL = "manual"


class ChangeState(StrEnum):
    """Where it stands. Expired: nothing was done, and nothing more will come of it."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    IN_PROGRESS = "in-progress"
    REJECTED = "rejected"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"


OPEN = frozenset({ChangeState.PROPOSED, ChangeState.APPROVED, ChangeState.IN_PROGRESS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """Who said so, when (wall seconds), and how: cli, api, mqtt, a ticket system's name, file or standing."""

    by: str
    via: str
    at: float
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The record. Times are wall seconds; empty text and None stand for what there is not."""

    id: str
    key: str
    """What it is about, the same for every proposal of the same thing."""
    type: ChangeType
    kind: ChangeKind
    state: ChangeState
    reason: str
    subject: str
    requested_by: str
    opened_at: float
    updated_at: float
    incident: str = ""
    problem: str = ""
    run_id: str = ""
    details: tuple[str, ...] = ()
    """What exactly: the argv, the sections of the configuration, the figures. Never a secret."""
    before: str = ""
    after: str = ""
    """SHA-256 of the configuration, or what was measured."""
    approval: Word | None = None
    """Or who rejected it."""
    starts_at: float | None = None
    ends_at: float | None = None
    """When it may or should be done."""
    fallback: str = ""
    started_at: float | None = None
    closed_at: float | None = None
    outcome: str = ""
    """Of an action: how its program ended."""
    result: str = ""
    review: bool = False
    """Somebody must look at it afterwards."""
    reviewed: Word | None = None
    drill: bool = False

    @property
    def unreviewed(self) -> bool:
        return self.review and self.reviewed is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What somebody wants done. `ends_at` is when it must be done by, if there is such a time."""

    key: str
    kind: ChangeKind
    subject: str
    reason: str
    requested_by: str
    problem: str = ""
    details: tuple[str, ...] = ()
    before: str = ""
    fallback: str = ""
    starts_at: float | None = None
    ends_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What has been changed already, or could not be."""

    key: str
    kind: ChangeKind
    subject: str
    reason: str
    requested_by: str
    approval: Word
    before: str
    after: str
    result: str
    done: bool = True
    details: tuple[str, ...] = ()
    fallback: str = ""
    frozen: str = ""
    """The freeze that it was done in; empty: none."""
    drill: bool = False


def change_id(*parts: object) -> str:
    """Return the id of the change that these parts tell from every other one; the same parts, the same id."""
    text = "\0".join(map(str, parts))
    return f"CHG-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def word_of(actor: str, at: float, comment: str = "") -> Word:
    """Return the word of an actor as commands name one: "ann (uid 1000)" at the socket, "ann (192.0.2.7)" over TCP."""
    name, _, where = actor.rpartition(" (")
    return Word(by=name or actor, via="cli" if where.startswith("uid ") else "api", at=at, comment=comment)


def proposed(proposal: Proposal, now: float) -> Change:
    """Return the record of a new proposal."""
    return Change(
        id=change_id(proposal.key, now),
        key=proposal.key,
        type=ChangeType.NORMAL,
        kind=proposal.kind,
        state=ChangeState.PROPOSED,
        reason=proposal.reason,
        subject=proposal.subject,
        requested_by=proposal.requested_by,
        opened_at=now,
        updated_at=now,
        problem=proposal.problem,
        details=proposal.details,
        before=proposal.before,
        fallback=proposal.fallback,
        starts_at=proposal.starts_at,
        ends_at=proposal.ends_at,
    )


def carried_out(deed: Deed, now: float) -> Change:
    """Return the record of what has been changed already; in a freeze that is an emergency, and to be reviewed."""
    kind = ChangeType.STANDARD if deed.approval.via == STANDING else ChangeType.NORMAL
    return Change(
        id=change_id(deed.key, deed.after, now),
        key=deed.key,
        type=ChangeType.EMERGENCY if deed.frozen else kind,
        kind=deed.kind,
        state=ChangeState.DONE if deed.done else ChangeState.FAILED,
        reason=f"{deed.reason}, in {deed.frozen}" if deed.frozen else deed.reason,
        subject=deed.subject,
        requested_by=deed.requested_by,
        opened_at=now,
        updated_at=now,
        details=deed.details,
        before=deed.before,
        after=deed.after,
        approval=deed.approval,
        fallback=deed.fallback,
        started_at=now,
        closed_at=now,
        result=deed.result,
        review=bool(deed.frozen),
        drill=deed.drill,
    )


def proposed_again(change: Change, proposal: Proposal, now: float) -> Change:
    """Return the record with what the newest proposal of the same thing says."""
    told = replace(
        change,
        reason=proposal.reason,
        subject=proposal.subject,
        details=proposal.details,
        before=proposal.before or change.before,
        fallback=proposal.fallback,
        starts_at=proposal.starts_at,
        ends_at=proposal.ends_at,
    )
    return change if told == change else replace(told, updated_at=now)


def rests(change: Change, now: float) -> bool:
    """Tell whether the same thing need not be proposed again: it was rejected or done a short while ago."""
    answered = change.state in (ChangeState.REJECTED, ChangeState.DONE)
    return answered and now - (change.closed_at or 0.0) < REST_SECONDS


def approved(change: Change, word: Word) -> Change:
    return replace(change, state=ChangeState.APPROVED, approval=word, updated_at=word.at)


def rejected(change: Change, word: Word) -> Change:
    """Return the change that somebody said no to."""
    said = f"rejected by {word.via}:{word.by}" + (f": {word.comment}" if word.comment else "")
    return closed(replace(change, approval=word), ChangeState.REJECTED, said, word.at)


def closed(change: Change, state: ChangeState, result: str, now: float) -> Change:
    return replace(change, state=state, result=result, closed_at=now, updated_at=now)


def reviewed(change: Change, word: Word) -> Change:
    return replace(change, reviewed=word, updated_at=word.at)


def overdue(change: Change, now: float) -> bool:
    """Tell whether a change that nobody began can no longer be done in time; about actions their incidents decide."""
    waits = change.state in (ChangeState.PROPOSED, ChangeState.APPROVED) and change.kind is not ChangeKind.ACTION
    return waits and change.ends_at is not None and now >= change.ends_at


def success(changes: Iterable[Change], start: float, end: float) -> tuple[int, int]:
    """Return how many changes a period saw done, and how many it saw done or failed: the parts of the success rate.

    Drills count for nothing, and so does what was never begun.
    """
    tried = [
        change.state
        for change in changes
        if not change.drill
        and change.closed_at is not None
        and start <= change.closed_at < end
        and change.state in (ChangeState.DONE, ChangeState.FAILED)
    ]
    return tried.count(ChangeState.DONE), len(tried)
