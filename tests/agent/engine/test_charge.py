"""What people say about incidents, through the engine: won't fix, major, and a ticket that they closed."""

from dataclasses import replace

import pytest

from agent.engine.commands import CommandError, OnIncident
from agent.incidents.events import (
    Acknowledged,
    Declined,
    EffectSettled,
    MajorDeclared,
    Released,
    RetryOrdered,
    TicketClosed,
)
from agent.incidents.policy import TicketPolicy
from agent.itsm.catalogue import Catalogue, Criticality, Service
from agent.itsm.priority import Priorities
from remediations.limits import Limits
from rules import matchers

DAY = 86400.0
WINDOW = 3600.0


@pytest.fixture
def idle(make_bench):
    """Nothing is repaired here."""
    return make_bench(ladders=())


def order(bench, event, remark=None):
    incident = bench.incidents()[0]
    return bench.order(OnIncident(incident_id=incident["id"], event=event, remark=remark))


def tickets(bench):
    """Perform what the ticket system is owed, in order; return the operations and reasons."""
    told = []
    while rows := bench.take("rt"):
        for row in rows:
            told.append((row.payload["op"], row.payload["reason"]))
            bench.settle(row, id="7", url="", state="closed" if row.payload["op"] == "close" else "open")
    return told


def fire(bench, up=0):
    bench.process(up=up)
    bench.clock.advance(1)


# -- mine


def test_nothing_is_done_about_what_somebody_has_until_they_give_it_back_even_after_a_restart(bench):
    bench.parts.situations.stopped_by = {"operator": "a test"}
    fire(bench)
    order(bench, Acknowledged(actor="ann"))
    bench.restart()

    fire(bench)
    bench.pass_time(61)

    assert bench.take("runner") == []
    assert bench.incident()["refusals"] == ["acknowledged: acknowledged by ann, who works on it"]
    fire(bench)
    order(bench, Released(actor="ann"))
    assert len(bench.take("runner")) == 1


def test_an_order_to_try_again_lifts_the_cool_down_at_once(bench):
    (ladder,) = bench.policy.ladders
    bench.policy = replace(bench.policy, ladders=(replace(ladder, limits=Limits(cooldown=3600.0)),))
    bench.parts.situations.policy = bench.policy
    fire(bench)
    (row,) = bench.take("runner")
    bench.settle(row, outcome="failed")
    fire(bench)
    bench.pass_time(61)
    fire(bench)
    assert bench.take("runner") == []

    order(bench, RetryOrdered(actor="ann", reason="it is mended"))

    assert len(bench.take("runner")) == 1


# -- won't fix


def test_an_incident_that_nobody_will_fix_is_closed_and_nothing_more_is_done_while_its_alert_lasts(bench):
    fire(bench)
    assert bench.take("runner")
    order(bench, Declined(actor="rt:ann", comment="new disk comes"))
    (incident,) = bench.incidents()
    assert (incident["state"], incident["resolution"]) == ("resolved", "wont_fix")
    assert tickets(bench) == [("open", "attempt_started"), ("close", "declined")]
    for _ in range(50):
        fire(bench)
        bench.pass_time(WINDOW)
    bench.restart(DAY)
    fire(bench)
    assert bench.take("runner") == []
    assert tickets(bench) == []
    assert [each["state"] for each in bench.incidents()] == ["resolved"]


def test_the_same_fault_is_a_new_incident_once_the_declined_one_has_been_over_for_the_window(idle):
    fire(idle)
    order(idle, Declined(actor="ann"))
    fire(idle, up=1)
    idle.pass_time(WINDOW / 2)
    fire(idle)
    assert [each["state"] for each in idle.incidents()] == ["resolved"], "it flaps: still nobody's to fix"
    fire(idle, up=1)
    idle.pass_time(WINDOW + 10)
    fire(idle)
    assert [each["state"] for each in idle.incidents()] == ["escalated"]


def test_wont_fix_for_a_time_holds_for_that_time_however_often_the_fault_comes_and_goes(idle):
    fire(idle)
    order(idle, Declined(actor="ann", until=idle.clock.now() + 30 * DAY))
    for _ in range(29):
        fire(idle, up=1)
        idle.pass_time(DAY - 10)
        fire(idle)
        idle.restart()
    assert [each["state"] for each in idle.incidents()] == ["resolved"]
    fire(idle, up=1)
    idle.pass_time(2 * DAY)
    fire(idle)
    assert [each["state"] for each in idle.incidents()] == ["escalated"]


def test_a_status_that_says_wont_fix_does_what_the_word_does(bench):
    fire(bench)
    (row,) = bench.take("rt")
    bench.settle(row, id="7", url="", state="open")
    order(bench, TicketClosed(system="rt", declined=True))
    (incident,) = bench.incidents()
    assert (incident["state"], incident["resolution"]) == ("resolved", "wont_fix")
    (row,) = bench.take("rt")
    assert (row.payload["op"], row.payload["reason"]) == ("close", "declined")
    assert row.payload["detail"] == "declined by rt: the status of its ticket"
    bench.take("runner")
    for _ in range(5):
        fire(bench)
        bench.pass_time(WINDOW)
    assert bench.take("runner") == []
    assert [each["state"] for each in bench.incidents()] == ["resolved"]


