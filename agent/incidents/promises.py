"""What was promised about an incident, held against every decision."""

from dataclasses import replace

from agent.incidents.advance import Context
from agent.incidents.decision import Decision, Reason
from agent.incidents.incident import Incident
from agent.itsm.clocks import Call
from agent.itsm.promises import kept

REASONS = {Call.WARNING: Reason.PROMISE_AT_RISK, Call.BREACH: Reason.PROMISE_BROKEN}


def promised(before: Incident | None, decision: Decision, context: Context) -> Decision:
    """Return the decision with the incident's clocks as they are now, and what they say."""
    after, said = kept(before, decision.incident, context.policy.catalogue, context.now)
    if after is decision.incident:
        return decision
    decision = replace(decision, incident=after, said=said)
    if not said or decision.reason is not Reason.UNCHANGED:
        return decision
    worst = max((call for _, call in said), key=list(Call).index)
    return replace(decision, reason=REASONS[worst], detail=", ".join(f"{kind} {call}" for kind, call in said))
