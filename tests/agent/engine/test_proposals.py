"""Promotion by evidence, through the engine: what counts, what does not, and what outlives a restart or a reload."""

from dataclasses import replace

import pytest

from agent.engine.commands import CommandError, OnIncident, Promote
from agent.incidents.events import Approved
from agent.itsm import review
from agent.itsm.catalogue import Catalogue, Service
from agent.telemetry import metrics
from remediations.limits import Limits, Target
from remediations.mode import Mode

RULE = """
groups:
- name: process
  interval: 15s
  rules:
  - alert: ProcessDown
    expr: paramedic_process_up == 0
    labels: {severity: critical, drill: "%s"}
"""


def configure(bench, **changes):
    """Give the engine a configuration as a reload does."""
    (ladder,) = bench.policy.ladders
    bench.policy = replace(bench.policy, ladders=(replace(ladder, **changes),))
    take_over(bench)


def take_over(bench):
    bench.parts.situations.policy = bench.policy
    bench.database.commit(bench.parts.desk.tally.configured(bench.clock.now()))


@pytest.fixture
def observing(make_bench):
    def made(*, drill=False, **changes):
        bench = make_bench(rules=RULE % str(drill).lower())
        usual = {"mode": Mode.OBSERVE, "approvers": ("ann",), "version": "v1"}
        limits = Limits(attempts=50, runs=50, cooldown=0.0, actions_per_hour=200)
        configure(bench, limits=limits, target=Target(evidence=2), **usual | changes)
        return bench

    return made


def promote(bench, to=None):
    return bench.order(Promote(remediation="restart-web", actor="ann (uid 1)", reason="it was right", to=to))


def approve(bench):
    incident = bench.incidents()[0]
    plan = (incident["awaiting"] or incident["proposal"])["plan"]
    bench.order(OnIncident(incident_id=incident["id"], event=Approved(actor="ann", via="cli", plan=plan)))


def right(bench):
    """Let a fault come, a person let what is proposed run, and it help."""
    bench.process(up=0)
    assert bench.take("runner") == []
    approve(bench)
    bench.helped()
    assert bench.incidents()[0]["resolution"] == "fixed"


def shown(bench):
    return bench.parts.desk.tally.shown("restart-web", bench.clock.now())


def counts(bench):
    return tuple(shown(bench)["proposals"][each] for each in ("correct", "wrong", "unproven"))


def test_below_the_evidence_a_promotion_is_refused_and_with_it_one_rung_is_given_for_good(observing):
    bench = observing()
    right(bench)
    with pytest.raises(CommandError, match=r"1 of 2 proposals proven correct \(0 wrong, 0 unproven\) in mode observe"):
        promote(bench)
    bench.restart()
    right(bench)
    with pytest.raises(CommandError, match="from observe to propose, not to auto"):
        promote(bench, Mode.AUTO)

    told = promote(bench, Mode.PROPOSE)

    assert (told["mode"], told["effective_mode"]) == ("observe", "propose")
    bench.restart()
    assert shown(bench)["effective_mode"] == "propose"
    assert counts(bench) == (0, 0, 0), "the next rung needs evidence of its own"
    (change,) = [each for each in bench.reader.changes() if each["result"] == "promoted"]
    assert (change["before"], change["after"], change["approval"]["by"]) == ("mode observe", "mode propose", "ann")
    assert (change["reason"], change["kind"]) == ("it was right", "policy")


def test_the_record_of_the_incident_says_what_the_proposal_was(observing):
    bench = observing()
    counter = metrics.PROPOSALS.labels("restart-web", "correct")._value
    before = counter.get()
    right(bench)
    rows = bench.database.connection.execute("SELECT detail FROM audit WHERE reason = 'proposal_judged'").fetchall()
    assert rows == [("correct: approved, run, and verified: it helped",)]
    assert bench.incident()["proposal"]["proof"] == "correct"
    assert counter.get() == before + 1


def test_what_goes_away_by_itself_is_counted_against_it(observing):
    bench = observing()
    bench.process(up=0)
    bench.clock.advance(1)
    bench.process(up=1)
    assert counts(bench) == (0, 1, 0)


def test_what_ends_later_with_nobody_s_word_is_unproven(observing):
    bench = observing()
    bench.process(up=0)
    for _ in range(10):
        bench.clock.advance(10)
        bench.process(up=0)
    bench.clock.advance(1)
    bench.process(up=1)
    assert counts(bench) == (0, 0, 1)


def test_drills_never_count(observing):
    bench = observing(drill=True)
    right(bench)
    assert bench.incident()["proposal"]["proof"] == "correct"
    assert counts(bench) == (0, 0, 0)


def test_another_configuration_resets_what_was_earned_and_the_old_one_does_not_bring_it_back(observing):
    bench = observing()
    right(bench)
    right(bench)
    promote(bench)
    right(bench)
    assert counts(bench) == (1, 0, 0)

    configure(bench, version="v2")

    assert (shown(bench)["effective_mode"], counts(bench)) == ("observe", (0, 0, 0))
    bench.restart()
    configure(bench, version="v1")
    assert (shown(bench)["effective_mode"], counts(bench)) == ("observe", (0, 0, 0))


def test_a_proposal_of_a_configuration_that_is_gone_does_not_count(observing):
    bench = observing()
    bench.process(up=0)
    approve(bench)
    configure(bench, version="v2")
    bench.helped()
    assert bench.incident()["proposal"]["proof"] == "correct"
    assert counts(bench) == (0, 0, 0)


def test_what_people_have_promoted_to_auto_acts_alone_and_poor_results_take_that_away(observing):
    bench = observing(mode=Mode.APPROVE)
    right(bench)
    right(bench)
    assert promote(bench)["effective_mode"] == "auto"
    configure(bench, target=Target(evidence=2, attempts=1))
    bench.process(up=0)
    (row,) = bench.take("runner")
    bench.settle(row, outcome="succeeded")
    bench.clock.advance(1)
    bench.process(up=0)
    bench.pass_time(70)
    bench.restart()
    told = shown(bench)
    assert told["demoted_at"] is not None
    assert (told["mode"], told["effective_mode"]) == ("approve", "approve")
    assert "0 of 2" in told["proposals"]["objection"]


def test_no_promotion_lifts_what_the_service_allows(observing):
    bench = observing(mode=Mode.APPROVE)
    right(bench)
    right(bench)
    promote(bench)
    service = Service(name="default", automation=Mode.PROPOSE)
    bench.policy = replace(bench.policy, catalogue=Catalogue(services=(service,)))
    take_over(bench)

    bench.process(up=0)

    assert bench.take("runner") == []
    assert bench.incidents()[0]["would_run"] == ["/bin/true"]
    with pytest.raises(CommandError, match="its service, its action or the age of its rule forbids it"):
        approve(bench)


def test_what_may_be_promoted_is_a_suggestion(observing):
    bench = observing()
    right(bench)
    assert list(review.earned([shown(bench)])) == []
    right(bench)
    (point,) = review.earned([shown(bench)])
    assert (point.about, point.says) == (
        "remediation restart-web",
        "2 of its proposals in mode observe were proven correct, 0 wrong",
    )
    assert "promote it to propose" in point.suggestion


def test_a_step_of_the_clock_neither_makes_nor_loses_evidence(observing):
    bench = observing()
    right(bench)
    right(bench)
    promote(bench)
    bench.process(up=0)
    for step in (-7200.0, 86400.0):
        bench.clock.stepped = step
        bench.turn()
    approve(bench)
    bench.helped()
    assert counts(bench) == (1, 0, 0)
