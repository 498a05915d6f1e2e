"""What verified results do to a remediation: breakers and demotions, across restarts; and what keeps it waiting."""

from dataclasses import replace

import pytest

from agent.engine.commands import CommandError, OnIncident, Promote
from agent.engine.judging import unmet
from agent.engine.situations import Presence
from agent.incidents.events import Approved
from agent.telemetry import metrics
from remediations.limits import BreakerLimits, KindLimits, Limits, Target
from remediations.mode import Mode


def failing(bench, times, seconds=70.0):
    """Let so many repairs run that do not help; return how many ran."""
    ran = 0
    for _ in range(times):
        bench.process(up=0)
        for row in bench.take("runner"):
            ran += 1
            bench.settle(row, outcome="succeeded")
            bench.clock.advance(1)
            bench.process(up=0)
            bench.pass_time(seconds)
        bench.process(up=1)
        bench.pass_time(1)
    return ran


def with_ladder(bench, **changes):
    (ladder,) = bench.policy.ladders
    bench.policy = replace(bench.policy, ladders=(replace(ladder, **changes),))
    bench.parts.situations.policy = bench.policy


def reasons(bench):
    rows = bench.database.connection.execute("SELECT reason FROM audit ORDER BY id")
    return [reason for (reason,) in rows]


def many(**changes):
    return Limits(**{"attempts": 50, "runs": 50, "cooldown": 0.0, "actions_per_hour": 200, **changes})


def test_repairs_that_do_not_help_open_the_breaker_and_a_restart_does_not_close_it(bench):
    with_ladder(bench, limits=many())
    assert failing(bench, 5) == 3
    assert "breaker_opened" in reasons(bench)
    bench.restart()

    bench.process(up=0)

    assert bench.take("runner") == []
    assert bench.incident()["escalated_reason"].startswith("breaker: too few verified successes")


def test_after_half_an_opening_one_attempt_may_try_and_its_success_closes_the_breaker(bench):
    with_ladder(bench, limits=many())
    failing(bench, 3)
    bench.pass_time(3600)
    bench.restart()

    bench.process(up=0)
    bench.helped()

    assert bench.incidents()[0]["resolution"] == "fixed"
    assert reasons(bench)[-3:] == ["fixed", "breaker_closed", "breaker_closed"]


def test_the_breaker_of_an_action_kind_counts_what_every_remediation_did(bench):
    with_ladder(bench, limits=many(breaker=BreakerLimits(failures=50, of=50)))
    assert failing(bench, 5) == 3
    bench.process(up=0)
    assert "action restart_command is open" in bench.incidents()[0]["escalated_reason"]


def test_the_limits_of_an_action_kind_hold_across_restarts(bench):
    with_ladder(bench, limits=many())
    bench.policy = replace(bench.policy, kinds={"restart_command": KindLimits(runs=2, per=600.0)})
    ran = 0
    for _ in range(6):
        bench.restart(seconds=20.0)
        bench.process(up=0)
        rows = bench.take("runner")
        ran += len(rows)
        for row in rows:
            bench.settle(row, outcome="succeeded")
        bench.clock.advance(1)
        bench.process(up=1)
        bench.pass_time(11)
    assert ran == 2


def test_a_remediation_below_its_target_needs_approval_and_only_evidence_gives_its_mode_back(bench):
    free = BreakerLimits(failures=90, of=90)
    target = Target(success=0.5, attempts=4, evidence=2)
    with_ladder(bench, limits=many(breaker=free), target=target)
    bench.policy = replace(bench.policy, kinds={"restart_command": KindLimits(runs=90, breaker=free)})
    bench.parts.situations.policy = bench.policy

    assert failing(bench, 6) == 4
    assert "demoted" in reasons(bench)
    bench.restart()
    bench.process(up=0)

    assert bench.take("runner") == []
    assert bench.incidents()[0]["state"] == "awaiting_approval"


def test_while_somebody_is_at_work_a_disruptive_action_waits(bench):
    until = bench.clock.now() + 60
    bench.parts.situations.presence = lambda now: (
        Presence(what="ann on pts/0", until=until) if now < until else Presence()
    )

    bench.process(up=0)

    assert bench.take("runner") == []
    assert bench.incident()["refusals"] == ["operator: somebody is at work here: ann on pts/0"]
    bench.pass_time(60)
    assert len(bench.take("runner")) == 1


def test_what_does_not_interrupt_a_service_does_not_wait_for_people(bench):
    bench.parts.situations.presence = lambda _now: Presence(what="ann on pts/0")
    bench.planned = replace(bench.planned, disruptive=False)

    bench.process(up=0)

    assert len(bench.take("runner")) == 1


def test_an_incident_that_began_during_our_work_on_its_resource_waits_until_that_is_over(bench):
    bench.processes({"web": 0, "db": 1})
    (first,) = bench.take("runner")
    bench.settle(first, outcome="succeeded")
    bench.clock.advance(1)

    bench.processes({"web": 1, "db": 0})

    assert bench.take("runner") == [], "it may be our own doing"
    held = next(each for each in bench.incidents() if ["name", "db"] in each["labels"])
    assert held["refusals"][0].startswith("loop: it began during our own work: restart-web on command:web")
    bench.pass_time(10)
    bench.pass_time(15)
    assert len(bench.take("runner")) == 1


def test_a_precondition_that_does_not_hold_calls_a_person(bench):
    with_ladder(bench, precondition="paramedic_spare_up == 1")
    bench.parts.situations.unmet = lambda expression, _now: f"the precondition does not hold: {expression}"

    bench.process(up=0)

    assert bench.take("runner") == []
    assert bench.incident()["escalated_reason"] == (
        "preflight: the precondition does not hold: paramedic_spare_up == 1"
    )


