"""Changes through the engine: what is asked for, what is done, and what is on record after a crash."""

from dataclasses import replace

import pytest

from agent.app.reporting import evidence
from agent.engine.batch import Batch
from agent.engine.commands import (
    AnswerChange,
    CloseChange,
    CloseProblem,
    CommandError,
    OnIncident,
    ProposeChange,
    ReviewChange,
    SetMaintenance,
)
from agent.incidents import windows
from agent.incidents.events import Approved, ResolvedByOperator
from agent.incidents.muting import Freeze
from agent.incidents.policy import Verify
from agent.incidents.windows import Recurrence
from agent.itsm import action_changes
from agent.itsm.changes import REST_SECONDS, ChangeKind, ChangeState, Deed, Proposal, Word, closed
from agent.itsm.problems import ProblemLimits
from agent.itsm.report import markdown, report
from agent.telemetry import metrics
from remediations.limits import Target
from remediations.mode import Mode
from remediations.plan import Plan
from rules import matchers

WANTED = Proposal(
    key="capacity:filesystem:/var",
    kind=ChangeKind.CAPACITY,
    subject="/var",
    reason="/var is full in 30 days",
    requested_by="forecast",
)


def propose(bench, proposal=WANTED):
    batch = Batch(now=bench.clock.now())
    change = bench.parts.desk.changes.propose(batch, proposal)
    bench.database.commit(batch.writes)
    return change


def keep(bench, change):
    batch = Batch(now=bench.clock.now())
    bench.parts.desk.changes.keep(batch, change)
    bench.database.commit(batch.writes)


def test_a_proposal_is_made_once_and_brought_up_to_date_even_after_a_restart(bench):
    first = propose(bench)
    bench.clock.advance(60)
    assert propose(bench) == first
    bench.restart()
    second = propose(bench, replace(WANTED, reason="/var is full in 29 days"))
    assert second.id == first.id
    (known,) = bench.reader.changes()
    assert (known["id"], known["reason"], known["state"]) == (first.id, "/var is full in 29 days", "proposed")


def test_a_rejected_proposal_is_not_made_again_for_a_week(bench):
    rejected = closed(propose(bench), ChangeState.REJECTED, "no", bench.clock.now())
    keep(bench, rejected)
    bench.restart()
    assert propose(bench) == rejected
    bench.clock.advance(REST_SECONDS)
    assert propose(bench).id != rejected.id
    assert [each["state"] for each in bench.reader.changes(limit=10)] == ["proposed", "rejected"]


def test_a_proposal_that_is_not_needed_any_more_is_withdrawn(bench):
    propose(bench)
    batch = Batch(now=bench.clock.now())
    bench.parts.desk.changes.withdraw(batch, WANTED.key, "there is room again")
    bench.parts.desk.changes.withdraw(batch, "another:key", "nobody asked")
    bench.database.commit(batch.writes)
    (known,) = bench.reader.changes()
    assert (known["state"], known["result"]) == ("expired", "there is room again")


def test_a_proposal_whose_time_is_over_expires(bench):
    propose(bench, replace(WANTED, ends_at=bench.clock.now() + 1800.0))
    bench.pass_time(7200)
    bench.turn()
    (known,) = bench.reader.changes()
    assert (known["state"], known["result"]) == ("expired", "its time is over")


def with_ladder(bench, **changes):
    (ladder,) = bench.policy.ladders
    bench.policy = replace(bench.policy, ladders=(replace(ladder, **changes),))
    bench.parts.situations.policy = bench.policy


def only(bench):
    (change,) = bench.reader.changes()
    return change


def freeze(bench, hours="00:00-12:00", *, escalates=False, match="{}"):
    window = windows.parse(Recurrence(times=(hours,)))
    frozen = Freeze(name="month-end", matchers=matchers.parse_all(match), window=window, escalates=escalates)
    bench.parts.situations.muting.configure([frozen], [])


def healthy(bench):
    for _ in range(2):
        bench.process(up=1)
        bench.pass_time(15)


