"""What deciding returns."""

from dataclasses import dataclass
from enum import StrEnum

from agent.incidents.effects import Effect
from agent.incidents.incident import Incident
from agent.itsm.clocks import Call
from agent.itsm.clocks import Kind as PromiseKind
from remediations.guards import Guard
from remediations.standing import Proof


class Reason(StrEnum):
    """Why the incident is now what it is; the same word in log, metric, audit row and page."""

    OPENED = "opened"
    REOPENED = "reopened"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    NO_DATA = "no_data"
    NO_DATA_TOO_LONG = "no_data_too_long"
    SUPPRESSED = "suppressed"
    SUPPRESSION_ENDED = "suppression_ended"
    WARMING_UP = "warming_up"
    NO_REMEDIATION = "no_remediation"
    REFUSED_FOR_NOW = "refused_for_now"
    REFUSED_FOR_GOOD = "refused_for_good"
    WOULD_RUN = "would_run"
    APPROVAL_NEEDED = "approval_needed"
    APPROVAL_REMINDER = "approval_reminder"
    APPROVAL_REFUSED = "approval_refused"
    APPROVAL_REJECTED = "approval_rejected"
    APPROVAL_TIMEOUT = "approval_timeout"
    APPROVED = "approved"
    ATTEMPT_STARTED = "attempt_started"
    ATTEMPT_SETTLED = "attempt_settled"
    ATTEMPT_INTERRUPTED = "attempt_interrupted"
    ATTEMPT_REFUSED = "attempt_refused"
    ATTEMPT_NEVER_BEGAN = "attempt_never_began"
    LOOKS_HEALTHY = "looks_healthy"
    FIXED = "fixed"
    INEFFECTIVE = "ineffective"
    WORSE = "worse"
    COMPENSATION_STARTED = "compensation_started"
    EXHAUSTED = "exhausted"
    RECOVERED_DURING_WORK = "recovered_during_work"
    RESOLVED_BY_ITSELF = "resolved_by_itself"
    RESOLVED_BY_OPERATOR = "resolved_by_operator"
    DECLINED = "declined"
    MAJOR_DECLARED = "major_declared"
    MAJOR_WITHDRAWN = "major_withdrawn"
    TICKET_CLOSED = "ticket_closed"
    ACKNOWLEDGED = "acknowledged"
    ACKNOWLEDGEMENT_OVER = "acknowledgement_over"
    PAGED = "paged"
    RELEASED = "released"
    RETRY_ORDERED = "retry_ordered"
    WINDOW_OVER = "window_over"
    RULE_REMOVED = "rule_removed"
    FAREWELL = "farewell"
    PROMISE_AT_RISK = "promise_at_risk"
    PROMISE_BROKEN = "promise_broken"
    BREAKER_OPENED = "breaker_opened"
    BREAKER_CLOSED = "breaker_closed"
    DEMOTED = "demoted"
    PROPOSAL_JUDGED = "proposal_judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The incident from now on, what is owed to the world, and why. `incident.wake_at` says when to ask again."""

    incident: Incident
    reason: Reason
    effects: tuple[Effect, ...] = ()
    guard: Guard | None = None
    """The guard whose refusal is reported."""
    actor: str = ""
    detail: str = ""
    said: tuple[tuple[PromiseKind, Call], ...] = ()
    """What the clocks of its promises have to say."""
    proof: Proof | None = None
    """What is proven about the proposal that there was before, where that is known since now."""
    proof_says: str = ""
    """Why."""
    reached: tuple[int, ...] = ()
    """Levels of its chain that are to be told now."""
