"""Proposals: whoever may approve can take one up, and the record says what each came to. No data is never proof."""

from dataclasses import replace

import pytest

from agent.incidents.decide import decide
from agent.incidents.decision import Reason
from agent.incidents.effects import Kind
from agent.incidents.events import (
    Acknowledged,
    Approved,
    AttemptSettled,
    Declined,
    HealthSeen,
    Rejected,
    Released,
    ResolvedByOperator,
    RuleRemoved,
    TimerDue,
)
from agent.incidents.incident import Outcome, State
from remediations.mode import Mode
from remediations.standing import Proof
from rules.alert import Recovery

PLANNING = (Mode.OBSERVE, Mode.PROPOSE)
EVERY = (*PLANNING, Mode.APPROVE)


@pytest.fixture
def proposing(world):
    """Return what makes a world in which a plan is proposed in this mode, and the incident."""

    def made(mode, **changes):
        world.ladder = replace(world.ladder, mode=mode, approvers=("ann",))
        world.policy = replace(world.policy, ladders=(world.ladder,))
        world.guards = replace(world.guards, mode=mode, **changes)
        return world, world.opened().incident

    return made


def act(world, incident, event):
    return decide(incident, event, world.situation(), world.policy, world.now)


def approval(incident, kind=Approved, **changes):
    return kind(**{"actor": "ann", "via": "cli", "plan": incident.proposal.plan, "comment": "", **changes})


def runs(decision):
    return [effect.payload["argv"] for effect in decision.effects if effect.kind is Kind.REMEDIATION]


def ran(world, incident, outcome=Outcome.SUCCEEDED):
    """Let a person take the proposal up, and its attempt end."""
    incident = act(world, incident, approval(incident)).incident
    return act(world, incident, AttemptSettled(run_id=incident.work.run_id, outcome=outcome)).incident


def judged(world, incident, *, healthy):
    """Let fresh data say the same for longer than verification takes; return the last decision."""
    incident = act(world, incident, HealthSeen(healthy=healthy, at=world.now)).incident
    world.now += 130
    return act(world, incident, HealthSeen(healthy=healthy, at=world.now))


@pytest.mark.parametrize("mode", EVERY)
def test_a_plan_that_a_person_let_run_and_that_helped_was_correct(proposing, mode):
    world, incident = proposing(mode)
    assert incident.proposal.proof is None

    started = act(world, incident, approval(incident))
    assert runs(started) == [["/bin/true", "0"]]
    assert started.incident.attempts[0].approval.by == "ann"
    settled = AttemptSettled(run_id=started.incident.work.run_id, outcome=Outcome.SUCCEEDED)
    decision = judged(world, act(world, started.incident, settled).incident, healthy=True)

    assert (decision.reason, decision.proof) == (Reason.FIXED, Proof.CORRECT)
    assert decision.incident.proposal.proof is Proof.CORRECT


@pytest.mark.parametrize("mode", EVERY)
@pytest.mark.parametrize("healthy", [False, None])
def test_an_attempt_that_fresh_data_found_useless_was_wrong_and_without_data_nothing_is_proven(
    proposing, mode, healthy
):
    world, incident = proposing(mode)

    decision = judged(world, ran(world, incident), healthy=healthy)

    assert decision.reason is not Reason.FIXED
    assert decision.proof is (Proof.WRONG if healthy is False else Proof.UNPROVEN)
    following = decision.incident.proposal
    assert (following.proof, following.run_id) == (None, ""), "the next step is a proposal of its own"
    assert following.plan != incident.proposal.plan


def test_health_after_an_attempt_that_did_not_end_well_proves_nothing(proposing):
    world, incident = proposing(Mode.PROPOSE)
    decision = judged(world, ran(world, incident, Outcome.FAILED), healthy=True)
    assert (decision.reason, decision.proof) == (Reason.FIXED, Proof.UNPROVEN)


@pytest.mark.parametrize("mode", EVERY)
def test_what_was_over_by_itself_before_it_could_have_been_judged_was_not_needed(proposing, mode):
    world, incident = proposing(mode)
    world.now += 119
    decision = act(world, incident, world.recovered())
    assert (decision.proof, decision.proof_says) == (Proof.WRONG, "not needed: it was over by itself within 120 s")


def held(world, incident):
    return act(world, incident, Acknowledged(actor="bob", until=None)).incident


def muted(_world, incident):
    return replace(incident, suppressed="a silence")


def later(world, incident):
    world.now += 121
    return incident


@pytest.mark.parametrize(
    ("meanwhile", "recovery"),
    [(held, Recovery.HEALTHY), (muted, Recovery.HEALTHY), (later, Recovery.HEALTHY), (later, Recovery.SERIES_GONE)],
)
def test_where_somebody_may_have_mended_it_its_end_proves_nothing(proposing, meanwhile, recovery):
    world, incident = proposing(Mode.PROPOSE)
    incident = meanwhile(world, incident)
    assert act(world, incident, world.recovered(recovery)).proof is Proof.UNPROVEN