def test_an_automatic_action_is_a_standard_change_from_its_intent_to_its_verdict(bench):
    bench.process(up=0)
    change = only(bench)
    run = bench.incident()["attempts"][0]["run_id"]
    assert (change["type"], change["kind"], change["state"], change["run_id"]) == (
        "standard",
        "action",
        "in-progress",
        run,
    )
    assert change["approval"] == {
        "by": "mode auto of restart-web",
        "via": "standing",
        "at": bench.clock.now(),
        "comment": "",
    }
    assert change["details"] == ["/bin/true"]
    assert change["before"].startswith("0 at 20")
    assert change["fallback"] == "none of its own: the next step, or a person"
    closed = metrics.CHANGES.labels("standard", "done")
    before = closed._value.get()

    bench.mend()

    done = only(bench)
    assert (done["id"], done["state"], done["outcome"], done["result"]) == (change["id"], "done", "succeeded", "fixed")
    assert closed._value.get() == before + 1
    assert done["after"].startswith("nothing at 20")
    assert done["closed_at"] == bench.incident()["resolved_at"]
    incident = bench.reader.incident(bench.incidents()[0]["id"])
    assert [each["id"] for each in incident["changes"]] == [change["id"]]


def test_a_record_stands_in_the_same_transaction_as_the_intent(bench):
    bench.process(up=0)
    bench.restart()
    assert (only(bench)["state"], only(bench)["outcome"]) == ("in-progress", "interrupted")
    healthy(bench)
    assert (only(bench)["state"], only(bench)["result"]) == ("done", "fixed")


def test_an_action_that_does_not_help_is_a_failed_change(bench):
    bench.process(up=0)
    (row,) = bench.take("runner")
    bench.settle(row, outcome="failed", detail="exit code 1")
    bench.clock.advance(1)
    bench.process(up=0)
    bench.pass_time(70)
    ended = [each for each in bench.reader.changes() if each["state"] != "in-progress"]
    assert [(each["state"], each["outcome"], each["result"]) for each in ended] == [("failed", "failed", "ineffective")]


def test_what_the_helper_refuses_is_a_rejected_change(bench):
    bench.process(up=0)
    (row,) = bench.take("runner")
    bench.settle(row, outcome="refused", detail="by the helper: not allowed")
    assert (only(bench)["state"], only(bench)["result"]) == ("rejected", "refused: by the helper: not allowed")


def test_an_attempt_that_never_began_is_an_expired_change_and_the_next_one_another(bench):
    bench.process(up=0)
    (row,) = bench.take("runner")
    bench.settle(row, never_began=True)
    later, first = bench.reader.changes()
    assert {first["state"], later["state"]} == {"expired", "in-progress"}
    assert first["run_id"] != later["run_id"]


def test_a_run_that_ends_after_somebody_resolved_its_incident_closes_its_change(bench):
    bench.process(up=0)
    (row,) = bench.take("runner")
    bench.order(OnIncident(incident_id=bench.incident()["id"], event=ResolvedByOperator(actor="ann")))
    assert only(bench)["state"] == "in-progress"
    bench.settle(row, outcome="succeeded")
    assert (only(bench)["state"], only(bench)["result"]) == ("done", "succeeded, not verified")


def test_a_run_that_never_began_after_its_incident_was_resolved_leaves_an_expired_change(bench):
    bench.process(up=0)
    (row,) = bench.take("runner")
    bench.order(OnIncident(incident_id=bench.incident()["id"], event=ResolvedByOperator(actor="ann")))
    bench.settle(row, never_began=True)
    assert (only(bench)["state"], only(bench)["result"]) == ("expired", "it never began: nothing was done")


@pytest.fixture
def asking(bench):
    with_ladder(bench, mode=Mode.APPROVE, approvers=("ann",))
    bench.parts.desk.rules.approvers = ("ann",)
    bench.process(up=0)
    return bench


def test_what_waits_for_approval_is_a_proposed_change_and_records_who_allowed_it_when_and_how(asking):
    change = only(asking)
    assert (change["type"], change["state"], change["ends_at"]) == ("normal", "proposed", asking.clock.now() + 3600.0)
    asking.restart()
    asking.clock.advance(60)
    asking.process(up=0)

    asking.order(AnswerChange(actor="ann", via="cli", change_id=change["id"], approve=True, comment="go"))

    begun = only(asking)
    assert (begun["id"], begun["state"]) == (change["id"], "in-progress")
    assert begun["approval"] == {"by": "ann", "via": "cli", "at": asking.clock.now(), "comment": "go"}
    asking.clock.advance(1)
    asking.mend()
    assert only(asking)["state"] == "done"


