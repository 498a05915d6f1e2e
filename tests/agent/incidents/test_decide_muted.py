"""Deciding while muted: the state is kept, nothing is begun, and nobody is told but of an end."""

from dataclasses import replace

import pytest

from agent.incidents.decide import decide
from agent.incidents.decision import Reason
from agent.incidents.effects import Kind
from agent.incidents.events import AttemptSettled, HealthSeen, MuteChanged, ResolvedByOperator, RetryOrdered, TimerDue
from agent.incidents.incident import Outcome, State
from remediations.mode import Mode
from rules.alert import AlertState

SILENCE = "silence 1 (ann)"


def act(world, incident, event, **situation):
    return decide(incident, event, world.situation(**situation), world.policy, world.now)


def mute(world, seconds=600.0):
    """Let the world be muted; return what a situation says of it."""
    world.guards = replace(world.guards, muted=SILENCE, muted_until=world.now + seconds)
    return {"muted": SILENCE, "muted_until": world.now + seconds}


def unmute(world):
    world.guards = replace(world.guards, muted="", muted_until=None)


def ops(decision):
    return [effect.payload["op"] for effect in decision.effects if effect.kind is Kind.TICKET]


def test_an_incident_opens_muted_with_the_guard_its_reason_and_its_end(world):
    decision = world.opened(**mute(world))

    assert decision.incident.state is State.OPEN
    assert decision.incident.suppressed == SILENCE
    assert decision.incident.refusals == (f"freeze: muted by {SILENCE}",)
    assert decision.incident.wake_at == world.now + 600
    assert (decision.guard, decision.reason, decision.detail) == ("freeze", Reason.REFUSED_FOR_NOW, SILENCE)
    assert decision.effects == ()


def test_muted_nothing_escalates(world):
    muted = mute(world)
    world.guards = replace(world.guards, target_error="no such unit", passes=9)

    assert world.opened(**muted).incident.state is State.OPEN
    nobody = world.opened(remediation="", steps=(), **muted)
    assert (nobody.incident.state, nobody.reason, nobody.effects) == (State.OPEN, Reason.SUPPRESSED, ())


def test_data_missing_for_long_escalates_only_once_the_mute_is_over(world):
    muted = mute(world, 7200)
    silent = act(world, world.opened(**muted).incident, world.event(AlertState.NO_DATA), **muted).incident
    world.now += world.policy.no_data_after
    silent = act(world, silent, TimerDue(), **muted).incident
    assert silent.state is State.OPEN
    unmute(world)

    silent = act(world, silent, MuteChanged()).incident
    world.now = silent.wake_at

    assert act(world, silent, TimerDue()).reason is Reason.NO_DATA_TOO_LONG


def test_at_the_end_work_goes_on_and_everybody_is_told(world):
    incident = world.opened(**mute(world)).incident
    world.now += 600
    unmute(world)

    decision = act(world, incident, MuteChanged())

    assert decision.incident.state is State.REMEDIATING
    assert decision.incident.suppressed == ""
    assert [effect.kind for effect in decision.effects] == [Kind.REMEDIATION, Kind.TICKET, Kind.PUBLISH]
    assert ops(decision) == ["open"]


def test_a_mute_that_begins_while_an_attempt_runs_lets_it_finish_and_stops_the_ladder(world):
    incident = world.opened().incident
    muted = mute(world)
    decision = act(world, incident, MuteChanged(), **muted)
    assert (decision.incident.state, decision.reason) == (State.REMEDIATING, Reason.SUPPRESSED)
    assert decision.effects == ()

    event = AttemptSettled(run_id=incident.work.run_id, outcome=Outcome.FAILED)
    verifying = act(world, decision.incident, event, **muted)
    assert (verifying.incident.state, verifying.effects) == (State.VERIFYING, ())
    world.now += 200
    ineffective = act(world, verifying.incident, HealthSeen(healthy=False), **muted)

    assert ineffective.incident.state is State.OPEN
    assert ineffective.incident.attempts[0].verified is False
    assert ineffective.effects == ()
    unmute(world)
    assert act(world, ineffective.incident, MuteChanged()).incident.work.step == 1


