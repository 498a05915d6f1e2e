"""The contract, kept by every adapter against an imitation of its system, and by the book."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.store.database import migrations
from agent.tickets.book import Book
from agent.tickets.contract import TicketError
from agent.tickets.registry import ADAPTERS
from tests.agent.tickets.contract_suite import (
    FarEnd,
    NetworkContract,
    NetworkEnd,
    TicketContract,
    fresh_draft,
    left_declined,
    note,
)
from tests.agent.tickets.fakes import receiver, roundup, rt
from tests.agent.tickets.fakes.site import serving
from tests.services.faults import fault_proxy


class TestRequestTracker(NetworkContract):
    @pytest.fixture
    def site(self) -> rt.FakeRt:
        return rt.FakeRt()

    @pytest.fixture
    def far(self, site: rt.FakeRt) -> Iterator[NetworkEnd]:
        with serving(site) as target, fault_proxy(target) as proxy:

            def system(*, password=rt.PASSWORD, **changes):
                options = {"url": address(proxy.port), "user": rt.USER, "password_file": Path("password")}
                options |= {"timeout_seconds": 60} | changes
                spec = ADAPTERS["rt"]
                return spec.open(spec.options(**options), lambda _: password)

            def address(port: int) -> str:
                return f"http://127.0.0.1:{port}"

            yield NetworkEnd(
                system=system,
                titles=lambda: [ticket.subject for ticket in site.tickets.values()],
                comments=lambda ref: [text for _, text in site.tickets[int(ref.id)].comments],
                is_open=lambda ref: site.tickets[int(ref.id)].status in {"new", "open"},
                proxy=proxy,
                creation=b"POST /REST/2.0/ticket ",
                misconfigured=lambda: system(queue="Nope"),
                address=address,
            )

    def test_a_ticket_made_without_its_link_is_a_permanent_error(self, far: NetworkEnd, site: rt.FakeRt):
        site.drops_links = True
        with pytest.raises(Exception, match="grant ModifyTicket") as raised:
            far.system().create(fresh_draft())
        assert raised.value.permanent

    def test_a_status_that_the_queue_does_not_know_is_a_permanent_error(self, far: NetworkEnd):
        system = far.system(resolved_status="solved")
        draft = fresh_draft()
        ref = system.create(draft)
        with pytest.raises(Exception, match="isn't a valid status") as raised:
            system.close(ref, note(draft.correlation))
        assert raised.value.permanent

    def test_a_ticket_that_somebody_rejected_hears_of_a_recurrence_and_is_not_opened_again(
        self, far: NetworkEnd, site: rt.FakeRt
    ):
        system, draft = far.system(), fresh_draft()
        system.create(draft)
        site.tickets[1].status = "rejected"
        left_declined(far, system, draft)

    def test_priorities_are_numbers(self, far: NetworkEnd, site: rt.FakeRt):
        system, draft = far.system(), fresh_draft(priority="P1")
        ref = system.create(draft)
        assert site.tickets[int(ref.id)].priority == 90
        system.update(ref, note(draft.correlation, priority="P4"))
        assert site.tickets[int(ref.id)].priority == 30


class TestRoundup(NetworkContract):
    @pytest.fixture
    def site(self) -> roundup.FakeRoundup:
        return roundup.FakeRoundup()

    @pytest.fixture
    def far(self, site: roundup.FakeRoundup) -> Iterator[NetworkEnd]:
        with serving(site) as target, fault_proxy(target) as proxy:
            site.port = proxy.port

            def system(*, password=roundup.PASSWORD, **changes):
                options = {
                    "url": address(proxy.port),
                    "user": roundup.USER,
                    "password_file": Path("password"),
                    "timeout_seconds": 60,
                } | changes
                spec = ADAPTERS["roundup"]
                return spec.open(spec.options(**options), lambda _: password)

            def address(port: int) -> str:
                return f"http://127.0.0.1:{port}{roundup.PATH}"

            def comments(ref):
                return [
                    site.messages[int(number) - 1]["content"] for number in site.issues[int(ref.id) - 1].messages[1:]
                ]

            yield NetworkEnd(
                system=system,
                titles=lambda: [issue.title for issue in site.issues],
                comments=comments,
                is_open=lambda ref: site.issues[int(ref.id) - 1].status not in ("resolved", "deferred"),
                proxy=proxy,
                creation=b"POST /tracker/rest/data/issue",
                misconfigured=lambda: system(new_status="nonsuch"),
                address=address,
            )

    def test_an_issue_with_the_status_that_says_so_is_left_alone(self, far: NetworkEnd, site: roundup.FakeRoundup):
        system, draft = far.system(declined_status="deferred"), fresh_draft()
        system.check()
        system.create(draft)
        site.issues[-1].status = "deferred"
        left_declined(far, system, draft)
        with pytest.raises(TicketError, match="no status nonsuch"):
            far.system(declined_status="nonsuch").check()

    def test_a_creation_that_broke_off_after_its_message_uses_that_message(
        self, far: NetworkEnd, site: roundup.FakeRoundup
    ):
        system, draft = far.system(), fresh_draft()
        far.proxy.cut_requests = b"POST /tracker/rest/data/msg"
        with pytest.raises(Exception, match="not reached"):
            system.create(draft)
        far.proxy.heal()
        system.create(draft)
        assert [message["messageid"] for message in site.messages] == [draft.correlation]

    def test_edits_of_others_in_between_are_kept_and_tried_again(self, far: NetworkEnd, site: roundup.FakeRoundup):
        system, draft = far.system(), fresh_draft()
        ref = system.create(draft)
        site.others_edit = 3
        system.close(ref, note(f"{draft.correlation}:1", "done"))
        assert not far.is_open(ref)
        assert far.comments(ref) == ["done"]

    def test_endless_edits_of_others_are_a_passing_error(self, far: NetworkEnd, site: roundup.FakeRoundup):
        system, draft = far.system(), fresh_draft()
        ref = system.create(draft)
        site.others_edit = 99
        with pytest.raises(Exception, match="changed by others") as raised:
            system.close(ref, note(f"{draft.correlation}:1"))
        assert not raised.value.permanent


class TestWebhook(NetworkContract):
    @pytest.fixture
    def site(self) -> receiver.FakeReceiver:
        return receiver.FakeReceiver()

    @pytest.fixture
    def far(self, site: receiver.FakeReceiver) -> Iterator[NetworkEnd]:
        with serving(site) as target, fault_proxy(target) as proxy:

            def system(*, password=receiver.TOKEN, **changes):
                options = {"url": address(proxy.port), "find_url": address(proxy.port), "timeout_seconds": 60} | changes
                options |= {"secret_file": Path("key"), "token_file": Path("token")}
                secrets = {Path("key"): receiver.KEY, Path("token"): password}
                spec = ADAPTERS["webhook"]
                return spec.open(spec.options(**options), secrets.__getitem__)

            def address(port: int) -> str:
                return f"http://127.0.0.1:{port}/tickets"

            yield NetworkEnd(
                system=system,
                titles=lambda: [ticket["title"] for ticket in site.tickets.values()],
                comments=lambda ref: site.tickets[ref.id]["comments"],
                is_open=lambda ref: site.tickets[ref.id]["state"] == "open",
                proxy=proxy,
                creation=b"POST /tickets",
                misconfigured=lambda: system(url=address(proxy.port) + "/nonsuch"),
                address=address,
            )


class TestBook(TicketContract):
    @pytest.fixture
    def connection(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.executescript("".join(migrations()))
        connection.execute("BEGIN")
        yield connection
        connection.close()

    @pytest.fixture
    def far(self, connection: sqlite3.Connection) -> FarEnd:
        def column(query: str, *arguments: str) -> list[str]:
            return [row[0] for row in connection.execute(query, arguments)]

        return FarEnd(
            system=lambda: Book(connection, lambda: 1000.0),
            titles=lambda: column("SELECT title FROM book_tickets"),
            comments=lambda ref: column("SELECT comment FROM book_comments WHERE ticket = ? ORDER BY id", ref.id),
            is_open=lambda ref: column("SELECT state FROM book_tickets WHERE id = ?", ref.id) == ["open"],
        )

    def test_it_leaves_the_transaction_to_its_caller(self, far: FarEnd, connection: sqlite3.Connection):
        system, draft = far.system(), fresh_draft()
        system.close(system.create(draft), note(draft.correlation))
        assert connection.in_transaction
        connection.execute("ROLLBACK")
        assert far.titles() == []

    def test_times_and_priorities_are_kept(self, connection: sqlite3.Connection):
        early, late = Book(connection, lambda: 5.0), Book(connection, lambda: 9.0)
        draft = fresh_draft()
        early.update(early.create(draft), note("a", priority="P1"))
        late.update(early.create(draft), note("b"))
        row = connection.execute("SELECT priority, opened_at, changed_at FROM book_tickets").fetchone()
        assert row == ("P1", 5.0, 9.0)