def named(bench):
    """Return the change that tickets name for the last attempt."""
    (incident,) = bench.parts.casebook.active()
    return action_changes.id_of(incident.attempts[-1])


def test_a_ticket_names_the_change_that_asked_for_the_approval_and_of_a_second_begin_the_other_one(asking):
    proposed = only(asking)["id"]
    asking.restart()
    asking.clock.advance(60)
    asking.process(up=0)
    asking.order(AnswerChange(actor="ann", via="cli", change_id=proposed, approve=True))
    assert named(asking) == only(asking)["id"] == proposed
    (row,) = asking.take("runner")
    asking.settle(row, never_began=True)
    assert named(asking) == next(each["id"] for each in asking.reader.changes() if each["state"] == "in-progress")
    assert named(asking) != proposed


def test_a_ticket_names_the_change_of_what_was_only_proposed_and_taken_up(bench):
    with_ladder(bench, mode=Mode.PROPOSE, approvers=("ann",))
    bench.process(up=0)
    approved = Approved(actor="ann", via="cli", plan=bench.incident()["proposal"]["plan"])
    bench.order(OnIncident(incident_id=bench.incident()["id"], event=approved))
    assert named(bench) == only(bench)["id"]
    assert only(bench)["approval"]["by"] == "ann"


def test_a_change_names_the_ticket_of_its_incident(bench):
    bench.process(up=0)
    (ticket,) = bench.take("rt")
    bench.settle(ticket, id="17", url="https://rt.example.org/17", state="open")
    (link,) = bench.reader.change(only(bench)["id"])["ticket_links"]
    assert (link["system"], link["ticket_id"], link["url"]) == ("rt", "17", "https://rt.example.org/17")


def test_an_approval_on_the_ticket_is_on_the_record_too(asking):
    plan = asking.incident()["awaiting"]["plan"]
    approved = Approved(actor="ann", via="rt", plan=plan)
    asking.order(OnIncident(incident_id=asking.incident()["id"], event=approved))
    assert (only(asking)["state"], only(asking)["approval"]["via"]) == ("in-progress", "rt")


def test_who_may_not_approve_the_plan_may_not_approve_its_change(asking):
    change = only(asking)
    with pytest.raises(CommandError, match="mqtt:bob is not among the approvers"):
        asking.order(AnswerChange(actor="bob", via="mqtt", change_id=change["id"], approve=True))
    assert only(asking)["state"] == "proposed"


def test_a_rejected_plan_is_a_rejected_change(asking):
    answer = AnswerChange(actor="ann", via="cli", change_id=only(asking)["id"], approve=False, comment="not now")
    asking.order(answer)
    change = only(asking)
    assert (change["state"], change["result"]) == ("rejected", "rejected by cli:ann: not now")
    assert asking.incident()["state"] == "escalated"


def test_a_plan_that_nobody_approved_in_time_is_an_expired_change(asking):
    asking.pass_time(3600)
    assert (only(asking)["state"], only(asking)["result"]) == ("expired", "nobody approved in time")


def test_a_plan_that_is_not_needed_any_more_is_an_expired_change(asking):
    asking.clock.advance(1)
    asking.process(up=1)
    assert (only(asking)["state"], only(asking)["result"]) == ("expired", "not needed: by_itself")


def test_in_a_freeze_that_escalates_a_normal_action_is_refused_and_a_person_is_told(bench):
    freeze(bench, escalates=True)
    bench.process(up=0)
    incident = bench.incident()
    assert bench.take("runner") == []
    assert incident["state"] == "escalated"
    assert incident["escalated_reason"] == "freeze: freeze window month-end"
    assert len(bench.take("rt")) == 1
    assert bench.reader.changes() == []


def test_in_a_freeze_that_waits_nothing_is_done_and_nobody_is_told(bench):
    freeze(bench)
    bench.process(up=0)
    assert bench.incident()["suppressed"] == "freeze window month-end"
    assert bench.handed == []


