"""What people say on tickets and do to them is read back: by whom, once each, and only while one is open."""

import queue
from dataclasses import replace

import pytest

from agent.clock import SystemClock
from agent.engine.commands import BusyError, CommandError, OnIncident
from agent.incidents.events import Acknowledged, Declined, Released, TicketClosed
from agent.incidents.incident import Awaiting, Proposal, State
from agent.incidents.opening import described
from agent.incidents.policy import Policy
from agent.tickets.contract import Remark, TicketError, TicketRef, TicketState
from agent.tickets.remarks import MOST, Reader, Remarks
from agent.tickets.wording import correlation
from collectors.sample import labels
from rules.alert import Alert, AlertState

PLAN = "0123456789abcdef"
ALERT = Alert(
    fingerprint="f1",
    rule="host;systemd;UnitFailed",
    rule_version="v1",
    labels=labels(alertname="UnitFailed", severity="critical"),
    annotations=(),
    state=AlertState.FIRING,
    value=1.0,
    active_at=0.0,
)


def incident(plan=PLAN, **changes):
    asked = Awaiting(
        plan=plan, digest="d", argv=("/bin/true",), approvers=("ann",), asked_at=0.0, until=9e9, remind_at=9e9
    )
    fresh = described(ALERT, Policy(), incident_id="i1", key="k", host="h1", now=0.0)
    return replace(fresh, state=State.AWAITING_APPROVAL, awaiting=asked, tickets=("helpdesk",), **changes)


class Desk:
    """A ticket system that can be read back; every look is told to the test."""

    def __init__(self):
        self.said = []
        self.looks = queue.Queue()
        self.error = None
        self.state = TicketState.OPEN

    def find(self, found):
        assert found == correlation(incident())
        return TicketRef(id="7", url="", state=self.state)

    def remarks(self, ref, after):
        assert ref.id == "7"
        self.looks.put(after)
        if self.error is not None:
            raise self.error
        return [remark for remark in self.said if remark.id > after]


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def make(desk):
    made = []

    def watch(order, **options):
        remarks = Remarks(
            [Reader(name="helpdesk", kind="rt", system=desk)], order, SystemClock(), poll_seconds=0.01, **options
        )
        made.append(remarks)
        remarks.start()
        return remarks

    yield watch
    for remarks in made:
        remarks.close()


def look(desk, times=1):
    for _ in range(times):
        desk.looks.get(timeout=60)


def test_a_remark_becomes_the_word_of_its_author_at_the_ticket_system(desk, make):
    orders = queue.Queue()
    desk.said.append(Remark(id=4, actor="ann", text=f"approve {PLAN} go"))
    make(orders.put).offer([incident()])

    order = orders.get(timeout=60)

    assert order.incident_id == "i1"
    assert (order.event.actor, order.event.via, order.event.comment) == ("ann", "rt", "go")


def test_whoever_may_say_a_word_from_now_on_is_heard_on_incidents_that_were_open_before(desk, make):
    orders, people = queue.Queue(), []
    desk.said.append(Remark(id=4, actor="ann", text="paramedic ack"))
    make(orders.put, people=lambda: people).offer([replace(incident(), awaiting=None)])
    people.append("ann")
    assert isinstance(orders.get(timeout=60).event, Acknowledged)


def test_what_is_only_proposed_can_be_taken_up_by_a_remark_where_somebody_may_approve_it(desk, make):
    orders = queue.Queue()
    desk.said.append(Remark(id=4, actor="ann", text=f"approve {PLAN}"))
    made = Proposal(remediation="r", version="v1", plan=PLAN, digest="d", approvers=("ann",), at=0.0)
    proposed = replace(incident(), state=State.OPEN, awaiting=None, would_run=("/bin/true",), proposal=made)
    remarks = make(orders.put)
    remarks.offer([replace(proposed, proposal=replace(made, approvers=()))])
    remarks.offer([proposed])
    assert orders.get(timeout=60).event.plan == PLAN


