"""Escalation by time: while nobody acknowledges an incident, the levels of its chain are told, one after the other."""

from dataclasses import replace

from agent.incidents.advance import Context
from agent.incidents.decision import Decision, Reason
from agent.incidents.incident import ACTIVE, Incident, Page
from agent.incidents.routes import Chain

_Paged = tuple[Page | None, float | None, tuple[int, ...]]
"""How far the chain has come, when it goes on, and the levels that are reached just now."""


def paged(decision: Decision, context: Context) -> Decision:
    """Return the decision with the incident's place in its chain, and the levels that are to be told now."""
    before = decision.incident
    page, at, reached = _placed(before, context)
    if (page, at) == (before.page, before.page_at):
        return decision
    decision = replace(decision, incident=replace(before, page=page, page_at=at), reached=reached)
    if page is None or not reached or decision.reason is not Reason.UNCHANGED:
        return decision
    return replace(decision, reason=Reason.PAGED, detail=f"level {page.level} of {page.chain}")


def _placed(incident: Incident, context: Context) -> _Paged:
    if incident.state not in ACTIVE:
        return None, None, ()
    if incident.acknowledged_by:  # when that is over, it begins with the first level again
        held = replace(incident.page, level=0, since=None) if incident.page is not None else None
        return held, incident.acknowledged_until, ()
    chain = context.policy.chain_for(incident.service, incident.priority)
    if chain is None or incident.drill or incident.parent or incident.covered_by:
        return None, None, ()
    page = incident.page if incident.page is not None and incident.page.chain == chain.name else None
    if incident.suppressed:
        return replace(page, since=None) if page is not None else None, None, ()
    if page is None and (until := _not_before(context)) is not None:
        return None, until, ()
    return _climbed(page or Page(chain=chain.name, since=context.now), chain, context.now)


def _not_before(context: Context) -> float | None:
    """Return when to look again if it is too early for anybody to hear of it: a restart does not begin a chain."""
    if context.now < context.situation.ticket_hold_until:
        return context.situation.ticket_hold_until
    return context.now + context.policy.recheck if context.situation.warming else None


def _climbed(page: Page, chain: Chain, now: float) -> _Paged:
    """Go up the levels whose time has come. What was muted for a while waits for the next level from now on."""
    before = chain.levels[page.level - 1].after if 0 < page.level <= len(chain.levels) else 0.0
    since = page.since if page.since is not None else now - before
    level = page.level
    while level < len(chain.levels) and since + chain.levels[level].after <= now:
        level += 1
    at = since + chain.levels[level].after if level < len(chain.levels) else None
    return replace(page, since=since, level=level), at, tuple(range(page.level, level))
