"""Deciding: (incident, event, situation, policy, now) -> Decision. Pure: no clock, no I/O, no chance.

The states and their transitions are those of semantics §4. What a decision owes to ticket systems and topics follows
from comparing the incident before and after (`owed.py`), so no transition can forget to tell.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agent.incidents import advance, approval, charge, declined, major, proposals, retelling, verify
from agent.incidents.advance import Context
from agent.incidents.decision import Decision, Reason
from agent.incidents.events import (
    Acknowledged,
    AlertChanged,
    Approved,
    AttemptNeverBegan,
    AttemptSettled,
    ClockDue,
    Declined,
    Event,
    HealthSeen,
    MajorDeclared,
    MuteChanged,
    Rejected,
    Released,
    ResolvedByOperator,
    RetryOrdered,
    RuleRemoved,
    TicketClosed,
    TimerDue,
)
from agent.incidents.incident import ACTIVE, Attempt, Incident, Outcome, Resolution, State
from agent.incidents.owed import owed
from agent.incidents.paging import paged
from agent.incidents.policy import Policy
from agent.incidents.promises import promised
from agent.incidents.situation import Situation
from agent.incidents.spans import traced
from remediations.guards import Guard
from rules.alert import Alert, AlertState, Recovery

WARM_SECONDS = 1.5
"""How soon after a start a rule that needs no history has been evaluated."""


def decide(incident: Incident, event: Event, situation: Situation, policy: Policy, now: float) -> Decision:
    """Return the incident as it is after the event, what is owed to the world, and why."""
    context = Context(situation=situation, policy=policy, now=now)
    quieted = advance.overlaid(_expired(incident, now), situation) if incident.state in ACTIVE else incident
    decision = _HANDLERS[type(event)](quieted, event, context)
    decision = proposals.weighed(incident, replace(decision, incident=_tidied(decision.incident)), context)
    if decision.reason is Reason.APPROVAL_REFUSED:  # nothing changes, and it goes on record
        return owed(incident, decision, context)
    if not decision.effects and replace(decision.incident, wake_at=incident.wake_at) == incident:
        decision = replace(decision, reason=Reason.UNCHANGED)
    elif decision.reason is Reason.UNCHANGED and quieted.suppressed != incident.suppressed:
        decision = replace(decision, reason=_overlay_reason(quieted), detail=quieted.suppressed)
    elif decision.reason is Reason.UNCHANGED and quieted.acknowledged_by != incident.acknowledged_by:
        said = f"{incident.acknowledged_by} had it"
        decision = replace(decision, reason=Reason.ACKNOWLEDGEMENT_OVER, detail=said)
    decision = paged(promised(incident, decision, context), context)
    return owed(incident, traced(incident, decision, context.now), context)


def _tidied(incident: Incident) -> Incident:
    """Let go of what only counts in a state that is over: what was asked for, and a word that nobody needs any more."""
    if incident.awaiting is not None and incident.state is not State.AWAITING_APPROVAL:
        incident = replace(incident, awaiting=None)
    if incident.approval is not None and incident.state is not State.OPEN:
        incident = replace(incident, approval=None)
    return incident


def _overlay_reason(incident: Incident) -> Reason:
    return Reason.SUPPRESSED if incident.suppressed else Reason.SUPPRESSION_ENDED


def _mute_changed(incident: Incident, _event: MuteChanged, context: Context) -> Decision:
    """A mute that begins holds back what was not begun; at its end, work goes on where it stood."""
    reason = _overlay_reason(incident)
    if incident.state is State.OPEN:
        return advance.proceed(incident, context, otherwise=reason)
    if incident.state is State.AWAITING_APPROVAL:
        if incident.suppressed:
            incident = replace(incident, wake_at=context.situation.muted_until)
        else:
            incident = approval.prolonged(incident, context)
    return Decision(incident=incident, reason=reason, detail=incident.suppressed)


def _alert_changed(incident: Incident, event: AlertChanged, context: Context) -> Decision:
    alert = event.change.alert
    if alert.state is AlertState.FIRING:
        return _firing(_describe(incident, alert, event.change.at, context), context)
    if declined.is_declined(incident) and alert.state is AlertState.RESOLVED:
        return Decision(incident=declined.calmed(incident, context), reason=Reason.UNCHANGED)
    if incident.state not in ACTIVE:
        return Decision(incident=incident, reason=Reason.UNCHANGED)
    if alert.state is AlertState.NO_DATA:
        since = incident.no_data_since or context.now
        silent = replace(incident, alert_state="no_data", no_data_since=since)
        return Decision(incident=advance.woken(silent, since + context.policy.no_data_after), reason=Reason.NO_DATA)
    if alert.state is AlertState.RESOLVED:
        return _recovered(incident, alert.recovery, context)
    return Decision(incident=incident, reason=Reason.UNCHANGED)


def _describe(incident: Incident, alert: Alert, at: float, context: Context) -> Incident:
    """Take the alert's word for what is not well; only another severity, or a return, is weighed anew."""
    again = alert.label("severity") != incident.severity or incident.state not in ACTIVE
    told = retelling.described(incident, alert, at, context.policy.catalogue)
    return major.weighed(told, context.policy, context.now) if again else told


