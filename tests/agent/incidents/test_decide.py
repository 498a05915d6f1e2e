"""Deciding: each row of the state table, and what it owes."""

from dataclasses import replace

from agent.incidents.decide import decide
from agent.incidents.decision import Reason
from agent.incidents.effects import Kind
from agent.incidents.events import (
    Acknowledged,
    AttemptSettled,
    HealthSeen,
    Released,
    ResolvedByOperator,
    RetryOrdered,
    RuleRemoved,
    TimerDue,
)
from agent.incidents.incident import Outcome, Resolution, State
from remediations.mode import Mode
from rules.alert import AlertState, Recovery


def act(world, incident, event, **situation):
    return decide(incident, event, world.situation(**situation), world.policy, world.now)


def verifying(world):
    incident = world.opened().incident
    return act(world, incident, AttemptSettled(run_id=incident.work.run_id, outcome=Outcome.SUCCEEDED)).incident


def kinds(decision):
    return [effect.kind for effect in decision.effects]


def ops(decision):
    return [effect.payload["op"] for effect in decision.effects if effect.kind is Kind.TICKET]


def test_a_firing_alert_starts_the_first_step_and_owes_a_ticket_and_a_topic(world):
    decision = world.opened()

    assert decision.incident.state is State.REMEDIATING
    assert decision.reason is Reason.ATTEMPT_STARTED
    assert kinds(decision) == [Kind.REMEDIATION, Kind.TICKET, Kind.PUBLISH]
    assert decision.effects[0].payload["argv"] == ["/bin/true", "0"]
    assert decision.effects[0].lane == "unit:web.service"


def test_an_attempt_goes_to_verifying_whatever_its_outcome(world):
    for outcome in (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.INTERRUPTED):
        incident = world.opened().incident

        decision = act(world, incident, AttemptSettled(run_id=incident.work.run_id, outcome=outcome))

        assert decision.incident.state is State.VERIFYING
        assert decision.incident.attempts[-1].outcome is outcome
        assert ops(decision) == ["update"]


def test_an_answer_for_another_run_changes_nothing(world):
    incident = world.opened().incident

    decision = act(world, incident, AttemptSettled(run_id="another", outcome=Outcome.SUCCEEDED))

    assert decision.incident == incident
    assert decision.effects == ()


def test_only_health_throughout_the_hold_is_a_fix(world):
    incident = act(world, verifying(world), HealthSeen(healthy=True)).incident
    assert incident.state is State.VERIFYING
    world.now += 29.9
    incident = act(world, incident, HealthSeen(healthy=True)).incident
    assert incident.state is State.VERIFYING
    world.now += 0.2

    decision = act(world, incident, HealthSeen(healthy=True))

    assert decision.incident.state is State.RESOLVED
    assert decision.incident.resolution is Resolution.FIXED
    assert decision.incident.attempts[-1].verified is True
    assert ops(decision) == ["close"]


def test_no_data_is_never_proof(world):
    incident = verifying(world)
    world.now += 500.0

    decision = act(world, incident, HealthSeen(healthy=None))

    assert decision.incident.attempts[0].verified is False
    assert decision.incident.state is State.REMEDIATING
    assert decision.incident.work.step == 1


def test_a_fix_that_does_not_hold_is_ineffective_at_once(world):
    incident = act(world, verifying(world), HealthSeen(healthy=True)).incident
    world.now += 1.0

    decision = act(world, incident, HealthSeen(healthy=False))

    assert decision.incident.attempts[0].verified is False
    assert decision.incident.attempts[1].action == "run_script"


def test_the_ladder_ends_with_a_person(world):
    incident = verifying(world)
    for _ in range(2):
        world.now += 200.0
        decision = act(world, incident, HealthSeen(healthy=False))
        incident = decision.incident
        if incident.state is State.REMEDIATING:
            incident = act(
                world, incident, AttemptSettled(run_id=incident.work.run_id, outcome=Outcome.FAILED)
            ).incident

    assert incident.state is State.ESCALATED
    assert incident.escalated_reason == "every step was tried"


