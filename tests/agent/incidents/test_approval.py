"""Approval: who may say yes, to which plan, until when; and what goes on record."""

from dataclasses import replace

import pytest

from agent.incidents.decide import decide
from agent.incidents.decision import Reason
from agent.incidents.effects import Kind
from agent.incidents.events import Approved, AttemptSettled, HealthSeen, Rejected, TimerDue
from agent.incidents.incident import Outcome, State
from remediations.mode import Mode


@pytest.fixture
def world(world):
    world.ladder = replace(world.ladder, mode=Mode.APPROVE, approvers=("ann", "rt:bob"))
    world.policy = replace(world.policy, ladders=(world.ladder,))
    world.guards = replace(world.guards, mode=Mode.APPROVE)
    return world


def act(world, incident, event, **situation):
    return decide(incident, event, world.situation(**situation), world.policy, world.now)


def word(incident, kind=Approved, **changes):
    return kind(**{"actor": "ann", "via": "cli", "plan": incident.awaiting.plan, "comment": "", **changes})


def runs(decision):
    return [effect.payload["argv"] for effect in decision.effects if effect.kind is Kind.REMEDIATION]


def test_what_waits_says_what_it_waits_for_and_nothing_runs(world):
    decision = world.opened()

    assert runs(decision) == []
    asked = decision.incident.awaiting
    assert (decision.incident.state, asked.argv) == (State.AWAITING_APPROVAL, ("/bin/true", "0"))
    assert asked.approvers == ("ann", "rt:bob")
    assert asked.until == world.now + world.policy.approval_timeout


def test_a_listed_person_lets_exactly_this_plan_run_and_goes_on_record(world):
    incident = world.opened().incident
    world.now += 60

    decision = act(world, incident, word(incident, comment="after the backup"))

    assert runs(decision) == [["/bin/true", "0"]]
    assert decision.actor == "ann"
    assert decision.detail == "approved by cli:ann: after the backup"
    approval = decision.incident.attempts[0].approval
    assert (approval.by, approval.via, approval.at, approval.comment) == ("ann", "cli", world.now, "after the backup")
    assert decision.incident.awaiting is None
    assert decision.incident.approval is None, "it is used"


def test_the_next_step_needs_a_word_of_its_own(world):
    incident = world.opened().incident
    incident = act(world, incident, word(incident)).incident
    incident = act(world, incident, AttemptSettled(run_id=incident.work.run_id, outcome=Outcome.SUCCEEDED)).incident
    world.now += 200

    decision = act(world, incident, HealthSeen(healthy=False))

    assert decision.incident.state is State.AWAITING_APPROVAL
    assert decision.incident.awaiting.argv == ("/bin/true", "1")
    assert runs(decision) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"actor": "eve"}, "cli:eve is not among the approvers (ann, rt:bob)"),
        ({"actor": "bob"}, "cli:bob is not among the approvers"),
        ({"plan": "0123456789abcdef"}, "it is for another plan"),
        ({"plan": ""}, "one that is not named"),
    ],
)
@pytest.mark.parametrize("kind", [Approved, Rejected])
def test_a_word_that_does_not_count_is_refused_with_the_reason_and_goes_on_record(world, kind, changes, says):
    incident = world.opened().incident

    decision = act(world, incident, word(incident, kind, **changes))

    assert runs(decision) == []
    assert decision.reason is Reason.APPROVAL_REFUSED
    assert says in decision.detail
    assert decision.incident.awaiting == incident.awaiting, "nothing is lost: who may can still approve"
    assert decision.incident.revision == incident.revision + 1


def test_a_name_on_a_channel_is_good_for_that_channel(world):
    incident = world.opened().incident
    assert runs(act(world, incident, word(incident, actor="bob", via="rt")))


def test_after_the_time_the_incident_escalates_and_an_approval_is_refused(world):
    incident = world.opened().incident
    late = word(incident)
    world.now = incident.awaiting.until
    assert "the time to approve is over" in act(world, incident, late).detail

    incident = act(world, incident, TimerDue()).incident
    decision = act(world, incident, late)

    assert incident.state is State.ESCALATED
    assert incident.escalated_reason == "nobody approved in time"
    assert runs(decision) == []
    assert "nothing waits for approval: the incident is escalated (nobody approved in time)" in decision.detail


def test_nobody_can_approve_where_no_approver_is_named(world):
    world.policy = replace(world.policy, ladders=(replace(world.ladder, approvers=()),))
    incident = world.opened().incident
    assert "there are no [approvals] approvers" in act(world, incident, word(incident)).detail