def _firing(incident: Incident, context: Context) -> Decision:
    if declined.is_declined(incident):
        return Decision(incident=replace(incident, wake_at=None), reason=Reason.UNCHANGED)
    if incident.state is State.RESOLVED:
        incident = replace(
            incident,
            state=State.OPEN,
            resolution=None,
            resolved_at=None,
            escalated_reason="",
            work=None,
            reopened=incident.reopened + 1,
        )
        return advance.proceed(advance.overlaid(incident, context.situation), context, otherwise=Reason.REOPENED)
    if incident.state is State.VERIFYING:
        return verify.seen(incident, HealthSeen(healthy=False, at=incident.value_at, value=incident.value), context)
    if incident.state is State.OPEN:
        return advance.proceed(incident, context, otherwise=Reason.UPDATED)
    return Decision(incident=incident, reason=Reason.UPDATED)


def _recovered(incident: Incident, recovery: Recovery | None, context: Context) -> Decision:
    calm = replace(incident, alert_state="resolved", no_data_since=None)
    if incident.state in (State.REMEDIATING, State.VERIFYING):
        return Decision(incident=calm, reason=Reason.RECOVERED_DURING_WORK)
    how = Resolution.SERIES_GONE if recovery is Recovery.SERIES_GONE else Resolution.BY_ITSELF
    return advance.resolve(calm, how, Reason.RESOLVED_BY_ITSELF, context)


def _settled(incident: Incident, event: AttemptSettled, context: Context) -> Decision:
    work = incident.work
    if work is None or work.run_id != event.run_id or incident.state is not State.REMEDIATING:
        return Decision(incident=incident, reason=Reason.UNCHANGED)
    attempts = tuple(_end(a, event, context.now) if a.run_id == event.run_id else a for a in incident.attempts)
    incident = replace(incident, attempts=attempts)
    if incident.alert_state == "resolved" and event.outcome is Outcome.REFUSED:
        return _over_untouched(incident, context)
    if event.unmet:
        decision = advance.escalate(incident, f"{Guard.PREFLIGHT}: {event.detail}", Reason.REFUSED_FOR_GOOD)
        return replace(decision, guard=Guard.PREFLIGHT)
    if event.outcome is Outcome.REFUSED:
        return advance.escalate(incident, f"refused: {event.detail}", Reason.ATTEMPT_REFUSED)
    ladder = context.policy.ladder(work.remediation)
    if ladder is None:
        return advance.escalate(incident, "the remediation was removed", Reason.EXHAUSTED)
    deadline = context.now + ladder.verify.timeout
    work = replace(work, settled_at=context.now, deadline=deadline, healthy_since=None)
    verifying = replace(incident, state=State.VERIFYING, work=work, wake_at=deadline)
    reason = Reason.ATTEMPT_INTERRUPTED if event.outcome is Outcome.INTERRUPTED else Reason.ATTEMPT_SETTLED
    said = f"{event.outcome}: {event.detail}" if event.detail else str(event.outcome)
    return Decision(incident=verifying, reason=reason, detail=said)