def test_recovery_while_an_action_runs_does_not_resolve_before_verification(world):
    incident = world.opened().incident

    decision = act(world, incident, world.recovered())

    assert decision.incident.state is State.REMEDIATING
    assert decision.reason is Reason.RECOVERED_DURING_WORK


def test_recovery_without_an_attempt_is_resolved_by_itself(world):
    world.guards = replace(world.guards, stopped="a test")
    incident = world.opened().incident
    assert incident.state is State.OPEN

    decision = act(world, incident, world.recovered())

    assert decision.incident.resolution is Resolution.BY_ITSELF


def test_a_series_that_is_gone_says_so(world):
    world.guards = replace(world.guards, stopped="a test")

    decision = act(world, world.opened().incident, world.recovered(Recovery.SERIES_GONE))

    assert decision.incident.resolution is Resolution.SERIES_GONE


def test_missing_data_keeps_the_incident_open_and_escalates_after_a_while(world):
    world.guards = replace(world.guards, stopped="a test")
    incident = act(world, world.opened().incident, world.event(AlertState.NO_DATA, reason="disk failed")).incident
    assert incident.state is State.OPEN
    assert incident.alert_state == "no_data"
    world.now += world.policy.no_data_after

    decision = act(world, incident, TimerDue())

    assert decision.incident.state is State.ESCALATED
    assert decision.reason is Reason.NO_DATA_TOO_LONG


def test_data_that_goes_missing_during_verification_ends_with_a_person_too(world):
    incident = act(world, verifying(world), world.event(AlertState.NO_DATA, reason="disk failed")).incident
    world.now = incident.wake_at
    incident = act(world, incident, HealthSeen(healthy=None)).incident
    assert incident.state is State.OPEN
    assert incident.attempts[0].verified is False
    world.now = incident.wake_at

    assert act(world, incident, TimerDue()).reason is Reason.NO_DATA_TOO_LONG


def test_a_refusal_with_a_time_waits_until_then(world):
    world.guards = replace(world.guards, settled_at=world.now + 100)

    decision = world.opened(ticket_hold_until=world.now + 100)

    assert decision.incident.state is State.OPEN
    assert decision.reason is Reason.REFUSED_FOR_NOW
    assert decision.incident.wake_at == world.now + 100
    assert ops(decision) == []


def test_settling_over_the_repair_starts_and_the_ticket_is_opened(world):
    world.guards = replace(world.guards, settled_at=world.now + 100)
    incident = world.opened(ticket_hold_until=world.now + 100).incident
    world.now += 100

    decision = act(world, incident, TimerDue())

    assert decision.incident.state is State.REMEDIATING
    assert ops(decision) == ["open"]


def test_a_refusal_for_good_escalates_with_the_guard(world):
    world.guards = replace(world.guards, passes=3)

    decision = world.opened()

    assert decision.incident.state is State.ESCALATED
    assert decision.guard == "attempts"
    assert "attempts" in decision.incident.escalated_reason


def test_observe_mode_records_what_it_would_run_and_runs_nothing(world):
    world.guards = replace(world.guards, mode=Mode.OBSERVE)

    decision = world.opened()

    assert decision.incident.would_run == ("/bin/true", "0")
    assert decision.reason is Reason.WOULD_RUN
    assert Kind.REMEDIATION not in kinds(decision)


def test_observe_mode_is_no_escalation_for_ticket_systems_that_want_only_those(world):
    world.tickets("on_escalation")
    world.guards = replace(world.guards, mode=Mode.OBSERVE)

    assert ops(world.opened()) == []


def test_approve_mode_waits_and_escalates_when_nobody_answers(world):
    world.guards = replace(world.guards, mode=Mode.APPROVE)
    incident = world.opened().incident
    assert incident.state is State.AWAITING_APPROVAL
    world.now = incident.awaiting.until

    assert act(world, incident, TimerDue()).incident.state is State.ESCALATED


