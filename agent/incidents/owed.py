"""What ticket systems and topics are owed, found by comparing an incident before and after a decision."""

from dataclasses import replace

from agent.incidents.advance import Context
from agent.incidents.decision import Decision, Reason
from agent.incidents.effects import Effect, Kind, TicketOp
from agent.incidents.incident import ACTIVE, Incident, State
from agent.incidents.notices import notices, unheard

_TOLD = frozenset(
    {
        Reason.ATTEMPT_SETTLED,
        Reason.ATTEMPT_INTERRUPTED,
        Reason.ATTEMPT_REFUSED,
        Reason.INEFFECTIVE,
        Reason.NO_DATA,
        Reason.ACKNOWLEDGED,
        Reason.ACKNOWLEDGEMENT_OVER,
        Reason.MAJOR_DECLARED,
        Reason.MAJOR_WITHDRAWN,
        Reason.PAGED,
        Reason.RELEASED,
        Reason.RETRY_ORDERED,
        Reason.WOULD_RUN,
        Reason.APPROVAL_NEEDED,
        Reason.APPROVAL_REMINDER,
        Reason.APPROVAL_REFUSED,
        Reason.APPROVED,
        Reason.WORSE,
        Reason.COMPENSATION_STARTED,
        Reason.PROMISE_AT_RISK,
        Reason.PROMISE_BROKEN,
    }
)
"""Reasons that are a comment of their own on an open ticket; escalation and ends are told by their state."""
_EXPLAINED = frozenset(
    {
        Reason.ACKNOWLEDGED,
        Reason.APPROVAL_REFUSED,
        Reason.APPROVAL_REMINDER,
        Reason.APPROVED,
        Reason.DECLINED,
        Reason.MAJOR_DECLARED,
        Reason.MAJOR_WITHDRAWN,
    }
)
"""Reasons of which people are told the detail, too."""


def owed(before: Incident | None, decision: Decision, context: Context) -> Decision:
    """Return the decision with a new revision and the effects that everybody outside is owed."""
    silent = _missing(decision.incident, context) or unheard(decision.incident, context)
    if decision.reason is Reason.UNCHANGED and not silent:
        return decision
    revision = before.revision + 1 if before is not None else 1
    after = replace(decision.incident, revision=revision, updated_at=context.now)
    if _is_quiet(after):
        return replace(decision, incident=after)
    after, tickets = _tickets(before, after, decision, context)
    after, people = notices(before, after, decision, context)
    after = replace(after, told=after.state)
    topics = tuple(_publish(target, after) for target in context.policy.publish)
    return replace(decision, incident=after, effects=(*decision.effects, *tickets, *topics, *people))


def _is_quiet(after: Incident) -> bool:
    """Tell whether nobody hears of this. While muted, only what was known outside is told, and only its end."""
    if after.parent or not after.suppressed:
        return bool(after.parent)
    return after.told is None or after.state in ACTIVE


def _tickets(
    before: Incident | None, after: Incident, decision: Decision, context: Context
) -> tuple[Incident, tuple[Effect, ...]]:
    if after.covered_by:
        return after, ()
    effects: list[Effect] = []
    reason = decision.reason
    detail = decision.detail if reason in _EXPLAINED else ""
    if after.state in ACTIVE:
        missing = _missing(after, context)
        effects += [_ticket(name, TicketOp.OPEN, after, reason) for name in missing]
        old = [name for name in after.tickets if name not in missing]
        after = replace(after, tickets=(*after.tickets, *missing))
        op = _op(before, after, reason)
        if op is TicketOp.REOPEN:
            after = replace(after, closed_by_hand=())
        old = [name for name in old if name not in after.closed_by_hand]
        effects += [_ticket(name, op, after, reason, detail) for name in old] if op is not None else []
        if reason is Reason.TICKET_CLOSED and decision.detail in after.tickets:
            effects.append(_ticket(decision.detail, TicketOp.UPDATE, after, reason))
    elif before is not None and before.state in ACTIVE and after.told in (None, *ACTIVE):
        effects += [_ticket(name, TicketOp.CLOSE, after, reason, detail) for name in after.tickets]
    return _wake_for_ticket(after, context), tuple(effects)


def _missing(after: Incident, context: Context) -> tuple[str, ...]:
    if after.state not in ACTIVE or after.parent or after.covered_by:
        return ()
    if context.situation.warming or after.suppressed or context.now < context.situation.ticket_hold_until:
        return ()
    wanted = context.policy.ticket_systems(after, escalated=after.state is State.ESCALATED)
    return tuple(name for name in wanted if name not in after.tickets)


def _op(before: Incident | None, after: Incident, reason: Reason) -> TicketOp | None:
    if after.told not in (None, *ACTIVE):
        return TicketOp.REOPEN
    escalated = after.state is State.ESCALATED and (before is None or before.state is not State.ESCALATED)
    severer = before is not None and before.priority != after.priority
    heard_again = before is not None and bool(before.suppressed)
    return TicketOp.UPDATE if escalated or severer or heard_again or reason in _TOLD else None


def _wake_for_ticket(after: Incident, context: Context) -> Incident:
    """Make sure that somebody asks again when tickets may be opened."""
    until = context.situation.ticket_hold_until
    if after.state not in ACTIVE or context.now >= until or after.tickets:
        return after
    return replace(after, wake_at=min(until, after.wake_at) if after.wake_at is not None else until)


def _ticket(system: str, op: TicketOp, incident: Incident, reason: Reason, detail: str = "") -> Effect:
    once = "open" if op is TicketOp.OPEN else f"{op}:{incident.revision}"
    return Effect(
        kind=Kind.TICKET,
        key=f"{incident.id}:{system}:{once}",
        lane=f"{incident.id}:{system}",
        target=system,
        incident_id=incident.id,
        payload={"op": str(op), "reason": str(reason), **({"detail": detail} if detail else {})},
    )


def _publish(target: str, incident: Incident) -> Effect:
    return Effect(
        kind=Kind.PUBLISH,
        key=f"{incident.id}:{target}:{incident.revision}",
        lane=f"{incident.id}:{target}",
        target=target,
        incident_id=incident.id,
    )
