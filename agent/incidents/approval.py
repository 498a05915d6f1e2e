"""Approval: what mode approve asks for, who may give it, and for how long it counts. It is for exactly one plan.

What modes observe and propose plan waits for nobody; whoever may approve it can take it up all the same.
"""

from dataclasses import replace

from agent.incidents import advance
from agent.incidents.advance import Context
from agent.incidents.decision import Decision, Reason
from agent.incidents.events import Approved, PlanWord, Rejected
from agent.incidents.incident import ACTIVE, Approval, Awaiting, Incident, Proposal, State
from remediations.guards import may_be_taken_up
from remediations.mode import Mode


def approved(incident: Incident, event: Approved, context: Context) -> Decision:
    """Take an approval and go on, if the other guards still allow it."""
    if why := objection(incident, event, context):
        return _refused(incident, event, why)
    asked = incident.awaiting or incident.may_take_up
    digest, undo = (asked.digest, asked.undo) if asked is not None else ("", ())
    waited_for = event.plan if incident.awaiting is not None else ""
    given = Approval(
        by=event.actor,
        via=event.via,
        at=context.now,
        plan=digest,
        comment=event.comment,
        asked=waited_for,
        undo=undo,
    )
    free = replace(incident, state=State.OPEN, approval=given)
    decision = advance.proceed(free, context, otherwise=Reason.APPROVED)
    said = f"approved by {event.channelled}" + (f": {event.comment}" if event.comment else "")
    return replace(decision, actor=event.actor, detail="; ".join(part for part in (said, decision.detail) if part))


def rejected(incident: Incident, event: Rejected, context: Context) -> Decision:
    """A person says no: a person has to go on."""
    if why := objection(incident, event, context):
        return _refused(incident, event, why)
    why = f"rejected by {event.channelled}" + (f": {event.comment}" if event.comment else "")
    return replace(advance.escalate(incident, why, Reason.APPROVAL_REJECTED), actor=event.actor)


def _refused(incident: Incident, event: PlanWord, why: str) -> Decision:
    reason = Reason.APPROVAL_REFUSED if incident.state in ACTIVE else Reason.UNCHANGED
    return Decision(incident=incident, reason=reason, actor=event.actor, detail=why)


def objection(incident: Incident, event: PlanWord, context: Context) -> str:
    """Return why this word does not count; empty: it does."""
    asked = incident.awaiting or incident.may_take_up
    if asked is None:
        return f"nothing waits for approval: the incident is {incident.state}" + (
            f" ({incident.escalated_reason})" if incident.escalated_reason else ""
        )
    if incident.awaiting is not None and context.now >= incident.awaiting.until:
        return "the time to approve is over"
    if incident.awaiting is None and not _may_be_taken_up(incident, context):
        return "what is only proposed here may not be run: its service, its action or the age of its rule forbids it"
    approvers = _approvers(asked, context)
    if not approvers:
        return "nobody may approve: there are no [approvals] approvers"
    if event.actor not in approvers and event.channelled not in approvers:
        return f"{event.channelled} is not among the approvers ({', '.join(approvers)})"
    if event.plan != asked.plan:
        return f"it is for another plan: {asked.plan} waits, not {event.plan or 'one that is not named'}"
    return ""


def _approvers(asked: Awaiting | Proposal, context: Context) -> tuple[str, ...]:
    """Return who may approve now: a reload may have named others since it was asked."""
    ladder = context.policy.ladder(context.situation.remediation)
    return ladder.approvers if ladder is not None else asked.approvers


def _may_be_taken_up(incident: Incident, context: Context) -> bool:
    index = advance.next_step(incident)
    return index < len(context.situation.steps) and may_be_taken_up(context.situation.steps[index].guards)


def waited(incident: Incident, context: Context) -> Decision:
    """The time of a waiting approval has come: remind, give up, or ask again because the plan is another now."""
    asked, now = incident.awaiting, context.now
    if asked is None or now >= asked.until:
        return advance.escalate(incident, "nobody approved in time", Reason.APPROVAL_TIMEOUT)
    if not _still_asked(incident, context):
        return advance.proceed(replace(incident, state=State.OPEN), context, otherwise=Reason.UPDATED)
    if now < asked.remind_at:
        return Decision(incident=replace(incident, wake_at=min(asked.until, asked.remind_at)), reason=Reason.UNCHANGED)
    remind_at = now + context.policy.approval_reminder
    asked = replace(asked, remind_at=remind_at, approvers=_approvers(asked, context))
    again = replace(incident, awaiting=asked, wake_at=min(asked.until, remind_at))
    left = f"{asked.until - now:.0f} s are left to approve"
    return Decision(incident=again, reason=Reason.APPROVAL_REMINDER, detail=left)


def _still_asked(incident: Incident, context: Context) -> bool:
    """Return whether the same plan would be asked for again: a reload may have changed it, or the need for a word."""
    asked, index = incident.awaiting, advance.next_step(incident)
    if asked is None or index >= len(context.situation.steps):
        return False
    step = context.situation.steps[index]
    return step.guards.mode is Mode.APPROVE and step.plan is not None and step.plan.id == asked.digest


def prolonged(incident: Incident, context: Context) -> Incident:
    """Return the incident whose approval was waited for while nobody could give it: the time begins anew."""
    asked = incident.awaiting
    if asked is None:
        return replace(incident, wake_at=context.now)
    until = context.now + context.policy.approval_timeout
    remind_at = context.now + context.policy.approval_reminder
    return replace(incident, awaiting=replace(asked, until=until, remind_at=remind_at), wake_at=min(until, remind_at))
