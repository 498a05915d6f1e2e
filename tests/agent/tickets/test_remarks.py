"""Approvals read back from tickets: by whom, once each, and only while something waits."""

import queue
from dataclasses import replace

import pytest

from agent.engine.commands import CommandError
from agent.incidents.incident import Awaiting, State
from agent.incidents.opening import described
from agent.incidents.policy import Policy
from agent.tickets.contract import Remark, TicketError, TicketRef, TicketState
from agent.tickets.remarks import Reader, Remarks
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

    def find(self, found):
        assert found == correlation(incident())
        return TicketRef(id="7", url="", state=TicketState.OPEN)

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

    def watch(order):
        remarks = Remarks([Reader(name="helpdesk", kind="rt", system=desk)], order, poll_seconds=0.01)
        made.append(remarks)
        remarks.start()
        return remarks

    yield watch
    for remarks in made:
        remarks.close()


def look(desk, times=1):
    for _ in range(times):
        desk.looks.get(timeout=10)


def test_a_remark_becomes_the_word_of_its_author_at_the_ticket_system(desk, make):
    orders = queue.Queue()
    desk.said.append(Remark(id=4, actor="ann", text=f"approve {PLAN} go"))
    make(orders.put).offer([incident()])

    order = orders.get(timeout=10)

    assert order.incident_id == "i1"
    assert (order.event.actor, order.event.via, order.event.comment) == ("ann", "rt", "go")


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
    assert orders.get(timeout=10).event.plan == PLAN
    remarks.offer([incident(plan=again)])
    assert orders.get(timeout=10).event.plan == again


def test_a_ticket_system_that_is_down_is_asked_again(desk, make):
    orders = queue.Queue()
    desk.error = TicketError("connection failed")
    make(orders.put).offer([incident()])
    look(desk, 2)
    desk.said.append(Remark(id=4, actor="ann", text=f"approve {PLAN}"))
    desk.error = None
    assert orders.get(timeout=10).event.actor == "ann"


@pytest.mark.parametrize("changes", [{"suppressed": "maintenance"}, {"awaiting": None}])
def test_nothing_is_read_while_nothing_waits(desk, make, changes):
    remarks = make(lambda _order: None)
    remarks.offer([replace(incident(), **changes)])
    remarks.offer([incident()])
    look(desk)
    remarks.offer([])
    remarks.close()
    remarks._thread.join(10)
    assert not remarks._thread.is_alive()
