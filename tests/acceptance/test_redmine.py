"""The ticket contract, kept by the adapter against a real Redmine."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from agent.tickets.contract import Remarked, TicketError, TicketRef, TicketSystem
from agent.tickets.delivery import open_ticket
from agent.tickets.registry import ADAPTERS
from tests.acceptance.daemon import down_rule, repairs, rule_file, running_daemon, watched_services, watching
from tests.agent.tickets.contract_suite import (
    NetworkContract,
    NetworkEnd,
    fresh_draft,
    killed_meanwhile,
    left_declined,
    note,
)
from tests.services.faults import fault_proxy
from tests.services.redmine import ADMIN_KEY, ONE_WAY_TRACKER, PROJECT, running_redmine
from tests.services.service import Server


@pytest.fixture(scope="module")
def redmine() -> Iterator[Server]:
    with running_redmine() as server:
        yield server


def as_person(server: Server, method: str, path: str, document: object = None, **query: str):
    """What somebody else does there, past the proxy."""
    url, key = server.url + path, {"X-Redmine-API-Key": ADMIN_KEY}
    answer = requests.request(method, url, params=query, json=document, headers=key, timeout=60)
    answer.raise_for_status()
    return answer


def said(text: str) -> str:
    """Without the frame and the mark."""
    return text.removeprefix("<pre>").removesuffix("</pre>").rpartition("paramedic-")[0]


class TestRedmine(NetworkContract):
    @pytest.fixture
    def far(self, redmine: Server) -> Iterator[NetworkEnd]:
        with fault_proxy(redmine.port) as proxy:

            def system(*, password: str = redmine.password, **changes: object) -> TicketSystem:
                spec = ADAPTERS["redmine"]
                options = {"url": address(proxy.port), "project": PROJECT, "token_file": Path("key")} | changes
                return spec.open(spec.options(**options), lambda _: password)

            def address(port: int) -> str:
                return f"http://127.0.0.1:{port}"

            def issue(ref: TicketRef) -> dict:
                return as_person(redmine, "GET", f"/issues/{ref.id}.json", include="journals").json()["issue"]

            def titles() -> list[str]:
                found = as_person(redmine, "GET", "/issues.json", status_id="*", limit="100").json()["issues"]
                return [each["subject"] for each in found]

            yield NetworkEnd(
                system=system,
                titles=titles,
                comments=lambda ref: [said(each["notes"]) for each in issue(ref)["journals"] if each["notes"]],
                is_open=lambda ref: issue(ref)["status"]["name"] in {"New", "In Progress"},
                proxy=proxy,
                creation=b"POST /issues.json",
                misconfigured=lambda: system(project="nonsuch"),
                address=address,
            )

    def test_what_others_write_is_read_back_with_the_number_of_their_account(self, far: NetworkEnd, redmine: Server):
        system = far.system()
        ref = open_ticket(system, fresh_draft())
        system.update(ref, note("own", "approve 0123456789abcdef"))
        for text in ("approve 0123456789abcdef: by admin", "and more"):
            as_person(redmine, "PUT", f"/issues/{ref.id}.json", {"issue": {"notes": text}})
        assert isinstance(system, Remarked)

        first, second = system.remarks(ref, 0)

        assert (first.actor, first.text) == ("1", "approve 0123456789abcdef: by admin")
        assert system.remarks(ref, first.id) == [second]

    def test_priorities_and_tracker_are_set_by_name(self, far: NetworkEnd, redmine: Server):
        system, draft = far.system(tracker="Support"), fresh_draft(priority="P1")
        ref = system.create(draft)
        before = as_person(redmine, "GET", f"/issues/{ref.id}.json").json()["issue"]
        system.update(ref, note(draft.correlation, priority="P4"))
        after = as_person(redmine, "GET", f"/issues/{ref.id}.json").json()["issue"]
        assert (before["priority"]["name"], before["tracker"]["name"]) == ("Immediate", "Support")
        assert after["priority"]["name"] == "Normal"

    @pytest.mark.parametrize(
        "wrong", [{"tracker": "Nope"}, {"resolved_status": "Nope"}, {"priorities": {"P1": "Nope"}}]
    )
    def test_a_check_names_what_the_redmine_does_not_have(self, far: NetworkEnd, wrong: dict[str, object]):
        with pytest.raises(TicketError, match="does not have 'Nope'") as raised:
            far.system(**wrong).check()
        assert raised.value.permanent

    def test_text_with_markup_in_it_is_shown_as_it_is(self, far: NetworkEnd, redmine: Server):
        hostile = "</pre><img src=http://evil.example/x.png> !http://evil.example/y.png! {{include(Wiki)}} #1 <PRE><b>"
        system, draft = far.system(), fresh_draft(body=hostile)
        ref = system.create(draft)
        system.update(ref, note(draft.correlation, hostile))
        page = as_person(redmine, "GET", f"/issues/{ref.id}").text
        assert page.count("{{include(Wiki)}} #1") >= 2
        assert not re.search(r"<(img|a)[^>]*evil", page)

    def test_a_ticket_that_a_person_closed_takes_our_remarks_and_stays_closed(self, far: NetworkEnd, redmine: Server):
        system, draft = far.system(), fresh_draft()
        ref = system.create(draft)
        as_person(redmine, "PUT", f"/issues/{ref.id}.json", {"issue": {"status_id": 6}})
        system.update(ref, note(draft.correlation, "it fires still"))
        assert not far.is_open(ref)
        assert [text.strip() for text in far.comments(ref)] == ["it fires still"]

    def test_an_issue_that_somebody_rejected_hears_of_a_recurrence_and_is_not_opened_again(
        self, far: NetworkEnd, redmine: Server
    ):
        system, draft = far.system(), fresh_draft()
        system.create(draft)
        found = system.find(draft.correlation)
        assert found is not None
        as_person(redmine, "PUT", f"/issues/{found.id}.json", {"issue": {"status_id": 6}})
        left_declined(far, system, draft)

    def test_a_status_that_the_workflow_forbids_is_a_permanent_error(self, far: NetworkEnd):
        system, draft = far.system(tracker=ONE_WAY_TRACKER), fresh_draft()
        ref = system.create(draft)
        system.close(ref, note(f"{draft.correlation}:1"))
        with pytest.raises(TicketError, match="workflow does not let us") as raised:
            system.reopen(ref, note(f"{draft.correlation}:2"))
        assert raised.value.permanent

    def test_a_server_killed_during_our_work_has_one_ticket_afterwards(self, far: NetworkEnd, redmine: Server):
        killed_meanwhile(far, redmine.service)


def test_a_daemon_that_repairs_a_service_leaves_one_closed_ticket_that_says_so(redmine: Server, tmp_path: Path):
    key = tmp_path / "key.secret"
    key.write_text(redmine.password)
    key.chmod(0o600)
    desk = {"system": "redmine", "url": redmine.url, "project": PROJECT, "token_file": key}
    with watched_services("Ticketed") as services:
        tables = {"collectors": watching(services), "remediations": repairs(services), "tickets": [desk]}
        with running_daemon(tables, rule_file(down_rule(services["Ticketed"]))) as daemon:
            services["Ticketed"].kill()

            def told(incident: Any) -> bool:
                done = all(effect["state"] == "done" for effect in incident["effects"])
                return incident["state"] == "resolved" and done

            incident = daemon.await_incident("DownTicketed", told)
    (link,) = incident["ticket_links"]
    query = {"status_id": "*", "subject": "~DownTicketed"}
    (issue,) = as_person(redmine, "GET", "/issues.json", **query).json()["issues"]
    assert (str(issue["id"]), issue["status"]["name"]) == (link["ticket_id"], "Closed")
    whole = as_person(redmine, "GET", f"/issues/{issue['id']}.json", include="journals").json()["issue"]
    assert any("Fixed: an automatic action helped" in each["notes"] for each in whole["journals"])