def test_what_a_precondition_looks_at_must_be_of_the_last_two_minutes(bench):
    def answer(expression):
        return unmet(bench.parts.ruleset, expression, bench.clock.now()).partition(":")[0]

    bench.process(up=1)
    bench.clock.advance(115)
    assert answer("paramedic_process_up == 1") == ""
    assert answer("paramedic_process_up == 0") == "the precondition does not hold"
    bench.clock.advance(10)
    for expression in ("paramedic_process_up == 1", "paramedic_process_up == 0"):
        assert answer(expression) == "no fresh data says whether the precondition holds"


def test_a_demotion_is_for_auto_only(bench):
    with_ladder(bench, mode=Mode.PROPOSE)
    bench.process(up=0)
    assert bench.incident()["state"] == "open"


def demoted(bench):
    """Let a remediation fall short of its target."""
    free = BreakerLimits(failures=90, of=90)
    with_ladder(
        bench, limits=many(breaker=free), target=Target(success=0.5, attempts=4, evidence=2), approvers=("ann",)
    )
    bench.policy = replace(bench.policy, kinds={"restart_command": KindLimits(breaker=free)})
    bench.parts.situations.policy = bench.policy
    failing(bench, 4)


def promote(bench, reason="the unit file is mended"):
    return bench.order(Promote(remediation="restart-web", actor="ann (uid 1)", reason=reason))


def approved_repair(bench):
    """Let an approved repair help."""
    bench.process(up=0)
    incident = bench.incidents()[0]
    event = Approved(actor="ann", via="cli", plan=incident["awaiting"]["plan"])
    bench.order(OnIncident(incident_id=incident["id"], event=event))
    bench.helped()


def test_a_demoted_remediation_is_promoted_by_a_person_and_only_on_evidence(bench):
    demoted(bench)
    with pytest.raises(CommandError, match="evidence is missing: 0 of 2"):
        promote(bench)
    approved_repair(bench)
    bench.restart()
    approved_repair(bench)

    shown = promote(bench)

    assert (shown["mode"], shown["effective_mode"], shown["demoted_at"]) == ("auto", "auto", None)
    rows = bench.database.connection.execute("SELECT actor, detail FROM audit WHERE event = 'promoted'").fetchall()
    assert rows == [("ann (uid 1)", "restart-web: the unit file is mended")]
    (change,) = [each for each in bench.reader.changes() if each["result"] == "promoted"]
    assert (change["kind"], change["type"], change["after"]) == ("policy", "normal", "mode auto")
    said = {name: change["approval"][name] for name in ("by", "via", "comment")}
    assert said == {"by": "ann", "via": "cli", "comment": "the unit file is mended"}
    bench.restart()
    bench.process(up=0)
    assert len(bench.take("runner")) == 1, "it acts alone again"


def test_a_demotion_shows_in_metrics_and_in_the_list(bench):
    demoted(bench)

    assert metrics.DEMOTED.labels("restart-web")._value.get() == 1
    shown = bench.parts.desk.tally.shown("restart-web", bench.clock.now())
    assert (shown["effective_mode"], shown["breaker"], shown["judged"]) == ("approve", "closed", 0)


def test_what_acts_alone_already_or_is_not_there_cannot_be_promoted(bench):
    with pytest.raises(CommandError, match="its mode is auto already"):
        promote(bench)
    with pytest.raises(CommandError, match="no remediation 'nonsuch'"):
        bench.order(Promote(remediation="nonsuch", actor="ann", reason="r"))


def test_the_breaker_shows_in_its_metric(bench):
    with_ladder(bench, limits=many())
    failing(bench, 3)

    assert metrics.BREAKER_STATE.labels("remediation", "restart-web")._value.get() == 2
    bench.pass_time(3600)
    bench.pass_time(16)
    assert metrics.BREAKER_STATE.labels("remediation", "restart-web")._value.get() == 1


def test_an_approval_that_is_refused_is_answered_counted_and_changes_nothing(bench):
    with_ladder(bench, mode=Mode.APPROVE, approvers=("ann",))
    bench.process(up=0)
    incident = bench.incident()
    forged = Approved(actor="eve", via="api", plan=incident["awaiting"]["plan"])

    with pytest.raises(CommandError, match="api:eve is not among the approvers") as caught:
        bench.order(OnIncident(incident_id=incident["id"], event=forged))

    assert caught.value.status == 403
    assert bench.incident()["state"] == "awaiting_approval"
    assert reasons(bench)[-1] == "approval_refused"
    assert bench.take("runner") == []


def test_a_waiting_approval_survives_a_restart_with_its_time(bench):
    with_ladder(bench, mode=Mode.APPROVE, approvers=("ann",))
    bench.process(up=0)
    until = bench.incident()["awaiting"]["until"]

    bench.restart(seconds=3000.0)
    bench.turn()

    assert bench.incident()["awaiting"]["until"] == until
    bench.process(up=0)
    bench.pass_time(650)
    assert bench.incident()["escalated_reason"] == "nobody approved in time"


def test_a_target_that_cannot_be_rendered_escalates_with_the_reason(bench):
    bench.planned = replace(bench.planned, plan=None, error="unit: {{ $labels.name }} is empty")

    bench.process(up=0)

    assert bench.take("runner") == []
    assert bench.incident()["escalated_reason"] == "target: unit: {{ $labels.name }} is empty"
    assert [row.payload.get("op") for row in bench.take("rt")] == ["open"], "nothing is lost: a person is told"