def test_a_remark_is_read_once_although_the_ticket_is_read_again(desk, make):
    orders = queue.Queue()
    desk.said.append(Remark(id=4, actor="eve", text=f"approve {PLAN}"))

    def refuse(order):
        orders.put(order)
        raise CommandError("rt:eve is not among the approvers")

    make(refuse).offer([incident()])
    look(desk, 4)

    assert orders.qsize() == 1


def test_remarks_on_another_plan_say_nothing(desk, make):
    orders = queue.Queue()
    desk.said.append(Remark(id=4, actor="ann", text="approve fedcba9876543210"))
    make(orders.put).offer([incident()])
    look(desk, 3)
    assert orders.empty()


def test_an_asking_anew_reads_the_ticket_from_its_beginning(desk, make):
    orders = queue.Queue()
    again = "fedcba9876543210"
    desk.said = [Remark(id=4, actor="ann", text=f"approve {PLAN}"), Remark(id=9, actor="ann", text=f"reject {again}")]
    remarks = make(orders.put)
    remarks.offer([incident()])
    assert orders.get(timeout=60).event.plan == PLAN
    remarks.offer([incident(plan=again)])
    assert orders.get(timeout=60).event.plan == again


def test_a_ticket_system_that_is_down_is_asked_again(desk, make):
    orders = queue.Queue()
    desk.error = TicketError("connection failed")
    make(orders.put).offer([incident()])
    look(desk, 2)
    desk.said.append(Remark(id=4, actor="ann", text=f"approve {PLAN}"))
    desk.error = None
    assert orders.get(timeout=60).event.actor == "ann"


@pytest.mark.parametrize("changes", [{"suppressed": "maintenance"}, {"tickets": ()}, {"drill": True}])
def test_nothing_is_asked_while_no_ticket_is_open(desk, make, changes):
    remarks = make(lambda _order: None)
    remarks.offer([replace(incident(), id="other", **changes)])  # a look at it would fail: the desk knows one ticket
    remarks.offer([incident()])
    look(desk)
    remarks.offer([])
    remarks.close()
    remarks._thread.join(60)
    assert not remarks._thread.is_alive()


def test_where_nobody_is_named_no_word_is_read_but_the_state_is(desk, make):
    orders = queue.Queue()
    desk.state = TicketState.CLOSED
    desk.said.append(Remark(id=4, actor="ann", text="paramedic ack"))
    make(orders.put).offer([replace(incident(), awaiting=None)])
    assert orders.get(timeout=60).event == TicketClosed(system="helpdesk")
    assert desk.looks.empty()


class Stateful:
    """A ticket system that says how a ticket is, and nothing of what was written on it."""

    def find(self, found):
        return TicketRef(id=found, url="", state=TicketState.CLOSED)


def test_the_state_is_read_where_words_cannot_be():
    orders = queue.Queue()
    remarks = Remarks(
        [Reader(name="helpdesk", kind="webhook", system=Stateful())],
        orders.put,
        SystemClock(),
        people=lambda: ("ann",),
        poll_seconds=0.01,
    )
    remarks.start()
    remarks.offer([incident()])
    assert orders.get(timeout=60).event == TicketClosed(system="helpdesk")
    remarks.close()


@pytest.mark.parametrize("name", ["ann", "rt:ann"])
def test_a_named_person_takes_charge_of_an_incident_that_waits_for_nothing(desk, make, name):
    orders = queue.Queue()
    desk.said.append(Remark(id=4, actor="ann", text="I am on it.\nparamedic acknowledge 2h looking"))
    make(orders.put, people=lambda: (name,)).offer([replace(incident(), awaiting=None)])

    order = orders.get(timeout=60)

    assert isinstance(order.event, Acknowledged)
    assert (order.event.actor, order.event.comment, order.remark) == ("rt:ann", "looking", ("helpdesk", 4))


def test_nobody_else_takes_charge_of_an_incident(desk, make):
    orders = queue.Queue()
    desk.said = [
        Remark(id=4, actor="eve", text="paramedic won't fix"),
        Remark(id=5, actor="ann", text="> paramedic ack"),
    ]
    make(orders.put, people=lambda: ("jira:eve", "ann")).offer([replace(incident(), awaiting=None)])
    look(desk, 4)
    assert orders.empty()


