"""Redmine (4 and later) over its REST interface.

A ticket is found again by the last line of its description, a comment by its own last line: both are marks, which
people should leave where they are. Redmine searches its own database, so that what is written is found at once. It
answers as if all were well to an unknown key (on public projects) and to a change of status that the workflow does not
allow; so `check` asks who we are, and a status is read back.

The REST interface must be enabled (Administration, Settings, API). The account's role needs on the project: view
issues, add issues, edit issues, add notes; and the workflow must let it close and re-open. People who may approve are
listed by number, `redmine:5`: the one in the address of their page, because names there are their own to change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from agent.tickets.contract import Draft, Remark, TicketError, TicketRef, TicketState, TicketSystem, Update
from agent.tickets.credentials import header
from agent.tickets.marks import mark, marked
from agent.tickets.markup import fenced, preformatted
from agent.tickets.rest import RestClient, checked_url, understood
from agent.tickets.spec import AdapterSpec, Secrets

FORMS = {"textile": preformatted, "markdown": fenced}


@dataclass(frozen=True, slots=True, kw_only=True)
class RedmineOptions:
    """How to reach a project of a Redmine."""

    url: str = field(metadata={"check": checked_url})
    """Of the web interface, e.g. https://redmine.example.org"""
    project: str
    """Its identifier, as in its address."""
    token_file: Path
    """Holds the account's API access key."""
    tracker: str = ""
    """By name; none: the project's first."""
    ca_file: Path | None = None
    timeout_seconds: float = 10
    priorities: Mapping[str, str] = field(
        default_factory=lambda: {"P1": "Immediate", "P2": "Urgent", "P3": "High", "P4": "Normal"}
    )
    resolved_status: str = "Closed"
    reopened_status: str = "In Progress"
    declined_status: str = "Rejected"
    """Somebody's "won't fix": the incident of an issue with it is over."""
    formatting: Literal["textile", "markdown"] = "textile"
    """What Redmine's text formatting is set to."""

    def __post_init__(self) -> None:
        if self.declined_status == self.resolved_status:
            raise ValueError("declined_status must differ from resolved_status: what we resolve nobody has declined")