def test_without_a_remediation_a_person_is_asked(world):
    decision = world.opened(remediation="", steps=())

    assert decision.incident.state is State.ESCALATED
    assert decision.reason is Reason.NO_REMEDIATION


def test_an_acknowledged_incident_is_left_alone_until_released(world):
    world.guards = replace(world.guards, stopped="a test")
    incident = act(world, world.opened().incident, Acknowledged(actor="alice")).incident
    world.guards = replace(world.guards, stopped="", acknowledged_by="alice")
    assert act(world, incident, TimerDue()).incident.state is State.OPEN
    world.guards = replace(world.guards, acknowledged_by="")

    decision = act(world, incident, Released(actor="alice"))

    assert decision.incident.state is State.REMEDIATING
    assert decision.actor == "alice"


def test_an_acknowledgement_expires(world):
    world.guards = replace(world.guards, stopped="a test")
    incident = act(world, world.opened().incident, Acknowledged(actor="alice", until=world.now + 60)).incident
    world.now += 60

    assert act(world, incident, TimerDue()).incident.acknowledged_by == ""


def test_an_operator_resolves_and_a_retry_lifts_the_cool_down(world):
    world.guards = replace(world.guards, passes=3)
    escalated = world.opened().incident
    assert act(world, escalated, ResolvedByOperator(actor="bob")).incident.resolution is Resolution.BY_OPERATOR
    world.guards = replace(world.guards, passes=0)

    decision = act(world, escalated, RetryOrdered(actor="bob", reason="disk replaced"))

    assert decision.incident.state is State.REMEDIATING
    assert decision.detail == "disk replaced"


def test_a_recurrence_inside_the_window_reopens_incident_and_ticket(world):
    world.guards = replace(world.guards, stopped="a test")
    resolved = act(world, world.opened().incident, world.recovered()).incident
    world.now += 60

    decision = act(world, resolved, world.event())

    assert decision.incident.state is State.OPEN
    assert decision.incident.reopened == 1
    assert ops(decision) == ["reopen"]


def test_the_window_over_the_incident_is_closed(world):
    world.guards = replace(world.guards, stopped="a test")
    resolved = act(world, world.opened().incident, world.recovered()).incident
    world.now = resolved.wake_at

    assert act(world, resolved, TimerDue()).incident.state is State.CLOSED


def test_a_removed_rule_closes_its_incident_and_ticket(world):
    decision = act(world, world.opened().incident, RuleRemoved())

    assert decision.incident.state is State.CLOSED
    assert decision.incident.resolution is Resolution.RULE_REMOVED
    assert ops(decision) == ["close"]


def test_while_warming_up_nothing_is_done_and_no_ticket_is_opened(world):
    decision = world.opened(warming=True)

    assert decision.incident.state is State.OPEN
    assert Kind.REMEDIATION not in kinds(decision)
    assert ops(decision) == []


def test_a_child_of_a_storm_does_nothing_of_its_own(world):
    incident = replace(world.opened(warming=True).incident, parent="p", suppressed="storm p")

    decision = act(world, incident, TimerDue())

    assert decision.effects == ()


def test_who_is_at_work_may_leave_sooner_than_is_known(world):
    world.guards = replace(world.guards, disruptive=True, operator="ann on pts/0", operator_until=world.now + 300)

    assert world.opened().incident.wake_at == world.now + 15


def test_asking_again_in_vain_owes_nothing(world):
    world.guards = replace(world.guards, stopped="a test")
    incident = world.opened().incident

    decision = act(world, incident, TimerDue())

    assert decision.effects == ()
    assert decision.incident.revision == incident.revision


def test_a_more_severe_alert_updates_the_ticket(world):
    world.guards = replace(world.guards, stopped="a test")
    incident = replace(world.opened().incident, priority="P3", severity="warning")

    decision = act(world, incident, world.event())

    assert decision.incident.priority == "P1"
    assert ops(decision) == ["update"]
