"""What people do with an incident: take charge of it, give it back, declare it over, order another attempt."""

from dataclasses import replace

from agent.incidents import advance
from agent.incidents.advance import Context
from agent.incidents.decision import Decision, Reason
from agent.incidents.declined import declined
from agent.incidents.events import Acknowledged, Declined, Released, ResolvedByOperator, RetryOrdered, TicketClosed
from agent.incidents.incident import ACTIVE, Incident, Resolution, State
from agent.incidents.retelling import given_back


def acknowledged(incident: Incident, event: Acknowledged, context: Context) -> Decision:
    if incident.state not in ACTIVE:
        return Decision(incident=incident, reason=Reason.UNCHANGED)
    usual = context.now + context.policy.acknowledged_for if context.policy.acknowledged_for else None
    until = event.until if event.until is not None else usual
    taken_at = incident.taken_at if incident.taken_at is not None else context.now
    mine = replace(incident, acknowledged_by=event.actor, acknowledged_until=until, taken_at=taken_at)
    return Decision(
        incident=advance.woken(mine, until), reason=Reason.ACKNOWLEDGED, actor=event.actor, detail=event.comment
    )


def released(incident: Incident, event: Released, context: Context) -> Decision:
    free = given_back(incident)
    if free.state is State.OPEN:
        decision = advance.proceed(free, context, otherwise=Reason.RELEASED)
        return replace(decision, actor=event.actor)
    return Decision(incident=free, reason=Reason.RELEASED, actor=event.actor)


def by_operator(incident: Incident, event: ResolvedByOperator, context: Context) -> Decision:
    if incident.state not in ACTIVE:
        return Decision(incident=incident, reason=Reason.UNCHANGED)
    decision = advance.resolve(incident, Resolution.BY_OPERATOR, Reason.RESOLVED_BY_OPERATOR, context)
    return replace(decision, actor=event.actor, detail=event.comment)


def retry(incident: Incident, event: RetryOrdered, context: Context) -> Decision:
    if incident.state not in (State.OPEN, State.ESCALATED):
        return Decision(incident=incident, reason=Reason.UNCHANGED)
    again = replace(incident, state=State.OPEN, escalated_reason="", work=None, retry=True)
    decision = advance.proceed(again, context, otherwise=Reason.RETRY_ORDERED)
    return replace(decision, actor=event.actor, detail=event.reason)


def ticket_closed(incident: Incident, event: TicketClosed, context: Context) -> Decision:
    """Somebody's word is not fought: the ticket is told once that the fault lasts, and stays closed.

    One that was closed as "won't fix" says what a person would by that word.
    """
    if event.declined:
        return declined(incident, Declined(actor=event.system, comment="the status of its ticket"), context)
    if incident.state not in ACTIVE or event.system in incident.closed_by_hand:
        return Decision(incident=incident, reason=Reason.UNCHANGED)
    known = replace(incident, closed_by_hand=(*incident.closed_by_hand, event.system))
    return Decision(incident=known, reason=Reason.TICKET_CLOSED, detail=event.system)