def test_a_person_who_was_struck_off_the_list_is_heard_no_more(desk, make):
    orders, people = queue.Queue(), ["ann"]
    desk.said.append(Remark(id=4, actor="ann", text="paramedic ack"))
    make(orders.put, people=lambda: people).offer([replace(incident(), awaiting=None)])
    orders.get(timeout=60)
    people[:] = ["bob"]
    desk.said.append(Remark(id=5, actor="ann", text="paramedic won't fix"))
    desk.said.append(Remark(id=6, actor="bob", text="paramedic release"))
    assert isinstance(orders.get(timeout=60).event, Released)


def test_what_was_heard_before_a_restart_is_not_read_again(desk, make):
    orders = queue.Queue()
    desk.said = [Remark(id=4, actor="ann", text="paramedic ack"), Remark(id=6, actor="ann", text="paramedic wontfix")]
    make(orders.put, people=lambda: ("ann",)).offer([replace(incident(), awaiting=None, heard=(("helpdesk", 4),))])
    assert isinstance(orders.get(timeout=60).event, Declined)
    assert orders.empty()


def test_a_ticket_that_somebody_closed_is_told_to_the_engine_until_it_knows(desk, make):
    orders = queue.Queue()
    desk.state = TicketState.CLOSED
    remarks = make(orders.put, people=lambda: ("ann",))
    remarks.offer([replace(incident(), awaiting=None)])
    assert orders.get(timeout=60) == OnIncident(incident_id="i1", event=TicketClosed(system="helpdesk"))
    remarks.offer([])
    remarks.close()
    remarks._thread.join(60)
    while not orders.empty():
        orders.get()
    known = make(orders.put, people=lambda: ("ann",))
    known.offer([replace(incident(), awaiting=None, closed_by_hand=("helpdesk",))])
    look(desk, 2)
    assert orders.empty()


def test_a_status_that_says_wont_fix_is_told_whatever_was_known_before_and_after_what_was_written(desk, make):
    orders = queue.Queue()
    desk.state = TicketState.DECLINED
    desk.said.append(Remark(id=4, actor="ann", text="paramedic won't fix 30d"))
    known = replace(incident(), awaiting=None, closed_by_hand=("helpdesk",))
    make(orders.put, people=lambda: ("ann",)).offer([known])
    assert isinstance(orders.get(timeout=60).event, Declined), "it says for how long"
    assert orders.get(timeout=60).event == TicketClosed(system="helpdesk", declined=True)


def test_calm_tickets_are_looked_at_every_third_turn_and_at_once_when_somebody_wrote(desk):
    clock = SystemClock()
    remarks = Remarks([Reader(name="helpdesk", kind="rt", system=desk)], print, clock, people=lambda: ("ann",))
    calm, waiting = replace(incident(), id="calm", awaiting=None), incident()
    remarks.offer([calm, waiting])
    turns = [{each.id for each in remarks._due()} for _ in range(4)]
    assert turns == [{"calm", "i1"}, {"i1"}, {"i1"}, {"calm", "i1"}]
    remarks.hurry()
    assert {each.id for each in remarks._due()} == {"calm", "i1"}


def test_a_word_that_the_engine_was_too_busy_for_is_read_again(desk, make):
    orders = queue.Queue()

    def busy(order):
        orders.put(order)
        if orders.qsize() == 1:
            raise BusyError

    desk.said.append(Remark(id=4, actor="ann", text="paramedic ack"))
    make(busy, people=lambda: ("ann",)).offer([replace(incident(), awaiting=None)])
    look(desk, 5)
    assert orders.qsize() == 2


def test_with_more_tickets_than_a_turn_has_time_for_each_gets_its_turn(desk):
    remarks = Remarks([Reader(name="helpdesk", kind="rt", system=desk)], print, SystemClock(), people=lambda: ("ann",))
    many = [replace(incident(), id=str(number), awaiting=None) for number in range(2 * MOST + 1)]
    remarks.offer(many)
    seen = {each.id for _ in range(3) for each in remarks._due()}
    assert seen == {each.id for each in many}
