"""The contract, kept by the adapters of code hosts and Jira against strict imitations; and what is theirs alone."""

from collections.abc import Iterator

import pytest

from agent.tickets.contract import Remark, Remarked, TicketError
from agent.tickets.delivery import open_ticket
from tests.agent.tickets.contract_suite import NetworkContract, NetworkEnd, fresh_draft, left_declined, note
from tests.agent.tickets.desks import SECRET, desk
from tests.agent.tickets.fakes import github, gitlab, jira

MENTION = "@everyone\n/close\n``` ![x](http://evil.example) {noformat} #1"


class TestGitHub(NetworkContract):
    @pytest.fixture
    def site(self) -> github.FakeGitHub:
        return github.FakeGitHub()

    @pytest.fixture
    def far(self, site: github.FakeGitHub) -> Iterator[NetworkEnd]:
        with desk(
            "github",
            site,
            secret=github.TOKEN,
            options={"project": github.PROJECT, "token_file": SECRET},
            wrong={"project": "acme/nonsuch"},
            creation=b"POST /repos/acme/operations/issues ",
            titles=lambda: [issue.title for issue in site.issues],
            texts=lambda ref: [comment["body"] for comment in site.issues[int(ref.id) - 1].comments],
            is_open=lambda ref: site.issues[int(ref.id) - 1].state == "open",
        ) as far:
            yield far

    def test_an_issue_that_the_search_does_not_know_yet_is_found_by_another_process(
        self, far: NetworkEnd, site: github.FakeGitHub
    ):
        site.lags = True
        draft = fresh_draft()
        ref = open_ticket(far.system(), draft)
        assert open_ticket(far.system(), draft) == ref

    def test_an_issue_that_is_not_among_the_newest_is_found_by_the_search(
        self, far: NetworkEnd, site: github.FakeGitHub
    ):
        system, draft = far.system(), fresh_draft()
        ref = open_ticket(system, draft)
        site.issues += [github.Issue(title="x", body="x", labels=["paramedic"]) for _ in range(50)]
        assert system.find(draft.correlation) == ref

    def test_the_search_is_not_asked_while_the_newest_issues_are_all(self, far: NetworkEnd, site: github.FakeGitHub):
        system = far.system()
        site.searches_left = 0
        assert system.find(fresh_draft().correlation) is None
        site.issues += [github.Issue(title="x", body="x", labels=["paramedic"]) for _ in range(50)]
        with pytest.raises(TicketError, match="rate limit") as raised:
            system.find(fresh_draft().correlation)
        assert not raised.value.permanent

    def test_what_is_not_planned_is_left_alone(self, far: NetworkEnd, site: github.FakeGitHub):
        system, draft = far.system(), fresh_draft()
        ref = system.create(draft)
        site.issues[int(ref.id) - 1].state, site.issues[int(ref.id) - 1].reason = "closed", "not_planned"
        left_declined(far, system, draft)
        for other in (far.system(declined_reason="duplicate"), far.system(declined_reason="")):
            assert other.find(draft.correlation).state == "closed"

    def test_a_label_that_is_dropped_is_a_permanent_error(self, far: NetworkEnd, site: github.FakeGitHub):
        site.drops_labels = True
        with pytest.raises(TicketError, match="write access") as raised:
            far.system().create(fresh_draft())
        assert raised.value.permanent

    def test_text_is_one_block_of_code(self, far: NetworkEnd, site: github.FakeGitHub):
        far.system().create(fresh_draft(body=MENTION))
        assert site.issues[-1].body.startswith("````text\n@everyone")
        assert site.issues[-1].body.endswith("\n````")

    def test_a_comment_on_the_second_page_is_not_written_again(self, far: NetworkEnd, site: github.FakeGitHub):
        system, draft = far.system(), fresh_draft()
        ref = system.create(draft)
        for number in range(45):
            site.say(ref.id, "ann", f"remark {number}")
        for _ in range(2):
            system.update(ref, note("once", "once"))
        assert len(site.issues[-1].comments) == 46

    def test_remarks_of_others_are_read_back(self, far: NetworkEnd, site: github.FakeGitHub):
        system = far.system()
        ref = system.create(fresh_draft())
        system.update(ref, note("own"))
        site.say(ref.id, "ann", "approve 0123456789abcdef")
        assert isinstance(system, Remarked)
        assert system.remarks(ref, 0) == [Remark(id=102, actor="ann", text="approve 0123456789abcdef")]
        assert system.remarks(ref, 102) == []