def test_whoever_was_struck_off_the_list_since_it_was_asked_is_heard_no_more_and_a_newcomer_is(world):
    incident = world.opened().incident
    world.policy = replace(world.policy, ladders=(replace(world.ladder, approvers=("carl",)),))

    refused = act(world, incident, word(incident, via="mqtt"))

    assert runs(refused) == []
    assert refused.detail == "mqtt:ann is not among the approvers (carl)"
    assert act(world, incident, word(incident, Rejected)).incident.state is State.AWAITING_APPROVAL
    assert runs(act(world, incident, word(incident, actor="carl"))) == [["/bin/true", "0"]]
    world.now = incident.awaiting.remind_at
    assert act(world, incident, TimerDue()).incident.awaiting.approvers == ("carl",), "a reminder names who it is now"


def test_a_rejection_calls_a_person(world):
    incident = world.opened().incident

    decision = act(world, incident, word(incident, Rejected, comment="not during the sale"))

    assert decision.incident.state is State.ESCALATED
    assert decision.incident.escalated_reason == "rejected by cli:ann: not during the sale"
    assert decision.actor == "ann"


def test_people_are_reminded_until_the_time_is_over(world):
    incident = world.opened().incident
    reminders = 0
    while incident.state is State.AWAITING_APPROVAL:
        world.now = incident.wake_at
        decision = act(world, incident, TimerDue())
        incident = decision.incident
        reminders += decision.reason is Reason.APPROVAL_REMINDER
    assert reminders == 3
    assert incident.state is State.ESCALATED


def test_an_approval_does_not_overrule_another_guard_and_waits_for_it(world):
    incident = world.opened().incident
    world.guards = replace(world.guards, stopped="an operator")

    held = act(world, incident, word(incident))

    assert runs(held) == []
    assert held.incident.state is State.OPEN
    assert held.incident.approval.by == "ann"
    world.guards = replace(world.guards, stopped="")
    world.now += 60
    assert runs(act(world, held.incident, TimerDue())) == [["/bin/true", "0"]]


def test_an_approval_that_could_not_be_used_in_time_counts_no_more(world):
    incident = world.opened().incident
    world.guards = replace(world.guards, stopped="an operator")
    held = act(world, incident, word(incident)).incident
    world.guards = replace(world.guards, stopped="")
    world.now += world.policy.approval_timeout

    decision = act(world, held, TimerDue())

    assert runs(decision) == []
    assert decision.incident.state is State.AWAITING_APPROVAL


def test_an_approval_is_for_one_plan_only(world):
    incident = world.opened().incident
    world.guards = replace(world.guards, stopped="an operator")
    held = act(world, incident, word(incident)).incident
    world.guards = replace(world.guards, stopped="")
    another = replace(world.situation().steps[0].plan, argv=("/bin/true", "something else"))
    steps = tuple(replace(step, plan=another) for step in world.situation().steps)

    decision = act(world, held, TimerDue(), steps=steps)

    assert runs(decision) == []
    assert decision.incident.awaiting.argv == ("/bin/true", "something else")


def test_a_reload_that_changes_the_plan_asks_anew(world):
    incident = world.opened().incident
    world.guards = replace(world.guards, mode=Mode.AUTO)
    world.now = incident.wake_at

    assert runs(act(world, incident, TimerDue())) == [["/bin/true", "0"]]


def made_worse(world, undo, named):
    """Let an approved attempt make things worse; `named` stood beside it when it was asked for."""
    incident = world.opened(compensation=named).incident
    incident = act(world, incident, word(incident), compensation=named).incident
    event = AttemptSettled(run_id=incident.work.run_id, outcome=Outcome.SUCCEEDED)
    incident = act(world, incident, event, compensation=undo).incident
    return act(world, incident, HealthSeen(healthy=False, worse=True), compensation=undo)


def test_who_approved_an_attempt_approved_what_was_named_as_undoing_it(world, undo):
    undo = replace(undo, guards=replace(undo.guards, mode=Mode.APPROVE))

    decision = made_worse(world, undo, undo)

    assert runs(decision) == [["/bin/true", "undo"]]
    attempt, undoing = decision.incident.attempts
    assert (undoing.approval.by, undoing.approval.at) == (attempt.approval.by, attempt.approval.at)
    assert undoing.compensates == attempt.run_id


def test_what_was_not_named_beforehand_undoes_nothing_without_a_word(world, undo):
    undo = replace(undo, guards=replace(undo.guards, mode=Mode.APPROVE))
    other = replace(undo, plan=replace(undo.plan, argv=("/bin/true", "something else")))

    for named in (other, None):
        decision = made_worse(world, undo, named)
        assert runs(decision) == []
        assert "undoing it is refused: mode" in decision.incident.escalated_reason


def test_an_approval_of_an_attempt_overrules_no_other_guard_when_it_is_undone(world, undo):
    stopped = replace(undo, guards=replace(undo.guards, mode=Mode.APPROVE, stopped="an operator"))
    assert "undoing it is refused: stop" in made_worse(world, stopped, stopped).incident.escalated_reason


def test_a_recovery_ends_the_waiting(world):
    incident = world.opened().incident

    decision = act(world, incident, world.recovered())

    assert decision.incident.state is State.RESOLVED
    assert decision.incident.awaiting is None
