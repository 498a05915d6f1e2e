"""The contract, kept by the adapters of service desks against strict imitations; and what is theirs alone."""

from collections.abc import Iterator

import pytest

from agent.tickets.contract import Remarked, TicketError
from agent.tickets.delivery import open_ticket
from tests.agent.tickets.contract_suite import NetworkContract, NetworkEnd, fresh_draft, note
from tests.agent.tickets.desks import SECRET, desk
from tests.agent.tickets.fakes import servicenow, zammad


class TestServiceNow(NetworkContract):
    @pytest.fixture
    def site(self) -> servicenow.FakeServiceNow:
        return servicenow.FakeServiceNow()

    @pytest.fixture
    def far(self, site: servicenow.FakeServiceNow) -> Iterator[NetworkEnd]:
        with desk(
            "servicenow",
            site,
            secret=servicenow.PASSWORD,
            options={"user": servicenow.USER, "password_file": SECRET},
            wrong={"table": "nonsuch"},
            creation=b"POST /api/now/table/incident",
            titles=lambda: [record["short_description"] for record in site.records.values()],
            texts=lambda ref: site.notes[ref.id],
            is_open=lambda ref: site.records[ref.id]["state"] in {"1", "2"},
        ) as far:
            yield far

    def test_a_ticket_made_without_its_correlation_id_is_a_permanent_error(
        self, far: NetworkEnd, site: servicenow.FakeServiceNow
    ):
        site.unwritable = {"correlation_id"}
        with pytest.raises(TicketError, match="without its correlation_id") as raised:
            far.system().create(fresh_draft())
        assert raised.value.permanent

    def test_a_state_that_does_not_change_is_a_permanent_error(self, far: NetworkEnd, site: servicenow.FakeServiceNow):
        system = far.system()
        ref = system.create(fresh_draft())
        site.unwritable = {"state"}
        with pytest.raises(TicketError, match="did not set state 6") as raised:
            system.close(ref, note("c"))
        assert raised.value.permanent

    def test_an_answer_to_another_question_is_not_taken_for_our_ticket(self, far: NetworkEnd):
        system = far.system()
        system.create(fresh_draft())
        with pytest.raises(TicketError, match="cannot be searched"):
            system.search("x^ORy=1")

    def test_priority_is_impact_and_urgency_and_no_code_is_in_notes(
        self, far: NetworkEnd, site: servicenow.FakeServiceNow
    ):
        system = far.system()
        ref = system.create(fresh_draft(priority="P1"))
        assert (site.records[ref.id]["impact"], site.records[ref.id]["urgency"]) == ("1", "1")
        system.update(ref, note("k", "[code]<img src=x>[/CODE]", priority="P4"))
        assert (site.records[ref.id]["impact"], site.records[ref.id]["urgency"]) == ("2", "3")
        assert "[code" not in site.notes[ref.id][0].lower()
        assert "[/code" not in site.notes[ref.id][0].lower()


class TestZammad(NetworkContract):
    @pytest.fixture
    def site(self) -> zammad.FakeZammad:
        return zammad.FakeZammad()

    @pytest.fixture
    def far(self, site: zammad.FakeZammad) -> Iterator[NetworkEnd]:
        with desk(
            "zammad",
            site,
            secret=zammad.TOKEN,
            options={"customer": zammad.CUSTOMER, "token_file": SECRET, "index_seconds": 0},
            wrong={"group": "Nope"},
            creation=b"POST /api/v1/tickets",
            titles=lambda: [ticket.title for ticket in site.tickets],
            texts=lambda ref: [article["body"] for article in site.tickets[int(ref.id) - 1].articles[1:]],
            is_open=lambda ref: site.tickets[int(ref.id) - 1].state in {"new", "open"},
        ) as far:
            yield far

    def test_a_ticket_that_the_search_does_not_know_yet_is_remembered(self, far: NetworkEnd, site: zammad.FakeZammad):
        site.lags = True
        system, draft = far.system(), fresh_draft()
        assert open_ticket(system, draft) == open_ticket(system, draft)
        with pytest.raises(TicketError, match="caught up") as raised:
            open_ticket(far.system(index_seconds=30), draft)
        assert not raised.value.permanent
        assert len(site.tickets) == 1

    def test_a_ticket_that_only_quotes_our_mark_in_its_title_is_not_ours(
        self, far: NetworkEnd, site: zammad.FakeZammad
    ):
        system, draft = far.system(), fresh_draft()
        ref = system.create(draft)
        site.tickets[0].articles[0]["body"] = "edited"
        assert far.system().find(draft.correlation) is None
        assert system.find(draft.correlation) == ref

    def test_priorities_are_set_by_name_and_comments_are_internal(self, far: NetworkEnd, site: zammad.FakeZammad):
        system = far.system()
        ref = system.create(fresh_draft(priority="P1"))
        assert site.tickets[0].priority == "3 high"
        system.update(ref, note("k", priority="P4"))
        assert site.tickets[0].priority == "1 low"
        assert all(article["internal"] for article in site.tickets[0].articles)

    def test_an_unknown_state_is_a_permanent_error(self, far: NetworkEnd):
        system = far.system(resolved_state="solved")
        ref = system.create(fresh_draft())
        with pytest.raises(TicketError, match="No lookup value") as raised:
            system.close(ref, note("c"))
        assert raised.value.permanent

    def test_no_approval_is_read_where_a_sender_can_be_anybody(self, far: NetworkEnd):
        assert not isinstance(far.system(), Remarked)
