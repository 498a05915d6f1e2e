"""What happens next to an incident that needs work: start a step, wait, escalate, resolve."""

import hashlib
from dataclasses import dataclass, replace

from agent.incidents.decision import Decision, Reason
from agent.incidents.effects import Effect, Kind
from agent.incidents.incident import (
    Approval,
    Attempt,
    Awaiting,
    Evidence,
    Incident,
    Proposal,
    Resolution,
    State,
    Work,
)
from agent.incidents.policy import Ladder, Policy
from agent.incidents.situation import Situation, Step
from remediations.guards import Guard, Refusal, Then, refusals
from remediations.mode import Mode
from remediations.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a decision is taken in."""

    situation: Situation
    policy: Policy
    now: float


def proceed(incident: Incident, context: Context, *, otherwise: Reason) -> Decision:
    """Start the next step of the matching remediation if nothing forbids it.

    `otherwise` is the reason to give when the only news is the event itself.
    """
    situation = context.situation
    if incident.parent:
        return Decision(incident=incident, reason=_first(otherwise, Reason.SUPPRESSED))
    if incident.suppressed:
        return hold(incident, context)
    if incident.alert_state == "no_data":
        return Decision(incident=_await_data(incident, context), reason=otherwise)
    if situation.warming:
        later = replace(incident, wake_at=context.now + context.policy.recheck)
        return Decision(incident=later, reason=_first(otherwise, Reason.WARMING_UP))
    ladder = context.policy.ladder(situation.remediation)
    if ladder is None or incident.member_labels:
        return _hand_over(incident, context, otherwise)
    index = next_step(incident)
    if index >= len(situation.steps):
        return escalate(incident, "every step was tried", Reason.EXHAUSTED)
    return _ask_guards(incident, ladder, index, context, otherwise)


def _hand_over(incident: Incident, context: Context, otherwise: Reason) -> Decision:
    """Give a person what nothing can be done about, once settling is over."""
    settled_at = context.situation.ticket_hold_until
    if context.now < settled_at:
        return Decision(incident=replace(incident, wake_at=settled_at), reason=otherwise)
    if incident.member_labels:
        return replace(escalate(incident, "storm", Reason.REFUSED_FOR_GOOD), guard=Guard.STORM)
    return escalate(incident, "no remediation matches", Reason.NO_REMEDIATION)


def overlaid(incident: Incident, situation: Situation) -> Incident:
    """Return the incident with what suppresses it now. What is a row of another stays as quiet as it is."""
    return incident if incident.parent else replace(incident, suppressed=situation.muted)


def hold(incident: Incident, context: Context) -> Decision:
    """Let the incident keep its state for as long as it is muted, whatever else the guards would say (guard 4)."""
    situation = context.situation
    ladder = context.policy.ladder(situation.remediation)
    index = next_step(incident)
    held = replace(incident, refusals=(), wake_at=situation.muted_until)
    if ladder is None or index >= len(situation.steps):
        return Decision(incident=held, reason=Reason.SUPPRESSED, detail=situation.muted)
    answers = refusals(ladder.limits, situation.steps[index].guards, context.now)
    held = replace(held, refusals=tuple(f"{a.guard}: {a.reason}" for a in answers))
    return Decision(incident=held, reason=Reason.REFUSED_FOR_NOW, guard=Guard.FREEZE, detail=situation.muted)


def next_step(incident: Incident) -> int:
    return incident.work.step + 1 if incident.work is not None else 0


def _await_data(incident: Incident, context: Context) -> Incident:
    """Nothing is repaired blind; when data has been missing for too long, somebody is told."""
    since = incident.no_data_since if incident.no_data_since is not None else context.now
    until = since + context.policy.no_data_after
    return replace(incident, wake_at=until if until > context.now else context.now + context.policy.recheck)


def _first(news: Reason, fallback: Reason) -> Reason:
    return fallback if news is Reason.UNCHANGED else news


def _ask_guards(incident: Incident, ladder: Ladder, index: int, context: Context, otherwise: Reason) -> Decision:
    step = context.situation.steps[index]
    approval = _counting(incident, step, context)
    answers = refusals(ladder.limits, replace(step.guards, approved_by=approval.by if approval else ""), context.now)
    told = replace(incident, refusals=tuple(f"{a.guard}: {a.reason}" for a in answers))
    blocking = [a for a in answers if a.guard is not Guard.MODE]
    if blocking and (answers[0] is blocking[0] or blocking[0].then is Then.ESCALATE):
        return _refused(told, blocking[0], context)
    if not answers:
        return start(told, ladder, index, step, context, approval=approval)
    if step.guards.mode is Mode.APPROVE and approval is None:
        return _ask_person(told, ladder, step, context)
    if blocking:
        return _refused(told, blocking[0], context)
    held = replace(told, would_run=argv(step), wake_at=None, proposal=_proposed(told, ladder, step, context))
    same = incident.would_run == held.would_run
    return Decision(incident=held, reason=otherwise if same else Reason.WOULD_RUN, guard=Guard.MODE)


def _counting(incident: Incident, step: Step, context: Context) -> Approval | None:
    """Return the approval of exactly this plan, as long as it counts."""
    given = incident.approval
    if given is None or step.plan is None or given.plan != step.plan.id:
        return None
    return given if context.now < given.at + context.policy.approval_timeout else None


def _ask_person(incident: Incident, ladder: Ladder, step: Step, context: Context) -> Decision:
    assert step.plan is not None, "the target guard refuses what could not be planned"  # noqa: S101
    now, policy = context.now, context.policy
    asked = Awaiting(
        plan=_asking(incident, step.plan, now),
        digest=step.plan.id,
        argv=step.plan.argv,
        undo=argv(context.situation.compensation),
        approvers=ladder.approvers,
        asked_at=now,
        until=now + policy.approval_timeout,
        remind_at=now + policy.approval_reminder,
    )
    waiting = replace(
        incident,
        state=State.AWAITING_APPROVAL,
        awaiting=asked,
        approval=None,
        wake_at=min(asked.until, asked.remind_at),
        would_run=argv(step),
        proposal=_proposal(incident, ladder, step.plan, context),
    )
    return Decision(incident=waiting, reason=Reason.APPROVAL_NEEDED, guard=Guard.MODE)


def _proposed(incident: Incident, ladder: Ladder, step: Step, context: Context) -> Proposal | None:
    """Return what is proposed from now on: as long as it is the same plan, that is one proposal."""
    made, plan = incident.proposal, step.plan
    if plan is None:
        return None
    same = made is not None and (made.version, made.digest) == (ladder.version, plan.id)
    if made is not None and made.proof is None and same and not made.run_id:
        return made
    return _proposal(incident, ladder, plan, context)


def _proposal(incident: Incident, ladder: Ladder, plan: Plan, context: Context) -> Proposal:
    return Proposal(
        remediation=ladder.name,
        version=ladder.version,
        plan=_asking(incident, plan, context.now),
        digest=plan.id,
        undo=argv(context.situation.compensation),
        approvers=ladder.approvers,
        at=context.now,
    )


def _asking(incident: Incident, plan: Plan, now: float) -> str:
    return hashlib.sha256(f"{incident.id}:{plan.id}:{now!r}".encode()).hexdigest()[:16]


def argv(step: Step | None) -> tuple[str, ...]:
    return step.plan.argv if step is not None and step.plan is not None else ()


def _refused(incident: Incident, refusal: Refusal, context: Context) -> Decision:
    if refusal.then is Then.ESCALATE:
        decision = escalate(incident, f"{refusal.guard}: {refusal.reason}", Reason.REFUSED_FOR_GOOD)
        return replace(decision, guard=refusal.guard)
    waiting = replace(incident, state=State.OPEN, wake_at=_ask_again_at(refusal, context))
    return Decision(incident=waiting, reason=Reason.REFUSED_FOR_NOW, guard=refusal.guard, detail=refusal.reason)


def _ask_again_at(refusal: Refusal, context: Context) -> float:
    """Return when to decide again: who is at work may leave sooner than is known, and nothing tells us."""
    soon = context.now + context.policy.recheck
    if refusal.retry_at is None:
        return soon
    return min(refusal.retry_at, soon) if refusal.guard is Guard.OPERATOR else refusal.retry_at


def start(
    incident: Incident,
    ladder: Ladder,
    index: int,
    step: Step,
    context: Context,
    *,
    approval: Approval | None,
    compensates: str = "",
) -> Decision:
    """Begin a step: the intent becomes durable with this decision, the effect follows."""
    assert step.plan is not None, "the target guard refuses what could not be planned"  # noqa: S101
    run_id, now = context.situation.run_id, context.now
    attempt = Attempt(
        run_id=run_id,
        remediation=ladder.name,
        action=step.action,
        resource=step.plan.resource,
        argv=step.plan.argv,
        step=index,
        started_at=now,
        approval=approval,
        emergency=context.situation.emergency,
        compensates=compensates,
        before=Evidence(at=incident.value_at, value=incident.value),
    )
    begun = replace(
        incident,
        state=State.REMEDIATING,
        attempts=(*incident.attempts, attempt),
        work=Work(
            remediation=ladder.name,
            resource=step.plan.resource,
            step=index,
            run_id=run_id,
            began_at=now,
            priority=incident.priority,
        ),
        wake_at=None,
        refusals=(),
        would_run=(),
        approval=None,
        retry=False,
    )
    reason = Reason.COMPENSATION_STARTED if compensates else Reason.ATTEMPT_STARTED
    return Decision(incident=begun, reason=reason, effects=(_effect(incident, attempt, step, step.plan),))


def _effect(incident: Incident, attempt: Attempt, step: Step, plan: Plan) -> Effect:
    return Effect(
        kind=Kind.REMEDIATION,
        key=attempt.run_id,
        lane=plan.resource,
        target=plan.by,
        incident_id=incident.id,
        payload={
            "run_id": attempt.run_id,
            "action": step.action,
            "argv": list(plan.argv),
            "environment": [list(pair) for pair in plan.environment],
            "resource": plan.resource,
            "timeout": step.timeout,
            "remediation": attempt.remediation,
            "precondition": list(step.precondition),
            "diagnostics": [list(words) for words in step.diagnostics],
            **({"boot_id": step.boot_id} if step.boot_id else {}),
        },
    )


def escalate(incident: Incident, why: str, reason: Reason) -> Decision:
    """Hand the incident to a person."""
    lost = replace(
        incident,
        state=State.ESCALATED,
        escalated_reason=why,
        handed_over=True,
        wake_at=_ack_expiry(incident),
        work=None,
    )
    return Decision(incident=lost, reason=reason, detail=why)


def woken(incident: Incident, at: float | None) -> Incident:
    """Return the incident with a wake-up no later than `at`."""
    if at is None or (incident.wake_at is not None and incident.wake_at <= at):
        return incident
    return replace(incident, wake_at=at)


def _ack_expiry(incident: Incident) -> float | None:
    return incident.acknowledged_until if incident.acknowledged_by else None


def resolve(incident: Incident, how: Resolution, reason: Reason, context: Context) -> Decision:
    """End the incident; a recurrence inside the window re-opens it."""
    over = replace(
        incident,
        state=State.RESOLVED,
        resolution=how,
        resolved_at=context.now,
        work=None,
        wake_at=context.now + context.policy.window_of(incident),
        acknowledged_by="",
        acknowledged_until=None,
        refusals=(),
        would_run=(),
        no_data_since=None,
    )
    return Decision(incident=over, reason=reason)