def _never_began(incident: Incident, event: AttemptNeverBegan, context: Context) -> Decision:
    """Take the attempt back and ask the guards again: they may answer differently now."""
    work = incident.work
    if work is None or work.run_id != event.run_id:
        return Decision(incident=incident, reason=Reason.UNCHANGED)
    taken = next((attempt for attempt in incident.attempts if attempt.run_id == event.run_id), None)
    attempts = tuple(attempt for attempt in incident.attempts if attempt.run_id != event.run_id)
    before = replace(work, step=work.step - 1) if work.step else None
    approval = replace(taken.approval, asked="") if taken is not None and taken.approval is not None else None
    free = replace(incident, state=State.OPEN, attempts=attempts, work=before, approval=approval)
    if incident.alert_state == "resolved":
        return _over_untouched(free, context)
    if context.situation.warming:  # the daemon has just started: what guards and rules look at is not there yet
        soon = replace(free, wake_at=context.now + WARM_SECONDS)
        return Decision(incident=soon, reason=Reason.ATTEMPT_NEVER_BEGAN)
    return advance.proceed(free, context, otherwise=Reason.ATTEMPT_NEVER_BEGAN)


def _over_untouched(incident: Incident, context: Context) -> Decision:
    """The alert ended while a step was under way that then did nothing: there is nothing left to do."""
    return advance.resolve(incident, Resolution.BY_ITSELF, Reason.RESOLVED_BY_ITSELF, context)


def _end(attempt: Attempt, event: AttemptSettled, now: float) -> Attempt:
    return replace(attempt, ended_at=now, outcome=event.outcome, detail=event.detail)


def _timer(incident: Incident, _event: TimerDue, context: Context) -> Decision:
    policy, now = context.policy, context.now
    incident = replace(incident, wake_at=None)
    if incident.state is State.RESOLVED:
        closing = policy.ends_at(incident)
        if closing is None or now < closing:
            return Decision(incident=replace(incident, wake_at=closing), reason=Reason.UNCHANGED)
        return Decision(incident=replace(incident, state=State.CLOSED), reason=Reason.WINDOW_OVER)
    if incident.state not in (State.OPEN, State.AWAITING_APPROVAL):
        return Decision(incident=incident, reason=Reason.UNCHANGED)
    if incident.suppressed and not incident.parent:
        return advance.hold(incident, context)
    return _waited(incident, context)


def _waited(incident: Incident, context: Context) -> Decision:
    """What an incident waited for has come, or is given up: data, a guard, a person."""
    asked, silent = incident.awaiting, incident.no_data_since
    if incident.state is State.AWAITING_APPROVAL and (asked is None or context.now >= asked.until):
        return approval.waited(incident, context)
    if silent is not None and not incident.no_data_escalated:
        until = silent + context.policy.no_data_after
        if context.now >= until:
            lost = replace(incident, no_data_escalated=True)
            return advance.escalate(lost, "no data", Reason.NO_DATA_TOO_LONG)
        return Decision(incident=advance.woken(incident, until), reason=Reason.UNCHANGED)
    if incident.state is State.OPEN:
        return advance.proceed(incident, context, otherwise=Reason.UNCHANGED)
    return approval.waited(incident, context)


def _expired(incident: Incident, now: float) -> Incident:
    until = incident.acknowledged_until
    if until is not None and now >= until:
        return retelling.given_back(incident)
    return incident


def _rule_removed(incident: Incident, _event: RuleRemoved, context: Context) -> Decision:
    gone = replace(
        incident,
        state=State.CLOSED,
        resolution=incident.resolution or Resolution.RULE_REMOVED,
        resolved_at=incident.resolved_at or context.now,
        wake_at=None,
        alert_state="resolved",
    )
    return Decision(incident=gone, reason=Reason.RULE_REMOVED)


_HANDLERS: dict[type[Any], Callable[[Incident, Any, Context], Decision]] = {
    AlertChanged: _alert_changed,
    HealthSeen: verify.seen,
    AttemptSettled: _settled,
    AttemptNeverBegan: _never_began,
    TimerDue: _timer,
    Acknowledged: charge.acknowledged,
    Declined: declined.declined,
    MajorDeclared: major.declared,
    TicketClosed: charge.ticket_closed,
    Approved: approval.approved,
    Rejected: approval.rejected,
    Released: charge.released,
    ResolvedByOperator: charge.by_operator,
    RetryOrdered: charge.retry,
    MuteChanged: _mute_changed,
    ClockDue: lambda incident, _event, _context: Decision(incident=incident, reason=Reason.UNCHANGED),
    RuleRemoved: _rule_removed,
}