class TestGitLab(NetworkContract):
    @pytest.fixture
    def site(self) -> gitlab.FakeGitLab:
        return gitlab.FakeGitLab()

    @pytest.fixture
    def far(self, site: gitlab.FakeGitLab) -> Iterator[NetworkEnd]:
        with desk(
            "gitlab",
            site,
            secret=gitlab.TOKEN,
            options={"project": "acme/operations", "token_file": SECRET},
            wrong={"project": "acme/nonsuch"},
            creation=b"POST /api/v4/projects/acme%2Foperations/issues ",
            titles=lambda: [issue.title for issue in site.issues],
            texts=lambda ref: [each["body"] for each in site.issues[int(ref.id) - 1].notes if not each["system"]][::-1],
            is_open=lambda ref: site.issues[int(ref.id) - 1].state == "opened",
        ) as far:
            yield far

    def test_text_is_one_block_of_code(self, far: NetworkEnd, site: gitlab.FakeGitLab):
        system = far.system()
        system.update(system.create(fresh_draft()), note("k", MENTION))
        body = site.issues[-1].notes[0]["body"]
        assert body.startswith("````text\n@everyone\n/close")
        assert body.endswith("\n````")

    def test_what_was_closed_with_the_label_that_says_so_is_left_alone(self, far: NetworkEnd, site: gitlab.FakeGitLab):
        system, draft = far.system(declined_label="wontfix"), fresh_draft()
        issue = site.issues[int(system.create(draft).id) - 1]
        issue.labels.append("wontfix")
        assert system.find(draft.correlation).state == "open", "it is not closed yet"
        issue.state = "closed"
        left_declined(far, system, draft)
        assert far.system().find(draft.correlation).state == "closed"

    def test_remarks_of_others_are_read_back_and_no_system_notes(self, far: NetworkEnd, site: gitlab.FakeGitLab):
        system = far.system()
        ref = system.create(fresh_draft())
        system.close(ref, note("own"))
        site.say(ref.id, (9, "ann"), "approve 0123456789abcdef")
        site.say(ref.id, (9, "ann"), "changed the title", system=True)
        assert isinstance(system, Remarked)
        assert system.remarks(ref, 0) == [Remark(id=103, actor="ann", text="approve 0123456789abcdef")]
        assert system.remarks(ref, 103) == []


class TestJira(NetworkContract):
    @pytest.fixture
    def site(self) -> jira.FakeJira:
        return jira.FakeJira()

    @pytest.fixture
    def far(self, site: jira.FakeJira) -> Iterator[NetworkEnd]:
        with desk(
            "jira",
            site,
            secret=jira.TOKEN,
            options={"project": jira.PROJECT, "user": jira.USER, "token_file": SECRET, "index_seconds": 0},
            wrong={"project": "NOPE"},
            creation=b"POST /rest/api/2/issue ",
            titles=lambda: [issue.fields["summary"] for issue in site.issues],
            texts=lambda ref: [comment["body"] for comment in site.issues[int(ref.id) - jira.FIRST - 1].comments],
            is_open=lambda ref: site.issues[int(ref.id) - jira.FIRST - 1].status != "Done",
        ) as far:
            yield far

    def test_an_issue_that_the_search_does_not_know_yet_is_remembered(self, far: NetworkEnd, site: jira.FakeJira):
        site.lags = True
        system, draft = far.system(), fresh_draft()
        ref = open_ticket(system, draft)
        system.close(ref, note("c"))
        found = system.find(draft.correlation)
        assert found is not None
        assert (found.id, found.state) == (ref.id, "closed")
        assert len(site.issues) == 1

    def test_after_a_restart_no_ticket_is_made_before_the_search_can_know_an_older_one(
        self, far: NetworkEnd, site: jira.FakeJira
    ):
        site.lags = True
        draft = fresh_draft()
        open_ticket(far.system(), draft)
        with pytest.raises(TicketError, match="caught up") as raised:
            open_ticket(far.system(index_seconds=30), draft)
        assert not raised.value.permanent
        assert 0 < raised.value.retry_after <= 30
        site.issues[0].indexed = True
        assert open_ticket(far.system(index_seconds=30), draft).id == str(jira.FIRST + 1)

    def test_a_status_without_a_way_to_it_is_a_permanent_error_that_names_the_others(self, far: NetworkEnd):
        system = far.system(resolved_status="Solved")
        ref = system.create(fresh_draft())
        with pytest.raises(TicketError, match="there are: Done, In Progress") as raised:
            system.close(ref, note("c"))
        assert raised.value.permanent

    @pytest.mark.parametrize("resolution", ["Won't Do", "Won't Fix"])
    def test_what_was_resolved_as_wont_do_is_left_alone(self, far: NetworkEnd, site: jira.FakeJira, resolution: str):
        system, draft = far.system(), fresh_draft()
        ref = system.create(draft)
        site.issues[-1].status, site.issues[-1].resolution = "Done", resolution
        left_declined(far, system, draft)
        site.issues[-1].resolution = None  # as in projects without that field
        assert system.find(draft.correlation).state == "closed"
        system.reopen(ref, note("back"))
        assert far.is_open(ref)

    @pytest.mark.parametrize(("priorities", "field"), [({"P2": "High"}, {"name": "High"}), ({}, None)])
    def test_priorities_are_set_by_name_or_not_at_all(
        self, far: NetworkEnd, site: jira.FakeJira, priorities: dict[str, str], field: dict[str, str] | None
    ):
        far.system(priorities=priorities).create(fresh_draft(priority="P2"))
        assert site.issues[-1].fields.get("priority") == field

    def test_a_changed_priority_is_set(self, far: NetworkEnd, site: jira.FakeJira):
        system = far.system()
        system.update(system.create(fresh_draft(priority="P3")), note("k", priority="P1"))
        assert site.issues[-1].fields["priority"] == {"name": "Highest"}

    def test_text_is_not_formatted(self, far: NetworkEnd, site: jira.FakeJira):
        far.system().create(fresh_draft(body=MENTION))
        text = site.issues[-1].fields["description"]
        assert text.count("{noformat}") == 2
        assert text.startswith("{noformat}\n@everyone")

    def test_remarks_of_others_are_read_back(self, far: NetworkEnd, site: jira.FakeJira):
        system = far.system()
        ref = system.create(fresh_draft())
        system.update(ref, note("own"))
        site.say(ref.id, "557058:beef", "approve 0123456789abcdef")
        assert isinstance(system, Remarked)
        assert system.remarks(ref, 0) == [Remark(id=102, actor="557058_beef", text="approve 0123456789abcdef")]
        assert system.remarks(ref, 102) == []