@pytest.mark.parametrize("escalates", [False, True])
def test_an_emergency_goes_through_a_freeze_and_waits_for_its_review(bench, escalates):
    with_ladder(bench, emergency=True)
    freeze(bench, escalates=escalates)
    bench.process(up=0)
    bench.mend()
    change = only(bench)
    assert (change["type"], change["state"], change["review"], change["reviewed"]) == ("emergency", "done", True, None)
    assert change["reason"].endswith("in freeze window month-end")
    assert bench.parts.desk.changes.unreviewed() == 1
    bench.restart()
    assert [each["id"] for each in bench.reader.changes("unreviewed")] == [change["id"]]

    bench.order(ReviewChange(actor="ann", via="cli", change_id=change["id"], comment="it was right"))

    assert only(bench)["reviewed"] == {"by": "ann", "via": "cli", "at": bench.clock.now(), "comment": "it was right"}
    assert bench.parts.desk.changes.unreviewed() == 0
    with pytest.raises(CommandError, match="something to do"):
        bench.order(ReviewChange(actor="ann", via="cli", change_id=change["id"], comment="again"))


def test_an_emergency_that_nobody_has_reviewed_is_in_the_report_until_somebody_has(bench):
    with_ladder(bench, emergency=True)
    freeze(bench)
    bench.process(up=0)
    bench.mend()
    change = only(bench)

    def reported():
        gathered = evidence(bench.reader, bench.policy, "web1", change["opened_at"] - 60, bench.clock.now() + 1)
        return report(gathered)

    (figures,) = reported().measures.changes
    assert (figures.type, figures.done, figures.failed, figures.unreviewed) == ("emergency", 1, 0, 1)
    assert "| emergency | 1 | 0 | 0 | 0 | 1 of 1 (100%) | 1 |" in markdown(reported())
    assert [each.about for each in reported().suggestions if each.kind == "unreviewed_change"] == [
        f"change {change['id']}"
    ]
    bench.order(ReviewChange(actor="ann", via="cli", change_id=change["id"], comment="it was right"))
    assert [each.kind for each in reported().suggestions if each.kind == "unreviewed_change"] == []


def test_an_emergency_does_not_go_through_maintenance(bench):
    with_ladder(bench, emergency=True)
    freeze(bench)
    bench.order(SetMaintenance(actor="ann", reason="new disk", seconds=3600))
    bench.process(up=0)
    assert bench.take("runner") == []
    assert bench.incident()["suppressed"] == "maintenance: new disk (ann)"


def test_outside_of_freezes_an_emergency_remediation_makes_standard_changes(bench):
    with_ladder(bench, emergency=True)
    freeze(bench, "20:00-21:00")
    bench.process(up=0)
    assert (only(bench)["type"], only(bench)["review"]) == ("standard", False)


def test_a_change_by_hand_is_proposed_approved_and_closed_by_people(bench):
    bench.parts.desk.rules.approvers = ("cli:ann",)
    wanted = ProposeChange(actor="bob (uid 7)", subject="postgresql 17", reason="15 is old", fallback="the dump")
    change = bench.order(wanted)
    assert (change["kind"], change["state"], change["fallback"]) == ("manual", "proposed", "the dump")
    with pytest.raises(CommandError, match="approve it first"):
        bench.order(CloseChange(actor="bob (uid 7)", change_id=change["id"], done=True, result="upgraded"))
    with pytest.raises(CommandError, match="cli:bob is not among the approvers"):
        bench.order(AnswerChange(actor="bob", via="cli", change_id=change["id"], approve=True))

    bench.order(AnswerChange(actor="ann", via="cli", change_id=change["id"], approve=True))
    bench.order(CloseChange(actor="bob (uid 7)", change_id=change["id"], done=False, result="no room"))

    assert (only(bench)["state"], only(bench)["result"]) == ("failed", "no room")
    rows = bench.database.connection.execute("SELECT event, actor FROM audit WHERE incident_id = '' ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("change_proposed", "bob (uid 7)"),
        ("change_approval_refused", "bob"),
        ("change_approved", "ann"),
        ("change_failed", "bob (uid 7)"),
    ]


def test_nobody_approves_where_nobody_is_named(bench):
    change = bench.order(ProposeChange(actor="bob (uid 7)", subject="x", reason="y"))
    with pytest.raises(CommandError, match=r"there are no \[approvals\] approvers"):
        bench.order(AnswerChange(actor="ann", via="cli", change_id=change["id"], approve=True))


