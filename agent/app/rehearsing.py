"""Rehearsal: what a remediation would do about an alert now, by whom, and what each guard says. Nothing is begun."""

import os
import pwd
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from agent.app import planning
from agent.config.acting import StepOptions
from agent.config.options import Config
from agent.engine.commands import CommandError, Rehearse
from agent.engine.parts import Parts
from agent.incidents.advance import Context
from agent.incidents.incident import Incident
from agent.incidents.opening import described, opened
from agent.incidents.policy import Ladder
from agent.incidents.situation import Step
from collectors.sample import Labels
from remediations import registry
from remediations.exec_helper.policy import Policy
from remediations.guards import GUARDS, Guard
from remediations.limits import Limits
from remediations.mode import lowest
from remediations.runner import GRACE_SECONDS
from remediations.sandbox import HostEnvironment
from remediations.standing import rung
from rules.alert import Alert, AlertState
from rules.matchers import Operator

_RUNNER = f"a process group of its own in a clean environment; ended {GRACE_SECONDS:g} s after its time-out"
_HELPER = "a transient systemd unit: no new privileges, all read-only but what is listed, the whole unit ended"
_BOUNDS = {name: getattr(Policy, name) for name in ("tasks", "memory_mib")}


def rehearsed(
    config: Config, environment: HostEnvironment, parts: Parts, command: Rehearse, now: float
) -> Mapping[str, Any]:
    """Return the plan of every step, who would run it, every guard's answer, and what would be decided."""
    policy = parts.situations.policy
    ladder = policy.ladder(command.remediation)
    if ladder is None:
        known = ", ".join(each.name for each in policy.ladders) or "none"
        raise CommandError(f"there is no remediation {command.remediation!r}; known: {known}", 404)
    incident = _incident(parts, ladder, command, now)
    situation = parts.situations.of(incident, now, ladder)
    decision = opened(incident, Context(situation=situation, policy=policy, now=now))
    options = next(each for each in config.remediations if each.name == ladder.name)
    every = [*zip(options.steps, situation.steps, strict=True)]
    if options.compensate is not None and situation.compensation is not None:
        every.append((options.compensate, situation.compensation))
    shown = [_step(wanted, step, environment, ladder.limits, now) for wanted, step in every]
    taker = policy.ladder_for(incident.labels)
    standing = parts.ledger.standing(("remediation", ladder.name))
    return {
        "remediation": ladder.name,
        "labels": dict(incident.labels),
        "service": incident.service,
        "mode": ladder.mode,
        "effective_mode": lowest(rung(standing, ladder.rungs), policy.catalogue.get(incident.service).automation),
        "taken_by": taker.name if taker is not None else None,
        "decision": decision.reason,
        "guard": decision.guard,
        "detail": decision.detail,
        "steps": shown[: len(options.steps)],
        "compensation": shown[-1] if len(shown) > len(options.steps) else None,
    }


def _incident(parts: Parts, ladder: Ladder, command: Rehearse, now: float) -> Incident:
    """Return what an alert with these labels would open; a label that the remediation asks for need not be given."""
    asked = {each.name: each.value for each in ladder.matchers if each.operator is Operator.EQUAL}
    labels: Labels = tuple(sorted((asked | dict(command.labels)).items()))
    alert = Alert(
        fingerprint="",
        rule="",
        rule_version="",
        labels=labels,
        annotations=(),
        state=AlertState.FIRING,
        value=command.value,
        active_at=now,
        origin=command.origin,
    )
    host = parts.desk.rules.host
    return described(alert, parts.situations.policy, incident_id="rehearsal", key="", host=host, now=now)


def _step(
    options: StepOptions, step: Step, environment: HostEnvironment, limits: Limits, now: float
) -> Mapping[str, Any]:
    plan = step.plan
    return {
        "action": step.action,
        "argv": plan.argv if plan is not None else None,
        "resource": plan.resource if plan is not None else None,
        "error": step.guards.target_error or None,
        "precondition": step.precondition,
        "diagnostics": step.diagnostics,
        "run": _run(options, step, environment) if plan is not None else None,
        "guards": [_answer(guard, limits, step, now) for guard in Guard],
    }


def _answer(guard: Guard, limits: Limits, step: Step, now: float) -> Mapping[str, Any]:
    refusal = GUARDS[list(Guard).index(guard)](limits, step.guards, now)
    return {"guard": guard} | (
        {"allows": True, "reason": None, "then": None, "retry_at": None}
        if refusal is None
        else {"allows": False, "reason": refusal.reason, "then": refusal.then, "retry_at": refusal.retry_at}
    )


def _run(options: StepOptions, step: Step, environment: HostEnvironment) -> Mapping[str, Any]:
    """Return who would run the step, as whom, and within which bounds."""
    assert step.plan is not None, "what cannot be planned is run by nobody"  # noqa: S101
    spec = registry.action(step.action)
    if step.plan.by == "helper":
        privilege = planning.privilege(options)
        writable = (*step.plan.writable, *map(str, options.writable))
        owner = privilege.user or "a user of its own"
        bounds = {"timeout_seconds": step.timeout, **_BOUNDS, "writable": writable}
        return {"by": "helper", **asdict(privilege), "user": owner, "sandbox": _HELPER, **bounds}
    polkit = spec.unit_verb and environment.service and not environment.direct
    user = pwd.getpwuid(os.geteuid()).pw_name
    return {
        "by": "polkit" if polkit else "direct",
        "user": f"{user}, and systemd does it" if spec.unit_verb else user,
        "sandbox": _RUNNER,
        "timeout_seconds": step.timeout,
    }
