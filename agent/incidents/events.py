"""What can happen to an incident, in the past tense; and what operators can order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.incidents.incident import Outcome
from rules.alert import AlertChange


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChanged:
    """An alert of this subject changed its state, value or severity. `warming`: its rule lacks history."""

    change: AlertChange
    warming: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSeen:
    """While verifying: what samples newer than the attempt say. None: they do not say anything yet."""

    healthy: bool | None
    at: float = 0.0
    """Of the sample that says so."""
    value: float | None = None
    """What the expression yields; None: nothing."""
    worse: bool = False
    """The remediation's own expression says that it made things worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSettled:
    """The execution of a step ended."""

    run_id: str
    outcome: Outcome
    detail: str = ""
    exit_code: int | None = None
    output: str = ""
    diagnostics: str = ""
    """What was captured before it ran."""
    unmet: bool = False
    """Its pre-flight command said no: nothing ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptNeverBegan:
    """A crash came between the intent and the start: nothing has been done."""

    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerDue:
    """The incident's `wake_at` has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """Somebody said "mine": automation on this incident pauses until released or expired."""

    actor: str
    until: float | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The acknowledgement was given back."""

    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedByOperator:
    """Somebody declared the incident over."""

    actor: str
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """Somebody said "won't fix": nothing is done while the alert lasts, nor before `until` (wall seconds)."""

    actor: str
    until: float | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MajorDeclared:
    """Somebody said that this is a major incident, or (`major` false) that it is none."""

    actor: str
    major: bool = True
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketClosed:
    """Somebody has closed the ticket at this system while the incident lasts."""

    system: str
    declined: bool = False
    """Its status says "won't fix"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryOrdered:
    """Somebody lifted the cool-down and wants another attempt."""

    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWord:
    """Said about a plan. `via` is the channel by which `actor` is known: cli, api, mqtt or a ticket system."""

    actor: str
    via: str
    plan: str
    """The id of the plan it is for."""
    comment: str = ""

    @property
    def channelled(self) -> str:
        return f"{self.via}:{self.actor}"


class Approved(PlanWord):
    """Somebody approved it."""

    __slots__ = ()


class Rejected(PlanWord):
    """Somebody said no to it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteChanged:
    """What mutes the incident's alert began, ended, or is something else now; the situation says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockDue:
    """A clock of the incident's promises has something to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRemoved:
    """A reload removed the rule that held the incident open."""


Event = (
    AlertChanged
    | ClockDue
    | HealthSeen
    | AttemptSettled
    | AttemptNeverBegan
    | TimerDue
    | Acknowledged
    | Approved
    | Declined
    | MajorDeclared
    | Rejected
    | Released
    | ResolvedByOperator
    | RetryOrdered
    | MuteChanged
    | RuleRemoved
    | TicketClosed
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectSettled:
    """An executor's answer. `row` and `claim` must match the outbox row, or the answer is dropped and counted.

    Exactly one of the flags says what becomes of the row: `done`; `dead` (will never work: dead letter, with the
    reason); neither: try again after `retry_after` seconds.
    """

    row: int
    claim: str
    done: bool = False
    dead: bool = False
    reason: str = ""
    retry_after: float = 0.0
    result: Mapping[str, Any] = field(default_factory=dict)
    """What the far end said: for tickets `id`, `url`, `state`; for remediations `outcome`, `exit_code`, `output`,
    `detail`."""