def test_a_window_that_is_over_or_ends_before_it_begins_is_refused(bench):
    now = bench.clock.now()
    for start, end in ((None, now - 1), (now + 60, now + 30)):
        with pytest.raises(CommandError, match="must end after it begins"):
            bench.order(ProposeChange(actor="bob", subject="x", reason="y", starts_at=start, ends_at=end))


def test_a_problem_asks_for_one_change(make_bench):
    bench = make_bench(ladders=())
    bench.parts.desk.rules.problems = ProblemLimits(incidents=1)
    bench.process(up=0)
    (problem,) = bench.reader.problems()
    wanted = ProposeChange(actor="ann (uid 1)", subject="", reason="three times a week", problem=problem["id"])
    first, again = bench.order(wanted), bench.order(wanted)
    assert first["id"] == again["id"]
    assert (first["kind"], first["problem"], first["subject"]) == ("problem-request", problem["id"], "web is down")
    with pytest.raises(CommandError, match="no open problem"):
        bench.order(replace(wanted, problem="problem-x"))
    bench.order(CloseProblem(actor="ann (uid 1)", problem_id=problem["id"], reason="replaced"))
    withdrawn = bench.reader.change(first["id"])
    assert (withdrawn["state"], withdrawn["result"]) == ("expired", "the problem is closed: replaced")


def test_what_undoes_an_attempt_is_named_beforehand_and_is_a_change_of_its_own(bench):
    undo = replace(bench.planned, plan=Plan(argv=("/bin/undo", "it all"), resource="command:web"))
    bench.parts.situations.planner = lambda _ladder, _incident: (bench.planned, undo)
    with_ladder(bench, verify=Verify(hold=10.0, timeout=60.0, worse_if="paramedic_process_up == 0"))
    bench.process(up=0)
    assert only(bench)["fallback"] == "/bin/undo 'it all'"
    (row,) = bench.take("runner")
    bench.clock.advance(1)
    bench.settle(row, outcome="succeeded")
    bench.clock.advance(1)
    bench.process(up=0)
    by_argv = {each["details"][0]: each for each in bench.reader.changes()}
    assert (by_argv["/bin/true"]["state"], by_argv["/bin/true"]["result"]) == ("failed", "worse")
    assert (by_argv["/bin/undo"]["state"], by_argv["/bin/undo"]["fallback"]) == ("in-progress", "a person")


def test_two_people_who_ask_at_the_same_moment_are_both_heard(bench):
    wanted = ProposeChange(actor="bob (uid 7)", subject="x", reason="y")
    answers = [bench.engine.queue.order(each) for each in (wanted, replace(wanted, subject="z"), wanted)]
    bench.turn()
    ids = [answer.result(0)["id"] for answer in answers]
    assert (len(set(ids)), ids[0]) == (2, ids[2])
    assert len(bench.reader.changes()) == 2


def test_a_demotion_is_a_change_of_policy(bench):
    with_ladder(bench, target=Target(success=0.9, attempts=1, evidence=1))
    bench.process(up=0)
    (row,) = bench.take("runner")
    bench.settle(row, outcome="failed")
    bench.clock.advance(1)
    bench.process(up=0)
    bench.pass_time(70)
    (change,) = [each for each in bench.reader.changes() if each["kind"] == "policy"]
    assert (change["type"], change["before"], change["after"]) == ("standard", "mode auto", "mode approve")
    assert change["result"] == "demoted"


def test_a_review_of_an_older_change_does_not_make_it_the_newest_about_its_subject(bench):
    bench.parts.desk.rules.approvers = ("ann",)

    def deed(after, frozen):
        batch = Batch(now=bench.clock.now())
        word = Word(by="root", via="file", at=batch.now)
        bench.parts.desk.changes.deed(
            batch,
            Deed(
                key="configuration",
                kind=ChangeKind.RELOAD,
                subject="paramedic.toml",
                reason="another configuration",
                requested_by="root",
                approval=word,
                before="a",
                after=after,
                result="taken over",
                frozen=frozen,
            ),
        )
        bench.database.commit(batch.writes)
        bench.clock.advance(60)

    deed("b", "freeze window month-end")
    deed("c", "")
    (emergency,) = bench.reader.changes("unreviewed")
    bench.order(ReviewChange(actor="ann", via="cli", change_id=emergency["id"], comment="it was right"))
    assert bench.parts.desk.changes.about("configuration").after == "c"
