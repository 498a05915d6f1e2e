"""Changes through the engine: what is asked for, what is done, and what is on record after a crash."""

from dataclasses import replace

from agent.engine.batch import Batch
from agent.itsm.changes import REST_SECONDS, ChangeKind, ChangeState, Proposal, closed

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