@pytest.mark.parametrize(
    ("event", "proof"),
    [
        (Declined(actor="ann", until=None), Proof.WRONG),
        (ResolvedByOperator(actor="ann"), Proof.UNPROVEN),
        (RuleRemoved(), Proof.UNPROVEN),
    ],
)
def test_a_word_of_a_person_about_the_incident_counts_for_what_it_says(proposing, event, proof):
    world, incident = proposing(Mode.PROPOSE)
    assert act(world, incident, event).proof is proof


@pytest.mark.parametrize("mode", EVERY)
def test_a_rejected_plan_was_wrong_and_a_person_goes_on(proposing, mode):
    world, incident = proposing(mode)

    decision = act(world, incident, approval(incident, Rejected, comment="never on a Friday"))

    assert (decision.incident.state, decision.proof) == (State.ESCALATED, Proof.WRONG)
    assert runs(decision) == []


@pytest.mark.parametrize("mode", PLANNING)
@pytest.mark.parametrize("word", [{"actor": "eve"}, {"plan": "another"}, {"plan": ""}])
def test_a_word_that_does_not_count_runs_nothing_and_proves_nothing(proposing, mode, word):
    world, incident = proposing(mode)
    decision = act(world, incident, approval(incident, **word))
    assert (decision.reason, decision.proof, runs(decision)) == (Reason.APPROVAL_REFUSED, None, [])


@pytest.mark.parametrize("mode", PLANNING)
def test_where_nobody_may_approve_nothing_proposed_is_ever_run(proposing, mode):
    world, incident = proposing(mode)
    world.policy = replace(world.policy, ladders=tuple(replace(each, approvers=()) for each in world.policy.ladders))
    nobody = replace(incident, proposal=replace(incident.proposal, approvers=()))
    assert nobody.plan_asked == ""
    assert runs(act(world, nobody, approval(nobody))) == []


@pytest.mark.parametrize("most", PLANNING)
def test_what_its_service_only_lets_be_planned_nobody_lets_run(proposing, most):
    world, incident = proposing(Mode.OBSERVE, most=most)

    decision = act(world, incident, approval(incident))

    assert (decision.reason, runs(decision)) == (Reason.APPROVAL_REFUSED, [])
    assert "its service, its action or the age of its rule forbids it" in decision.detail


def test_every_other_guard_is_asked_still(proposing):
    world, incident = proposing(Mode.PROPOSE)
    world.guards = replace(world.guards, stopped="a person said so")

    waiting = act(world, incident, approval(incident))

    assert (waiting.reason, runs(waiting)) == (Reason.REFUSED_FOR_NOW, [])
    world.guards = replace(world.guards, stopped="")
    world.now += 60
    assert runs(act(world, waiting.incident, TimerDue())) == [["/bin/true", "0"]]
    world.now += world.policy.approval_timeout
    assert runs(act(world, waiting.incident, TimerDue())) == [], "an old word counts no more"


def test_the_same_plan_is_one_proposal_for_as_long_as_the_incident_lasts(proposing):
    world, incident = proposing(Mode.PROPOSE)
    world.now += 60
    again = act(world, incident, world.event(value=2.0))
    assert again.incident.proposal == incident.proposal

    back = act(world, act(world, again.incident, world.recovered()).incident, world.event()).incident

    assert back.reopened == 1
    assert back.proposal.plan != incident.proposal.plan
    assert back.proposal.proof is None


def test_a_plan_that_another_configuration_replaced_proves_nothing(proposing):
    world, incident = proposing(Mode.PROPOSE)
    world.policy = replace(world.policy, ladders=(replace(world.ladder, version="v2"),))
    world.now += 60

    decision = act(world, incident, Released(actor="ann"))

    assert (decision.proof, decision.incident.proposal.version) == (Proof.UNPROVEN, "v2")


def test_what_runs_by_itself_after_a_promotion_proves_nothing_about_what_was_proposed_before(proposing):
    world, incident = proposing(Mode.PROPOSE)
    world.guards = replace(world.guards, mode=Mode.AUTO)
    world.now += 60
    running = act(world, incident, TimerDue()).incident
    settled = act(world, running, AttemptSettled(run_id=running.work.run_id, outcome=Outcome.SUCCEEDED)).incident

    decision = judged(world, settled, healthy=True)

    assert (decision.reason, decision.proof) == (Reason.FIXED, Proof.UNPROVEN)


def test_a_plan_that_was_approved_before_another_was_due_proves_nothing_about_the_other(proposing):
    world, incident = proposing(Mode.APPROVE)
    world.guards = replace(world.guards, stopped="a person said so")
    waiting = act(world, incident, approval(incident)).incident
    other = replace(waiting, proposal=replace(waiting.proposal, digest="another"))
    world.guards = replace(world.guards, stopped="")
    running = act(world, other, TimerDue()).incident

    assert running.state is State.REMEDIATING
    assert running.proposal.run_id == ""


def test_in_mode_auto_nothing_is_proposed(proposing):
    _, incident = proposing(Mode.AUTO)
    assert incident.proposal is None
