"""Verification: only fresh data that says healthy throughout `hold` makes an attempt a fix."""

from dataclasses import replace

from agent.incidents import advance
from agent.incidents.advance import Context
from agent.incidents.decision import Decision, Reason
from agent.incidents.events import HealthSeen
from agent.incidents.incident import Approval, Attempt, Evidence, Incident, Resolution, State, Verdict, Work
from agent.incidents.policy import Ladder
from agent.incidents.situation import Step
from remediations.guards import refusals
from remediations.mode import Mode
from remediations.standing import falls_short, judged


def seen(incident: Incident, event: HealthSeen, context: Context) -> Decision:
    """Take note of what samples newer than the attempt say, and end verification when hold or time-out is reached."""
    work = incident.work
    if incident.state is not State.VERIFYING or work is None:
        return Decision(incident=incident, reason=Reason.UNCHANGED)
    ladder = context.policy.ladder(work.remediation)
    hold = ladder.verify.hold if ladder is not None else 0.0
    if why := _worse(incident, work, event):
        return _made_worse(incident, work, event, why, context)
    if event.healthy:
        return _healthy(incident, work, hold, event, context)
    if event.healthy is False and work.healthy_since is not None:
        return _ineffective(incident, event, "it did not stay healthy", context)
    if work.deadline is not None and context.now >= work.deadline:
        why = "still not healthy" if event.healthy is False else "no fresh data proves it healthy"
        return _ineffective(incident, event, why, context)
    return Decision(incident=replace(incident, wake_at=work.deadline), reason=Reason.UNCHANGED)


def _worse(incident: Incident, work: Work, event: HealthSeen) -> str:
    """Return why the attempt made things worse; empty: it did not, as far as is known."""
    if event.worse:
        return "the expression that says so holds"
    rose = work.priority and incident.priority < work.priority and incident.alert_state == "firing"
    return f"the priority rose from {work.priority} to {incident.priority}" if rose else ""


def _healthy(incident: Incident, work: Work, hold: float, event: HealthSeen, context: Context) -> Decision:
    since = work.healthy_since if work.healthy_since is not None else context.now
    if context.now - since >= hold:
        fixed = _judge(replace(incident, alert_state="resolved"), Verdict.FIXED, event)
        return advance.resolve(fixed, Resolution.FIXED, Reason.FIXED, context)
    held = replace(incident, work=replace(work, healthy_since=since), wake_at=since + hold)
    reason = Reason.LOOKS_HEALTHY if work.healthy_since is None else Reason.UNCHANGED
    return Decision(incident=held, reason=reason)


def _ineffective(incident: Incident, event: HealthSeen, why: str, context: Context) -> Decision:
    """The attempt did not help. If the alert is over all the same, nothing more is done about it."""
    over = incident.alert_state == "resolved"
    failed = _judge(incident, Verdict.BY_ITSELF if over else Verdict.INEFFECTIVE, event)
    if over:
        return advance.resolve(failed, Resolution.BY_ITSELF, Reason.RESOLVED_BY_ITSELF, context)
    return _next(failed, Reason.INEFFECTIVE, why, context)


def _made_worse(incident: Incident, work: Work, event: HealthSeen, why: str, context: Context) -> Decision:
    """Undo it once, if there is something to undo it with; else go on with the next step."""
    judged = _judge(incident, Verdict.WORSE, event)
    ladder, attempt = context.policy.ladder(work.remediation), judged.attempts[-1]
    if ladder is None or context.situation.compensation is None or attempt.compensates:
        return _next(judged, Reason.WORSE, f"it made things worse: {why}", context)
    decision = _compensate(judged, ladder, work, context)
    return replace(decision, detail=decision.detail or f"it made things worse: {why}")


def _compensate(incident: Incident, ladder: Ladder, work: Work, context: Context) -> Decision:
    """Undo an attempt that made things worse, if every guard allows it; else a person must."""
    step = context.situation.compensation
    assert step is not None, "asked for only where there is one"  # noqa: S101
    given = _covering(incident.attempts[-1], step)
    answers = refusals(ladder.limits, replace(step.guards, approved_by=given.by if given else ""), context.now)
    if answers:
        why = f"it made things worse, and undoing it is refused: {answers[0].guard}: {answers[0].reason}"
        told = replace(incident, refusals=tuple(f"{a.guard}: {a.reason}" for a in answers))
        return replace(advance.escalate(told, why, Reason.WORSE), guard=answers[0].guard)
    return advance.start(incident, ladder, work.step, step, context, approval=given, compensates=work.run_id)


def _covering(undone: Attempt, step: Step) -> Approval | None:
    """Return the approval of what is to be undone, if exactly this was named to whoever gave it."""
    given = undone.approval
    if given is None or advance.argv(step) != given.undo:
        return None
    return replace(given, asked="")  # the change that asked for it is the attempt's own


def _next(incident: Incident, reason: Reason, why: str, context: Context) -> Decision:
    learned = _learned(incident, context)
    decision = advance.proceed(replace(incident, state=State.OPEN), learned, otherwise=reason)
    return replace(decision, detail=decision.detail or why)


def _learned(incident: Incident, context: Context) -> Context:
    """Let the guards know of the verdict that was just given: it may open a circuit breaker, or take trust away."""
    attempt, situation = incident.attempts[-1], context.situation
    ladder = context.policy.ladder(attempt.remediation)
    if ladder is None or attempt.compensates:
        return context
    steps = tuple(_after_failure(step, attempt, ladder, context.now, drill=incident.drill) for step in situation.steps)
    return replace(context, situation=replace(situation, steps=steps))


def _after_failure(step: Step, attempt: Attempt, ladder: Ladder, now: float, *, drill: bool) -> Step:
    guards, kind = step.guards, step.guards.kind
    if kind.name == attempt.action and not drill:
        kind = replace(kind, standing=judged(kind.standing, kind.limits.breaker, helped=False, now=now))
    standing = judged(guards.standing, ladder.limits.breaker, helped=False, now=now)
    demoted = guards.mode is Mode.AUTO and falls_short(standing, ladder.target)
    mode = Mode.APPROVE if demoted else guards.mode
    return replace(step, guards=replace(guards, standing=standing, kind=kind, mode=mode))


def _judge(incident: Incident, verdict: Verdict, event: HealthSeen) -> Incident:
    run_id = incident.work.run_id if incident.work is not None else ""
    after = Evidence(at=event.at, value=event.value) if event.healthy is not None else None
    attempts = tuple(
        replace(a, verified=verdict is Verdict.FIXED, verdict=verdict, after=after) if a.run_id == run_id else a
        for a in incident.attempts
    )
    return replace(incident, attempts=attempts)
