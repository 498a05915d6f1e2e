"""Proof: what is measured before and after, what counts as worse, and undoing it."""

from dataclasses import replace

from agent.incidents.decide import decide
from agent.incidents.decision import Reason
from agent.incidents.effects import Kind
from agent.incidents.events import AttemptNeverBegan, AttemptSettled, HealthSeen
from agent.incidents.incident import Outcome, Resolution, State, Verdict


def act(world, incident, event, **situation):
    return decide(incident, event, world.situation(**situation), world.policy, world.now)


def settled(world, incident, **changes):
    event = AttemptSettled(run_id=incident.work.run_id, outcome=Outcome.SUCCEEDED)
    return act(world, incident, replace(event, **changes)).incident


def verifying(world):
    return settled(world, world.opened().incident)


def argvs(decision):
    return [effect.payload["argv"] for effect in decision.effects if effect.kind is Kind.REMEDIATION]


def test_an_attempt_keeps_what_was_measured_before_and_after(world):
    incident = act(world, verifying(world), HealthSeen(healthy=True, at=world.now)).incident
    world.now += 30

    attempt = act(world, incident, HealthSeen(healthy=True, at=world.now - 1)).incident.attempts[0]

    assert (attempt.before.value, attempt.before.at) == (1.0, incident.opened_at)
    assert (attempt.after.value, attempt.after.at) == (None, world.now - 1)
    assert attempt.verdict is Verdict.FIXED


def test_without_data_there_is_no_evidence_and_no_proof(world):
    incident = verifying(world)
    world.now += 500

    attempt = act(world, incident, HealthSeen(healthy=None)).incident.attempts[0]

    assert (attempt.verdict, attempt.after) == (Verdict.INEFFECTIVE, None)


def test_what_was_over_by_itself_is_no_success_of_the_attempt(world):
    incident = act(world, verifying(world), world.recovered()).incident
    world.now += 500

    decision = act(world, incident, HealthSeen(healthy=None))

    assert decision.incident.resolution is Resolution.BY_ITSELF
    assert decision.incident.attempts[0].verdict is Verdict.BY_ITSELF
    assert decision.incident.attempts[0].verified is False


def test_worse_ends_verification_at_once_and_the_next_step_follows(world):
    decision = act(world, verifying(world), HealthSeen(healthy=False, at=world.now, value=9.0, worse=True))

    assert decision.incident.attempts[0].verdict is Verdict.WORSE
    assert decision.incident.attempts[0].after.value == 9.0
    assert argvs(decision) == [["/bin/true", "1"]]


def test_a_higher_priority_during_verification_is_worse(world):
    world.policy = replace(world.policy)
    incident = verifying(world)
    calmer = replace(incident, work=replace(incident.work, priority="P3"))

    decision = act(world, calmer, HealthSeen(healthy=False, at=world.now))

    assert decision.incident.attempts[0].verdict is Verdict.WORSE


def test_worse_is_undone_first(world, undo):
    decision = act(world, verifying(world), HealthSeen(healthy=False, worse=True), compensation=undo)

    assert decision.reason is Reason.COMPENSATION_STARTED
    assert argvs(decision) == [["/bin/true", "undo"]]
    assert decision.incident.attempts[1].compensates == decision.incident.attempts[0].run_id
    assert decision.incident.state is State.REMEDIATING


def test_after_an_undoing_that_did_not_help_the_next_step_follows_and_nothing_is_undone_twice(world, undo):
    incident = act(world, verifying(world), HealthSeen(healthy=False, worse=True), compensation=undo).incident
    incident = settled(world, incident)

    decision = act(world, incident, HealthSeen(healthy=False, worse=True), compensation=undo)

    assert argvs(decision) == [["/bin/true", "1"]]


def test_an_undoing_that_is_refused_calls_a_person(world, undo):
    refused = replace(undo, guards=replace(undo.guards, stopped="an operator"))

    decision = act(world, verifying(world), HealthSeen(healthy=False, worse=True), compensation=refused)

    assert decision.incident.state is State.ESCALATED
    assert "undoing it is refused: stop" in decision.incident.escalated_reason
    assert argvs(decision) == []


def test_a_pre_flight_command_that_says_no_calls_a_person(world):
    incident = world.opened().incident
    event = AttemptSettled(
        run_id=incident.work.run_id, outcome=Outcome.REFUSED, unmet=True, detail="the precondition x does not hold"
    )

    decision = act(world, incident, event)

    assert decision.incident.escalated_reason == "preflight: the precondition x does not hold"
    assert decision.guard == "preflight"


def test_an_attempt_that_could_not_be_made_durable_waits_and_is_tried_again(world):
    incident = world.opened().incident
    world.guards = replace(world.guards, stopped="nothing can be made durable: the disk is full")

    held = act(world, incident, AttemptNeverBegan(run_id=incident.work.run_id)).incident

    assert (held.state, held.attempts, held.work) == (State.OPEN, (), None)
    assert held.wake_at == world.now + world.policy.recheck
    world.guards = replace(world.guards, stopped="")
    assert argvs(act(world, held, AttemptNeverBegan(run_id="another"))) == []
