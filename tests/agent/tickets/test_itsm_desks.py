"""The contract, kept by the adapters of GLPI and iTop against strict imitations; and what is theirs alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.tickets.contract import TicketError
from agent.tickets.delivery import open_ticket
from agent.tickets.registry import ADAPTERS
from tests.agent.tickets.contract_suite import NetworkContract, NetworkEnd, fresh_draft, note
from tests.agent.tickets.desks import SECRET, desk
from tests.agent.tickets.fakes import glpi, itop
from tests.agent.tickets.fakes.site import Reply, Request, reply, serving

APP = Path("app")


class TestGlpi(NetworkContract):
    @pytest.fixture
    def site(self) -> glpi.FakeGlpi:
        return glpi.FakeGlpi()

    @pytest.fixture
    def far(self, site: glpi.FakeGlpi) -> Iterator[NetworkEnd]:
        with desk(
            "glpi",
            site,
            secret={SECRET: glpi.TOKEN, APP: glpi.APP_TOKEN},
            options={"token_file": SECRET, "app_token_file": APP},
            wrong={"entity": 7},
            creation=b"POST /apirest.php/Ticket ",
            titles=lambda: [ticket.fields["name"] for ticket in site.tickets],
            texts=lambda ref: site.tickets[int(ref.id) - 1].comments,
            is_open=lambda ref: site.tickets[int(ref.id) - 1].fields["status"] in {1, 2},
        ) as far:
            yield far

    def test_one_session_serves_many_requests_and_is_begun_again_when_it_has_ended(
        self, far: NetworkEnd, site: glpi.FakeGlpi
    ):
        system, draft = far.system(), fresh_draft()
        ref = system.create(draft)
        assert system.find(draft.correlation) == ref
        assert site.sessions == 1
        site.session = ""
        assert system.find(draft.correlation) == ref
        assert site.sessions == 2

    def test_a_status_that_may_not_be_changed_is_a_permanent_error(self, far: NetworkEnd, site: glpi.FakeGlpi):
        system = far.system()
        ref = system.create(fresh_draft())
        site.keeps_status = True
        with pytest.raises(TicketError, match="did not set status 5") as raised:
            system.close(ref, note("c"))
        assert raised.value.permanent

    def test_text_is_no_html_and_priorities_are_numbers(self, far: NetworkEnd, site: glpi.FakeGlpi):
        system = far.system()
        ref = system.create(fresh_draft(body="<img src=x>", priority="P1"))
        assert "<img" not in site.tickets[0].fields["content"]
        assert site.tickets[0].fields["priority"] == 5
        system.update(ref, note("k", "<img src=x>", priority="P4"))
        assert "<img" not in site.tickets[0].comments[0]
        assert site.tickets[0].fields["priority"] == 2


class TestItop(NetworkContract):
    @pytest.fixture
    def site(self) -> itop.FakeItop:
        return itop.FakeItop()

    @pytest.fixture
    def far(self, site: itop.FakeItop) -> Iterator[NetworkEnd]:
        with desk(
            "itop",
            site,
            secret={SECRET: itop.PASSWORD},
            options={"user": itop.USER, "password_file": SECRET, "organization": itop.ORGANIZATION},
            wrong={"organization": "Nope"},
            creation=b"POST /webservices/rest.php",
            titles=lambda: [ticket.fields["title"] for ticket in site.tickets],
            texts=lambda ref: site.tickets[int(ref.id) - 1].entries[::-1],
            is_open=lambda ref: site.tickets[int(ref.id) - 1].status in {"new", "assigned"},
        ) as far:
            yield far

    def test_text_is_no_html_and_priority_is_impact_and_urgency(self, far: NetworkEnd, site: itop.FakeItop):
        system = far.system()
        ref = system.create(fresh_draft(body="<img src=x>", priority="P1"))
        assert "<img" not in site.tickets[0].fields["description"]
        system.update(ref, note("k", priority="P4"))
        assert (site.tickets[0].fields["impact"], site.tickets[0].fields["urgency"]) == ("3", "4")

    def test_a_creation_that_broke_off_after_it_was_made_is_found(self, far: NetworkEnd, site: itop.FakeItop):
        system, draft = far.system(), fresh_draft()
        site.breaks_after_creating = True
        with pytest.raises(TicketError, match="502: an HTML page") as raised:
            open_ticket(system, draft)
        assert not raised.value.permanent
        site.breaks_after_creating = False
        assert open_ticket(system, draft).id == "1"
        assert len(site.tickets) == 1

    def test_a_stimulus_that_the_life_cycle_does_not_know_is_said(self, far: NetworkEnd):
        system = far.system(resolve_stimulus="ev_resolve")
        ref = system.create(fresh_draft())
        with pytest.raises(TicketError, match="Invalid stimulus: 'ev_resolve'"):
            system.close(ref, note("c"))

    @pytest.mark.parametrize(("code", "permanent"), [(1, True), (11, True), (100, False)])
    def test_its_codes_are_told_apart_and_say_nothing_secret(self, code: int, *, permanent: bool):
        def answer(_: Request) -> Reply:
            return reply(200, {"code": code, "message": "login failed\n password=canary-1"})

        with serving(answer) as port:
            spec = ADAPTERS["itop"]
            account = {"user": "me", "password_file": SECRET, "organization": "x"}
            system = spec.open(spec.options(url=f"http://127.0.0.1:{port}", **account), lambda _: "p")
            with pytest.raises(TicketError, match=f"code {code}: login failed") as raised:
                system.check()
        assert raised.value.permanent is permanent
        assert "canary" not in raised.value.reason
        assert "\n" not in raised.value.reason