@pytest.mark.parametrize("recurs", [False, True])
def test_a_status_that_says_wont_fix_is_heeded_when_the_ticket_is_told_something(idle, recurs):
    fire(idle)
    tickets(idle)
    if recurs:
        fire(idle, up=1)
        tickets(idle)
        fire(idle)
    else:
        order(idle, Acknowledged(actor="ann"))
    (row,) = idle.take("rt")
    assert row.payload["op"] == ("reopen" if recurs else "update")
    idle.settle(row, id="7", url="", state="declined")
    assert idle.incidents()[0]["resolution"] == "wont_fix"
    assert tickets(idle) == [("close", "declined")]


def test_what_is_over_cannot_be_declined(idle):
    fire(idle)
    fire(idle, up=1)
    with pytest.raises(CommandError, match="resolved"):
        order(idle, Declined(actor="ann"))


# -- words that are read more than once


def test_a_remark_counts_once_however_often_it_is_read(idle):
    fire(idle)
    word = Acknowledged(actor="rt:ann")
    order(idle, word, remark=("rt", 7))
    from_cli = Acknowledged(actor="uid:0", comment="mine")
    order(idle, from_cli)
    idle.restart()
    order(idle, word, remark=("rt", 7))
    assert idle.incidents()[0]["acknowledged_by"] == "uid:0"
    order(idle, word, remark=("rt", 8))
    assert idle.incidents()[0]["acknowledged_by"] == "rt:ann"


def test_a_remark_that_changed_nothing_is_remembered_too(idle):
    fire(idle)
    fire(idle, up=1)
    with pytest.raises(CommandError):
        order(idle, Declined(actor="rt:ann"), remark=("rt", 7))
    fire(idle)
    idle.restart()
    order(idle, Declined(actor="rt:ann"), remark=("rt", 7))
    assert idle.incidents()[0]["state"] == "escalated"


# -- major incidents


def test_a_person_declares_a_major_incident_and_takes_it_back(make_bench):
    low = Service(name="blog", match=(matchers.parse_all('{name="web"}'),), criticality=Criticality.LOW)
    bench = make_bench(ladders=(), catalogue=Catalogue([low]))
    fire(bench)
    assert bench.incidents()[0]["priority"] == "P2"
    order(bench, MajorDeclared(actor="uid:0", comment="the press calls"))
    (incident,) = bench.incidents()
    assert (incident["priority"], incident["major"]) == ("P1", "declared by uid:0: the press calls")
    with pytest.raises(CommandError):
        order(bench, MajorDeclared(actor="uid:0"))
    order(bench, MajorDeclared(actor="uid:0", major=False))
    (incident,) = bench.incidents()
    assert (incident["priority"], incident["major"]) == ("P2", "")
    reasons = [reason for _, reason in tickets(bench)]
    assert reasons == ["no_remediation", "major_declared", "major_withdrawn"]


def test_a_rule_and_the_importance_of_a_service_make_major_incidents_whatever_the_matrix_says(make_bench):
    matrix = dict.fromkeys(Criticality, ("P4",) * 4)
    by_rule = Priorities(matrix=matrix, majors=(matchers.parse_all('{alertname="ProcessDown", name="web"}'),))
    shop = Service(name="shop", match=(matchers.parse_all('{name="db"}'),), major=True)
    bench = make_bench(ladders=(), priorities=by_rule, catalogue=Catalogue([shop]))
    for name in ("web", "db", "other"):
        bench.process(up=0, name=name)
    found = {dict(each["labels"])["name"]: (each["priority"], each["major"]) for each in bench.incidents()}
    assert found == {
        "web": ("P1", "every ProcessDown is one"),
        "db": ("P1", "shop is down"),
        "other": ("P4", ""),
    }


# -- a ticket closed by hand


def closed(bench, row):
    bench.settle(row, id="7", url="", state="closed")


def test_a_ticket_that_somebody_closed_is_told_once_and_not_fought(idle):
    fire(idle)
    tickets(idle)
    order(idle, TicketClosed(system="rt"))
    order(idle, TicketClosed(system="rt"))
    (row,) = idle.take("rt")
    assert (row.payload["op"], row.payload["reason"]) == ("update", "ticket_closed")
    closed(idle, row)
    order(idle, Acknowledged(actor="ann"))
    assert idle.take("rt") == []
    fire(idle, up=1)
    assert tickets(idle) == [("close", "resolved_by_itself")]


def test_that_it_was_closed_shows_when_it_is_told_something(idle):
    fire(idle)
    tickets(idle)
    order(idle, Acknowledged(actor="ann"))
    (row,) = idle.take("rt")
    closed(idle, row)
    (row,) = idle.take("rt")
    assert row.payload["reason"] == "ticket_closed"
    closed(idle, row)
    assert idle.take("rt") == []


def test_a_recurrence_opens_the_ticket_again_that_somebody_had_closed(idle):
    fire(idle)
    tickets(idle)
    order(idle, TicketClosed(system="rt"))
    fire(idle, up=1)
    fire(idle)
    assert [op for op, _ in tickets(idle)] == ["update", "close", "reopen"]
    order(idle, Acknowledged(actor="ann"))
    assert [op for op, _ in tickets(idle)] == ["update"]


def test_a_ticket_that_has_yet_to_be_opened_again_was_not_closed_by_anybody(make_bench):
    bench = make_bench(ladders=(), tickets=(TicketPolicy(name="rt"),))
    fire(bench)
    tickets(bench)
    fire(bench, up=1)
    tickets(bench)
    fire(bench)
    (row,) = bench.take("rt")
    assert row.payload["op"] == "reopen"
    bench.engine.settled(EffectSettled(row=row.id, claim=row.claim, reason="down"))
    bench.turn()
    assert order(bench, TicketClosed(system="rt")) == {}
    assert bench.incidents()[0]["closed_by_hand"] == []
