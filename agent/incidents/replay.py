"""Taking a decision again: the policy and what a decision was taken on give what is on record, nothing else does."""

from dataclasses import dataclass

from agent.incidents.advance import Context
from agent.incidents.decide import decide
from agent.incidents.decision import Decision
from agent.incidents.events import Event
from agent.incidents.incident import Incident
from agent.incidents.opening import opened
from agent.incidents.policy import Policy
from agent.incidents.situation import Situation


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a decision was taken on. Without an event the incident was new."""

    before: Incident
    event: Event | None
    situation: Situation


def again(taken: Taken, policy: Policy, now: float) -> Decision:
    """Return the decision that was taken at wall second `now` under this policy."""
    if taken.event is None:
        return opened(taken.before, Context(situation=taken.situation, policy=policy, now=now))
    return decide(taken.before, taken.event, taken.situation, policy, now)
