"""Ticket rows: one ticket for one incident, however often a row is repeated and whatever gets lost on the way."""

import sqlite3
from dataclasses import asdict

import pytest

from agent.executor import ticketing
from agent.store.database import Database
from agent.tickets.contract import Draft, TicketError, Update
from agent.tickets.registry import ADAPTERS
from tests.agent.outbox import owed
from tests.agent.tickets.fakes.site import serving
from tests.crash.outside import TicketDesk
from tests.services.faults import fault_proxy


def row(op, *, number=1, correlation="h:1"):
    draft = Draft(correlation=correlation, title="t", body="b", priority="P1")
    update = Update(key=f"k{number}", comment=f"comment {number}")
    payload = {"op": op, "draft": asdict(draft), "update": asdict(update)}
    return owed(payload, id=number, key=f"{correlation}:desk:{number}")


@pytest.fixture
def desk():
    return TicketDesk()


@pytest.fixture
def proxy(desk):
    with serving(desk) as port, fault_proxy(port) as proxy:
        yield proxy


@pytest.fixture
def perform(proxy):
    spec = ADAPTERS["webhook"]
    url = f"http://127.0.0.1:{proxy.port}/tickets"
    return ticketing.performer(spec.open(spec.options(url=url, find_url=url, timeout_seconds=5), str))


def test_a_ticket_is_opened_updated_closed_and_opened_again(perform, desk):
    answers = [perform(row(op, number=n)) for n, op in enumerate(("open", "update", "close", "reopen"))]
    assert all(answer.done for answer in answers)
    assert [answer.result["state"] for answer in answers] == ["open", "open", "closed", "open"]
    assert {answer.result["id"] for answer in answers} == {"T1"}
    assert [operation for operation, _ in desk.tickets[0].changes] == ["update", "close", "reopen"]


def test_a_creation_that_was_accepted_and_then_cut_off_makes_one_ticket(perform, desk, proxy):
    proxy.cut_requests = b"POST"
    first = perform(row("open"))
    assert (first.done, first.dead) == (False, False)
    assert proxy.cuts == 1
    proxy.heal()

    again = perform(row("open"))

    assert again.done
    assert [ticket.id for ticket in desk.tickets] == [again.result["id"]]


def test_a_change_that_was_accepted_and_then_cut_off_is_made_once(perform, desk, proxy):
    perform(row("open"))
    proxy.cut_requests = b"POST"
    assert not perform(row("close", number=2)).done
    proxy.heal()
    assert perform(row("close", number=2)).result["state"] == "closed"
    assert len(desk.tickets[0].changes) == 1


def test_rows_that_are_repeated_after_a_crash_change_nothing_more(perform, desk):
    rows = [row("open"), row("update", number=2), row("close", number=3)]
    for each in (*rows, *rows):
        assert perform(each).done
    assert len(desk.tickets) == 1
    assert len(desk.tickets[0].changes) == 2
    assert desk.tickets[0].state == "closed"


def test_a_ticket_that_a_person_closed_is_told_more_and_stays_closed_and_that_is_said(perform, desk):
    assert perform(row("open")).reason == ""
    desk.tickets[0].state = "closed"
    answer = perform(row("update", number=2))
    assert (answer.done, answer.result["state"], answer.reason) == (True, "closed", ticketing.CLOSED_BY_HAND)
    assert desk.tickets[0].state == "closed"
    assert perform(row("close", number=3)).reason == ""


def test_an_update_of_a_ticket_that_vanished_opens_it_again_first(perform, desk):
    assert perform(row("update")).done
    assert len(desk.tickets) == 1


def test_a_system_that_is_down_is_asked_again_later(perform, desk, proxy):
    proxy.refuse = True
    answer = perform(row("open"))
    assert (answer.done, answer.dead) == (False, False)
    assert answer.reason
    assert desk.tickets == []


class Refusing:
    """A ticket system that answers everything with one error."""

    def __init__(self, error):
        self._error = error

    def find(self, _correlation):
        raise self._error


def test_what_repeating_cannot_mend_is_a_dead_letter_with_its_reason():
    answer = ticketing.performer(Refusing(TicketError("403 no such queue", permanent=True)))(row("open"))
    assert (answer.done, answer.dead, answer.reason) == (False, True, "403 no such queue")


def test_the_wait_that_a_system_asks_for_is_passed_on():
    answer = ticketing.performer(Refusing(TicketError("busy", retry_after=42.0)))(row("open"))
    assert (answer.dead, answer.retry_after) == (False, 42.0)


def test_the_book_is_kept_within_the_transaction(tmp_path):
    with Database(tmp_path) as database:

        def fail(_connection):
            raise sqlite3.OperationalError("the rest of the transaction")

        def note(connection):
            assert ticketing.in_the_book(connection, row("open"), 5.0).done

        with pytest.raises(Exception, match="the rest"):
            database.commit([note, fail])
        assert database.connection.execute("SELECT count(*) FROM book_tickets").fetchone() == (0,)
        database.commit([note, note])
        assert database.connection.execute("SELECT count(*) FROM book_tickets").fetchone() == (1,)