def test_a_fix_that_is_proven_while_muted_closes_the_ticket_that_there_was(world):
    incident = world.opened().incident
    muted = mute(world)
    event = AttemptSettled(run_id=incident.work.run_id, outcome=Outcome.SUCCEEDED)
    incident = act(world, incident, event, **muted).incident
    incident = act(world, incident, HealthSeen(healthy=True), **muted).incident
    world.now += 30

    decision = act(world, incident, HealthSeen(healthy=True), **muted)

    assert decision.incident.state is State.RESOLVED
    assert ops(decision) == ["close"]
    assert [effect.kind for effect in decision.effects] == [Kind.TICKET, Kind.PUBLISH]


def test_what_came_and_went_while_muted_is_never_told(world):
    muted = mute(world)
    incident = world.opened(**muted).incident

    decision = act(world, incident, world.recovered(), **muted)

    assert decision.incident.state is State.RESOLVED
    assert decision.effects == ()


def test_what_came_back_while_muted_reopens_its_ticket_at_the_end(world):
    world.guards = replace(world.guards, stopped="a test")
    resolved = act(world, world.opened().incident, world.recovered()).incident
    muted = mute(world)
    again = act(world, resolved, world.event(), **muted)
    assert (again.incident.state, again.incident.reopened, again.effects) == (State.OPEN, 1, ())
    unmute(world)

    decision = act(world, again.incident, MuteChanged())

    assert ops(decision) == ["reopen"]


def test_what_came_back_and_went_again_while_muted_closes_no_ticket_twice(world):
    world.guards = replace(world.guards, stopped="a test")
    resolved = act(world, world.opened().incident, world.recovered()).incident
    muted = mute(world)
    again = act(world, resolved, world.event(), **muted).incident

    assert ops(act(world, again, world.recovered(), **muted)) == []


def test_a_mute_that_is_over_when_the_alert_comes_back_does_not_linger(world):
    muted = mute(world)
    resolved = act(world, world.opened(**muted).incident, world.recovered(), **muted).incident
    unmute(world)

    decision = act(world, resolved, world.event())

    assert decision.incident.suppressed == ""
    assert decision.incident.state is State.REMEDIATING


def test_after_the_end_settling_holds_the_ticket_back(world):
    incident = world.opened(remediation="", steps=(), **mute(world)).incident
    world.now += 600
    unmute(world)
    settling = {"remediation": "", "steps": (), "ticket_hold_until": world.now + 300}

    decision = act(world, incident, MuteChanged(), **settling)

    assert (decision.incident.state, ops(decision)) == (State.OPEN, [])
    assert decision.incident.wake_at == world.now + 300
    world.now += 300
    later = act(world, decision.incident, TimerDue(), remediation="", steps=())
    assert (later.incident.state, ops(later)) == (State.ESCALATED, ["open"])


def test_an_approval_waits_for_the_end_and_has_its_whole_time_then(world):
    world.guards = replace(world.guards, mode=Mode.APPROVE)
    incident = world.opened().incident
    muted = mute(world, 7200)
    incident = act(world, incident, MuteChanged(), **muted).incident
    world.now += world.policy.approval_timeout
    incident = act(world, incident, TimerDue(), **muted).incident
    assert incident.state is State.AWAITING_APPROVAL
    unmute(world)

    incident = act(world, incident, MuteChanged()).incident

    assert incident.awaiting.until == world.now + world.policy.approval_timeout


def test_not_even_a_retry_that_somebody_orders_goes_past_a_mute(world):
    world.guards = replace(world.guards, passes=9)
    escalated = world.opened().incident
    world.guards = replace(world.guards, passes=0)
    muted = mute(world)

    decision = act(world, escalated, RetryOrdered(actor="bob", reason="now"), **muted)

    assert (decision.incident.state, decision.guard, decision.effects) == (State.OPEN, "freeze", ())


def test_one_mute_after_another_is_on_record(world):
    incident = world.opened(**mute(world)).incident

    decision = act(world, incident, MuteChanged(), muted="freeze window night", muted_until=world.now + 9)

    assert decision.incident.suppressed == "freeze window night"
    assert decision.reason is not Reason.UNCHANGED
    assert decision.effects == ()


@pytest.mark.parametrize("event", [TimerDue(), MuteChanged(), HealthSeen(healthy=None)])
def test_the_same_mute_again_changes_nothing(world, event):
    muted = mute(world)
    incident = world.opened(**muted).incident

    decision = act(world, incident, event, **muted)

    assert decision.incident == incident


def test_somebody_can_resolve_what_is_muted(world):
    muted = mute(world)

    assert act(world, world.opened(**muted).incident, ResolvedByOperator(actor="bob"), **muted).incident.resolved_at
