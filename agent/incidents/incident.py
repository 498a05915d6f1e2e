"""An incident: one subject that is not well, and our work on it."""

from dataclasses import dataclass
from enum import StrEnum

from agent.itsm.clocks import Clock
from collectors.sample import Labels, Origin
from remediations.standing import Proof

DEFAULT_SERVICE = "default"
"""What is mapped to no service of the catalogue."""


class State(StrEnum):
    """Where the work stands (semantics §4)."""

    OPEN = "open"
    AWAITING_APPROVAL = "awaiting_approval"
    REMEDIATING = "remediating"
    VERIFYING = "verifying"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    CLOSED = "closed"


ACTIVE = frozenset({State.OPEN, State.AWAITING_APPROVAL, State.REMEDIATING, State.VERIFYING, State.ESCALATED})


class Resolution(StrEnum):
    """How an incident ended."""

    FIXED = "fixed"
    BY_ITSELF = "by_itself"
    SERIES_GONE = "series_gone"
    BY_OPERATOR = "by_operator"
    WONT_FIX = "wont_fix"
    RULE_REMOVED = "rule_removed"


class Outcome(StrEnum):
    """How one attempt ended. Succeeded says that the program did, not that it helped: only verification says that."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"


class Verdict(StrEnum):
    """What verification found."""

    FIXED = "fixed"
    INEFFECTIVE = "ineffective"
    WORSE = "worse"
    BY_ITSELF = "by_itself"


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaiting:
    """What waits for approval, since when and for how long."""

    plan: str
    """What a word on it must name: another plan has another, and so has the same plan when it is asked for again."""
    digest: str
    """The id of the plan itself."""
    argv: tuple[str, ...]
    approvers: tuple[str, ...]
    asked_at: float
    until: float
    remind_at: float
    undo: tuple[str, ...] = ()
    """What is run, without another word, if it makes things worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A plan that every guard but the mode would have let run, and what is known by now about whether it was right."""

    remediation: str
    version: str
    """Of the remediation."""
    plan: str
    """What a word on it must name."""
    digest: str
    """The id of the plan itself."""
    approvers: tuple[str, ...]
    at: float
    run_id: str = ""
    """The attempt in which somebody let it run."""
    undo: tuple[str, ...] = ()
    """What is run, without another word, if it makes things worse."""
    proof: Proof | None = None
    """None: nothing is known yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Who approved which plan, when and how."""

    by: str
    via: str
    at: float
    plan: str
    comment: str = ""
    asked: str = ""
    """What waited for it; empty: nothing did, or an attempt that never began has used that up."""
    undo: tuple[str, ...] = ()
    """What was named beforehand as what undoes it: that is approved, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a rule's expression yielded, and the time of the sample (wall seconds). Without a value: nothing."""

    at: float
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One execution of one step: what was run and how it ended. Its `run_id` is unique for ever."""

    run_id: str
    remediation: str
    action: str
    resource: str
    argv: tuple[str, ...]
    step: int
    started_at: float
    ended_at: float | None = None
    outcome: Outcome | None = None
    detail: str = ""
    verified: bool | None = None
    verdict: Verdict | None = None
    """What fresh data said about it; `verified` is whether it helped."""
    approval: Approval | None = None
    """Where it needed one."""
    before: Evidence | None = None
    after: Evidence | None = None
    """What was measured when it was decided on, and when it was judged."""
    emergency: str = ""
    """The freeze windows that it went through; empty: none."""
    compensates: str = ""
    """The run that made things worse and that this one is to undo; empty: it is a step of the ladder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A pass of a remediation's ladder on this incident."""

    remediation: str
    resource: str
    step: int
    run_id: str
    began_at: float
    settled_at: float | None = None
    """When the step's execution ended; verification counts from here."""
    healthy_since: float | None = None
    deadline: float | None = None
    """When verification gives up."""
    priority: str = ""
    """What it was when the attempt began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time (wall seconds) in which the incident lasted. Without an end: it does still."""

    start: float
    end: float | None = None
    down: bool = True
    """Whether its service counts as down: the incident is severe enough, and this was not planned."""
    planned: bool = False
    """Whether this was maintenance, or silenced from the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """How far an incident that nobody has acknowledged has come in a chain."""

    chain: str
    level: int = 0
    """So many levels were told."""
    since: float | None
    """From when the times of the levels count; None: they stand still, for the incident is muted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The record. Times are wall seconds. `key` is the identity of the subject (see `identity.py`)."""

    id: str
    key: str
    host: str
    alertname: str
    rule: str
    rule_version: str
    labels: Labels
    annotations: Labels
    severity: str
    priority: str
    origin: Origin
    state: State
    opened_at: float
    updated_at: float
    revision: int = 0
    value: float = 0.0
    value_at: float = 0.0
    """When that was measured."""
    fingerprint: str = ""
    """Of the alert that holds the incident open now."""
    active_at: float = 0.0
    """When the condition began to hold."""
    alert_state: str = "firing"
    no_data_since: float | None = None
    no_data_escalated: bool = False
    suppressed: str = ""
    """What keeps this incident quiet (silence, inhibition, freeze, maintenance, storm); empty: nothing does."""
    told: State | None = None
    """The last state that ticket systems and topics were told of; None: they know nothing of it."""
    parent: str = ""
    """The storm incident this one is a row of."""
    preexisting: bool = False
    drill: bool = False
    tickets: tuple[str, ...] = ()
    """The ticket systems that were asked for a ticket."""
    notified: tuple[str, ...] = ()
    """Who heard of it: channels, or people on channels ("ann@mail")."""
    covered_by: str = ""
    """The summary incident whose ticket speaks for this one too."""
    work: Work | None = None
    attempts: tuple[Attempt, ...] = ()
    acknowledged_by: str = ""
    acknowledged_until: float | None = None
    taken_at: float | None = None
    """When somebody took charge of it first."""
    declined_until: float | None = None
    """Where somebody said "won't fix": nothing is done until then at least, nor while the alert lasts."""
    major: str = ""
    """Why this is a major incident, which stands above the priority matrix; empty: it is none."""
    closed_by_hand: tuple[str, ...] = ()
    """The ticket systems where somebody closed its ticket while it lasted; they are told no more until its end."""
    heard: tuple[tuple[str, int], ...] = ()
    """By ticket system: the last remark that was taken as a word."""
    retry: bool = False
    escalated_reason: str = ""
    handed_over: bool = False
    """Whether it was handed to a person at some time, whatever came of it later."""
    resolution: Resolution | None = None
    resolved_at: float | None = None
    reopened: int = 0
    wake_at: float | None = None
    refusals: tuple[str, ...] = ()
    """The guards' answers to the last question, the reported one first: "guard: reason"."""
    service: str = DEFAULT_SERVICE
    """The service of the catalogue that it concerns."""
    problem: str = ""
    """The problem that it is one more occurrence of."""
    workaround: str = ""
    """What helps until that is solved."""
    cause: str = ""
    """Why it happens, as far as people know."""
    permanent_fix: str = ""
    """What will solve it."""
    clocks: tuple[Clock, ...] = ()
    """What was promised about it, and how that stands."""
    clock_at: float | None = None
    """When one of them has something to say next."""
    spans: tuple[Span, ...] = ()
    """When it lasted, in order; between two of them all was well, or what counts changed."""
    page: Page | None = None
    """Who was told in time because nobody acknowledged."""
    page_at: float | None = None
    """When the next level is to be told, or an acknowledgement ends."""
    members: int = 0
    """On a storm incident: how many incidents it holds."""
    member_labels: Labels = ()
    """On a storm incident: the labels of its first member. What mutes that one mutes the storm."""
    awaiting: Awaiting | None = None
    """In state awaiting_approval: what for."""
    approval: Approval | None = None
    """Given, and not used yet."""
    would_run: tuple[str, ...] = ()
    """In observe or propose mode: the argv that would have been run."""
    proposal: Proposal | None = None
    """What was proposed or asked for last."""

    @property
    def may_take_up(self) -> Proposal | None:
        """What nobody waits for, and a person may let run all the same; None: there is no such thing."""
        made = self.proposal
        if made is None or made.proof is not None or self.state is not State.OPEN or not self.would_run:
            return None
        return made

    @property
    def plan_asked(self) -> str:
        """The id of the plan that a person may say a word on; empty: there is none."""
        if self.awaiting is not None:
            return self.awaiting.plan
        made = self.may_take_up
        return made.plan if made is not None and made.approvers else ""
