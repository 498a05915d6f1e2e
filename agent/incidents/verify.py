"""Verification: only fresh data that says healthy throughout `hold` makes an attempt a fix."""

from dataclasses import replace

from agent.incidents import advance
from agent.incidents.advance import Context
from agent.incidents.decision import Decision, Reason
from agent.incidents.events import HealthSeen
from agent.incidents.incident import Incident, Resolution, State, Verdict, Work


def seen(incident: Incident, event: HealthSeen, context: Context) -> Decision:
    """Take note of what samples newer than the attempt say, and end verification when hold or time-out is reached."""
    work = incident.work
    if incident.state is not State.VERIFYING or work is None:
        return Decision(incident=incident, reason=Reason.UNCHANGED)
    ladder = context.policy.ladder(work.remediation)
    hold = ladder.verify.hold if ladder is not None else 0.0
    if event.healthy:
        return _healthy(incident, work, hold, context)
    if event.healthy is False and work.healthy_since is not None:
        return _ineffective(incident, "it did not stay healthy", context)
    if work.deadline is not None and context.now >= work.deadline:
        why = "still not healthy" if event.healthy is False else "no fresh data proves it healthy"
        return _ineffective(incident, why, context)
    return Decision(incident=replace(incident, wake_at=work.deadline), reason=Reason.UNCHANGED)


def _healthy(incident: Incident, work: Work, hold: float, context: Context) -> Decision:
    since = work.healthy_since if work.healthy_since is not None else context.now
    if context.now - since >= hold:
        fixed = _judge(replace(incident, alert_state="resolved"), Verdict.FIXED)
        return advance.resolve(fixed, Resolution.FIXED, Reason.FIXED, context)
    held = replace(incident, work=replace(work, healthy_since=since), wake_at=since + hold)
    reason = Reason.LOOKS_HEALTHY if work.healthy_since is None else Reason.UNCHANGED
    return Decision(incident=held, reason=reason)


def _ineffective(incident: Incident, why: str, context: Context) -> Decision:
    """The attempt did not help. If the alert is over all the same, nothing more is done about it."""
    over = incident.alert_state == "resolved"
    failed = replace(_judge(incident, Verdict.BY_ITSELF if over else Verdict.INEFFECTIVE), state=State.OPEN)
    if over:
        return advance.resolve(failed, Resolution.BY_ITSELF, Reason.RESOLVED_BY_ITSELF, context)
    decision = advance.proceed(failed, context, otherwise=Reason.INEFFECTIVE)
    return replace(decision, detail=decision.detail or why)


def _judge(incident: Incident, verdict: Verdict) -> Incident:
    run_id = incident.work.run_id if incident.work is not None else ""
    helped = verdict is Verdict.FIXED
    attempts = tuple(
        replace(a, verified=helped, verdict=verdict) if a.run_id == run_id else a for a in incident.attempts
    )
    return replace(incident, attempts=attempts)
