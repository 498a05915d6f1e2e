"""The ticket contract, kept by the adapters against a real Request Tracker and a real roundup."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from agent.tickets.contract import Remarked, TicketRef, TicketSystem
from agent.tickets.delivery import open_ticket
from agent.tickets.registry import ADAPTERS
from tests.agent.tickets.contract_suite import (
    NetworkContract,
    NetworkEnd,
    fresh_draft,
    killed_meanwhile,
    left_declined,
    note,
)
from tests.services import roundup as roundup_service
from tests.services import rt as rt_service
from tests.services.faults import FaultProxy, fault_proxy
from tests.services.roundup import running_roundup
from tests.services.service import Server


class Site:
    """A server seen past the proxy, as a person's browser would."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def get(self, path: str, **query: str):
        account = (self.server.user, self.server.password)
        answer = requests.get(self.server.url + path, params=query, auth=account, timeout=60)
        answer.raise_for_status()
        return answer

    def open(self, system: str, password: str | None, **options: object) -> TicketSystem:
        options = {"user": self.server.user, "password_file": Path("password")} | options
        spec = ADAPTERS[system]
        return spec.open(spec.options(**options), lambda _: password or self.server.password)


class TestRequestTracker(NetworkContract):
    @pytest.fixture
    def far(self, rt: Server) -> Iterator[NetworkEnd]:
        site = Site(rt)
        with fault_proxy(rt.port) as proxy:

            def system(*, password: str | None = None, **options: object) -> TicketSystem:
                return site.open("rt", password, **({"url": address(proxy.port)} | options))

            def address(port: int) -> str:
                return f"http://127.0.0.1:{port}"

            def titles() -> list[str]:
                query = {"query": "Queue = 'General'", "fields": "Subject", "per_page": "100"}
                return [item["Subject"] for item in site.get("/REST/2.0/tickets", **query).json()["items"]]

            def comments(ref: TicketRef) -> list[str]:
                items = site.get(f"/REST/2.0/ticket/{ref.id}/history", fields="Type").json()["items"]
                return [content(item["id"]) for item in items if item["Type"] == "Comment"]

            def content(transaction: str) -> str:
                items = site.get(f"/REST/2.0/transaction/{transaction}/attachments").json()["items"]
                attachment = site.get(f"/REST/2.0/attachment/{items[0]['id']}").json()
                return base64.b64decode(attachment["Content"]).decode()

            def is_open(ref: TicketRef) -> bool:
                return site.get(f"/REST/2.0/ticket/{ref.id}").json()["Status"] in {"new", "open"}

            yield NetworkEnd(
                system=system,
                titles=titles,
                comments=comments,
                is_open=is_open,
                proxy=proxy,
                creation=b"POST /REST/2.0/ticket ",
                misconfigured=lambda: system(queue="Nope"),
                address=address,
            )

    def test_a_ticket_that_somebody_rejected_hears_of_a_recurrence_and_is_not_opened_again(
        self, far: NetworkEnd, rt: Server
    ):
        system, draft = far.system(), fresh_draft()
        made = system.create(draft)
        account = ("root", rt_service.ROOT_PASSWORD)
        url = f"{rt.url}/REST/2.0/ticket/{made.id}"
        requests.put(url, json={"Status": "rejected"}, auth=account, timeout=60).raise_for_status()
        left_declined(far, system, draft)

    def test_a_server_killed_during_our_work_has_one_ticket_afterwards(self, far: NetworkEnd, rt: Server):
        killed_meanwhile(far, rt.service)

    def test_what_others_write_is_read_back_with_the_name_of_their_account(
        self, far: NetworkEnd, rt: Server, monkeypatch: pytest.MonkeyPatch
    ):
        system = far.system()
        ref = open_ticket(system, fresh_draft())
        system.update(ref, note("own", "approve 0123456789abcdef"))
        person = requests.Session()
        person.auth = ("root", rt_service.ROOT_PASSWORD)
        for kind in ("comment", "correspond"):
            url = f"{rt.url}/REST/2.0/ticket/{ref.id}/{kind}"
            said = {"Content": f"approve 0123456789abcdef: by {kind}", "ContentType": "text/plain"}
            person.post(url, json=said, timeout=60).raise_for_status()
        assert isinstance(system, Remarked)

        first, second = system.remarks(ref, 0)

        assert [first.actor, second.actor] == ["root", "root"], "never our own account"
        monkeypatch.setattr("agent.tickets.rt.PAGE", 1)
        assert system.remarks(ref, 0) == [first, second], "however long the ticket's history is"
        assert first.text == "approve 0123456789abcdef: by comment"
        assert system.remarks(ref, first.id) == [second]


@pytest.fixture(scope="class")
def in_front() -> Iterator[FaultProxy]:
    with fault_proxy() as proxy:
        yield proxy


@pytest.fixture(scope="class")
def tracker(in_front: FaultProxy) -> Iterator[Server]:
    with running_roundup(public_port=in_front.port) as server:
        in_front.target_port = server.port
        yield server


class TestRoundup(NetworkContract):
    @pytest.fixture
    def far(self, tracker: Server, in_front: FaultProxy) -> Iterator[NetworkEnd]:
        site = Site(tracker)

        def system(*, password: str | None = None, **options: object) -> TicketSystem:
            return site.open("roundup", password, **({"url": address(in_front.port)} | options))

        def address(port: int) -> str:
            return f"http://127.0.0.1:{port}/tracker"

        def titles() -> list[str]:
            collection = site.get("/rest/data/issue", **{"@fields": "title"}).json()["data"]["collection"]
            return [issue["title"] for issue in collection]

        def comments(ref: TicketRef) -> list[str]:
            issue = site.get(f"/rest/data/issue/{ref.id}").json()["data"]
            return [site.get(f"/msg{linked['id']}/").text for linked in issue["attributes"]["messages"]][1:]

        def is_open(ref: TicketRef) -> bool:
            issue = site.get(f"/rest/data/issue/{ref.id}", **{"@fields": "status.name"}).json()["data"]
            return issue["attributes"]["status.name"] != "resolved"

        yield NetworkEnd(
            system=system,
            titles=titles,
            comments=comments,
            is_open=is_open,
            proxy=in_front,
            creation=b"POST /tracker/rest/data/issue",
            misconfigured=lambda: system(new_status="nonsuch"),
            address=address,
        )
        in_front.heal()

    def test_what_others_write_is_read_back_with_the_name_of_their_account(
        self, far: NetworkEnd, tracker: Server, in_front: FaultProxy
    ):
        system = far.system()
        ref = open_ticket(system, fresh_draft())
        system.update(ref, note("own", "approve 0123456789abcdef"))
        url = f"http://127.0.0.1:{in_front.port}/tracker"
        person = Site(tracker).open("roundup", roundup_service.ADMIN_PASSWORD, user="admin", url=url)
        person.update(ref, note("theirs", "approve 0123456789abcdef: by admin"))
        assert isinstance(system, Remarked)

        (remark,) = system.remarks(ref, 0)

        assert (remark.actor, remark.text) == ("admin", "approve 0123456789abcdef: by admin")
        assert system.remarks(ref, remark.id) == []
