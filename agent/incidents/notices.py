"""Which people are told what about an incident: routes choose them, and each hears of begin, turns and end."""

from dataclasses import replace

from agent.incidents.advance import Context
from agent.incidents.decision import Decision, Reason
from agent.incidents.effects import Effect, Kind
from agent.incidents.incident import ACTIVE, Incident, State
from agent.itsm.teams import split

_TURNS = frozenset(
    {
        Reason.ACKNOWLEDGEMENT_OVER,
        Reason.APPROVAL_NEEDED,
        Reason.MAJOR_DECLARED,
        Reason.MAJOR_WITHDRAWN,
        Reason.NO_DATA,
        Reason.PROMISE_AT_RISK,
        Reason.PROMISE_BROKEN,
        Reason.WORSE,
    }
)
"""What people hear of besides begin, escalation, recurrence, a higher priority and the end."""


def notices(
    before: Incident | None, after: Incident, decision: Decision, context: Context
) -> tuple[Incident, tuple[Effect, ...]]:
    """Return the incident with the recipients that know of it, and what each of them is owed now."""
    if after.covered_by:
        return after, ()
    told = after.notified
    if after.state not in ACTIVE:
        over = before is not None and before.state in ACTIVE
        return after, tuple(_notice(name, after, decision.reason) for name in told) if over else ()
    new = unheard(after, context)
    turned = told if _is_turn(before, after, decision.reason) else ()
    paged = _of_levels(after, decision, context)
    hearing = dict.fromkeys((*turned, *new), decision.reason) | dict.fromkeys(paged, Reason.PAGED)
    effects = tuple(_notice(name, after, reason) for name, reason in hearing.items())
    return replace(after, notified=tuple(dict.fromkeys((*told, *hearing)))), effects


def unheard(incident: Incident, context: Context) -> tuple[str, ...]:
    """Return the recipients that should know of an incident and do not yet."""
    if incident.state not in ACTIVE or incident.parent or incident.covered_by or incident.drill:
        return ()
    if context.situation.warming or incident.suppressed or context.now < context.situation.ticket_hold_until:
        return ()
    policy, now = context.policy, context.now
    fitting = (route for route in policy.routes if route.fits(incident.service, incident.priority, now))
    return tuple(name for name in policy.roster.recipients(fitting, now) if name not in incident.notified)


def _of_levels(incident: Incident, decision: Decision, context: Context) -> tuple[str, ...]:
    """Return the recipients of the levels that an incident has reached just now."""
    chain = context.policy.chain_for(incident.service, incident.priority) if decision.reached else None
    if chain is None:
        return ()
    return context.policy.roster.recipients((chain.levels[level] for level in decision.reached), context.now)


def _is_turn(before: Incident | None, after: Incident, reason: Reason) -> bool:
    if before is None or before.state not in ACTIVE:
        return True
    if reason is Reason.ACKNOWLEDGED:
        return before.page is not None
    escalated = after.state is State.ESCALATED and before.state is not State.ESCALATED
    return escalated or after.priority < before.priority or reason in _TURNS


def _notice(recipient: str, incident: Incident, reason: Reason) -> Effect:
    person, channel = split(recipient)
    return Effect(
        kind=Kind.PUBLISH,
        key=f"{incident.id}:{recipient}:{incident.revision}",
        lane=f"{incident.id}:{recipient}",
        target=channel,
        incident_id=incident.id,
        payload={"reason": str(reason), **({"person": person} if person else {})},
    )