class Redmine:
    """One project."""

    def __init__(self, options: RedmineOptions, client: RestClient) -> None:
        self._options = options
        self._client = client

    def find(self, correlation: str) -> TicketRef | None:
        wanted = mark(correlation)
        query = {"status_id": "*", "description": f"~{wanted}", "sort": "id", "limit": "5"}
        with understood("Redmine"):
            found = self._client.json("GET", "/issues.json", query=query)["issues"]
            issue = next((each for each in found if wanted in each["description"]), None)
            return self._ref(issue["id"], self._state(issue)) if issue else None

    def create(self, draft: Draft) -> TicketRef:
        issue: dict[str, object] = {
            "project_id": self._options.project,
            "subject": draft.title,
            "description": self._text(draft.body, draft.correlation),
            **self._priority(draft.priority),
        }
        if self._options.tracker:
            issue["tracker_id"] = self._named("/trackers.json", self._options.tracker)
        with understood("Redmine"):
            made = self._client.json("POST", "/issues.json", document={"issue": issue})["issue"]
            return self._ref(made["id"], TicketState.OPEN)

    def update(self, ref: TicketRef, update: Update) -> None:
        self._change(ref, update, closed=None)

    def close(self, ref: TicketRef, update: Update) -> None:
        self._change(ref, update, closed=True)

    def reopen(self, ref: TicketRef, update: Update) -> None:
        self._change(ref, update, closed=False)

    def remarks(self, ref: TicketRef, after: int) -> Sequence[Remark]:
        """Return the notes of others on an issue; the actor is the number of their account."""
        with understood("Redmine"):
            own = self._own()
            return [
                Remark(id=int(each["id"]), actor=str(int(each["user"]["id"])), text=str(each["notes"]))
                for each in self._issue(ref)["journals"]
                if each.get("notes") and int(each["id"]) > after and int(each["user"]["id"]) != own
            ]

    def check(self) -> None:
        with understood("Redmine"):
            self._own()
            self._client.json("GET", f"/projects/{quote(self._options.project, safe='')}.json")["project"]["id"]
        for status in (self._options.resolved_status, self._options.reopened_status):
            self._named("/issue_statuses.json", status)
        for priority in self._options.priorities.values():
            self._named("/enumerations/issue_priorities.json", priority)
        if self._options.tracker:
            self._named("/trackers.json", self._options.tracker)

    def _own(self) -> int:
        return int(self._client.json("GET", "/users/current.json")["user"]["id"])

    def _change(self, ref: TicketRef, update: Update, *, closed: bool | None) -> None:
        """Say and do what is not there yet, in one request: Redmine keeps a note and its changes together."""
        with understood("Redmine"):
            issue = self._issue(ref)
            told = any(mark(update.key) in (each.get("notes") or "") for each in issue["journals"])
            status = self._status(closed=closed) if closed not in (None, self._closed(issue)) else None
            changes: dict[str, object] = {} if told else {"notes": self._text(update.comment, update.key)}
            if not told or status is not None:
                changes |= self._priority(update.priority)
        if status is not None:
            changes["status_id"] = status
        if changes:
            self._client.json("PUT", f"/issues/{int(ref.id)}.json", document={"issue": changes})
        if status is not None:
            with understood("Redmine"):
                if self._issue(ref)["status"]["id"] != status:
                    raise TicketError(
                        f"the workflow does not let us change the status of issue {ref.id}", permanent=True
                    )

    def _issue(self, ref: TicketRef) -> dict[str, Any]:
        path = f"/issues/{int(ref.id)}.json"
        return dict(self._client.json("GET", path, query={"include": "journals"})["issue"])

    def _status(self, *, closed: bool | None) -> int:
        options = self._options
        return self._named("/issue_statuses.json", options.resolved_status if closed else options.reopened_status)

    def _closed(self, issue: Mapping[str, Any]) -> bool:
        statuses = self._client.json("GET", "/issue_statuses.json")["issue_statuses"]
        return any(each["id"] == issue["status"]["id"] and each.get("is_closed") for each in statuses)

    def _priority(self, priority: str) -> dict[str, object]:
        name = self._options.priorities.get(priority)
        return {"priority_id": self._named("/enumerations/issue_priorities.json", name)} if name else {}

    def _named(self, path: str, name: str) -> int:
        """Return the number of what has this name in one of Redmine's lists, of which each answer has one."""
        with understood("Redmine"):
            (known,) = self._client.json("GET", path).values()
            number = next((int(each["id"]) for each in known if each["name"] == name), None)
        if number is None:
            raise TicketError(f"{path} does not have {name!r}", permanent=True)
        return number

    def _text(self, text: str, key: str) -> str:
        return FORMS[self._options.formatting](marked(text, key))

    def _state(self, issue: Mapping[str, Any]) -> TicketState:
        if issue["status"]["name"] == self._options.declined_status:
            return TicketState.DECLINED
        return TicketState.CLOSED if self._closed(issue) else TicketState.OPEN

    def _ref(self, number: object, state: TicketState) -> TicketRef:
        ident = str(int(str(number)))
        return TicketRef(id=ident, url=f"{checked_url(self._options.url)}/issues/{ident}", state=state)


def _open(options: RedmineOptions, secrets: Secrets) -> TicketSystem:
    client = RestClient(
        url=checked_url(options.url),
        timeout_seconds=options.timeout_seconds,
        ca_file=options.ca_file,
        login=header("X-Redmine-API-Key", options.token_file, secrets),
    )
    return Redmine(options, client)


SPEC = AdapterSpec(name="redmine", options=RedmineOptions, open=_open, remarks=True)
