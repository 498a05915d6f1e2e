"""Jira, in the cloud or on a server of one's own, over its REST interface (version 2).

A ticket is found again by a label of its own, a comment by its last line. The cloud's search learns of an issue after a
while (`index`): until then we go by what we remember, and believe that there is no ticket only when it had that time.
Texts are shown as they are (noformat). A state is reached by the transition that leads to the status with the given
name; without one it is an error that names those that there are.

In the cloud, give `user` (e-mail address) and an API token; on a server a personal access token alone. The account
needs: browse projects, create, edit and transition issues, add comments. People who may approve are listed by account
id in the cloud (its colons written as underscores), by user name on a server.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agent.tickets.contract import Draft, Remark, TicketError, TicketRef, TicketState, TicketSystem, Update
from agent.tickets.credentials import basic, bearer
from agent.tickets.desk import Desk
from agent.tickets.lag import Lag
from agent.tickets.marks import mark, marked
from agent.tickets.markup import noformat
from agent.tickets.rest import RestClient, checked_url, understood
from agent.tickets.spec import AdapterSpec, Secrets

STATE = {"fields": "status,resolution"}
PAGE = 50
MAX_PAGES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class JiraOptions:
    """How to reach a project."""

    url: str = field(metadata={"check": checked_url})
    """Of the web interface, e.g. https://example.atlassian.net"""
    project: str
    """Its key."""
    token_file: Path
    user: str = ""
    """E-mail address of the account, in the cloud; empty on a server."""
    issue_type: str = "Task"
    resolved_status: str = "Done"
    reopened_status: str = "To Do"
    priorities: Mapping[str, str] = field(
        default_factory=lambda: {"P1": "Highest", "P2": "High", "P3": "Medium", "P4": "Low"}
    )
    """None: the field is not set."""
    declined_resolutions: tuple[str, ...] = ("Won't Do", "Won't Fix")
    """Somebody's "won't fix": an issue that was closed with one of them."""
    index_seconds: float = 30
    """How long its search may lag behind."""
    ca_file: Path | None = None
    timeout_seconds: float = 10


class Jira(Desk):
    """One project."""

    system = "Jira"

    def __init__(self, options: JiraOptions, client: RestClient, lag: Lag) -> None:
        self._options = options
        self._client = client
        self._lag = lag

    def search(self, wanted: str) -> TicketRef | None:
        if known := self._lag.made(wanted):
            return self._ref(self._client.json("GET", _issue(known), query=STATE))
        query = {"jql": f'labels = "{wanted}" ORDER BY created ASC', "fields": "status,resolution,labels"}
        query["maxResults"] = "1"
        found = self._client.json("GET", "/search/jql" if self._options.user else "/search", query=query)["issues"]
        if found and wanted in found[0]["fields"]["labels"]:
            return self._ref(found[0])
        self._lag.missing(wanted)
        return None

    def add(self, draft: Draft) -> TicketRef:
        fields = {
            "project": {"key": self._options.project},
            "issuetype": {"name": self._options.issue_type},
            "summary": draft.title,
            "description": noformat(draft.body),
            "labels": ["paramedic", mark(draft.correlation)],
            **self._priority(draft.priority),
        }
        with self._lag.making(mark(draft.correlation)) as remember:
            made = self._client.json("POST", "/issue", document={"fields": fields})
            remember(str(int(made["id"])))
        return self._ref(made)

    def told(self, ticket: str, wanted: str) -> bool:
        return any(wanted in each["body"] for each in self._comments(ticket))

    def tell(self, ticket: str, update: Update) -> None:
        body = {"body": noformat(marked(update.comment, update.key))}
        self._client.json("POST", f"{_issue(ticket)}/comment", document=body)

    def state(self, ticket: str) -> TicketState:
        return self._ref(self._client.json("GET", _issue(ticket), query=STATE)).state

    def turn(self, ticket: str, state: TicketState, update: Update) -> None:
        del update
        options = self._options
        status = options.resolved_status if state is TicketState.CLOSED else options.reopened_status
        ways = self._client.json("GET", f"{_issue(ticket)}/transitions")["transitions"]
        way = next((str(each["id"]) for each in ways if each["to"]["name"] == status), None)
        if way is None:
            names = ", ".join(sorted({str(each["to"]["name"]) for each in ways})) or "none"
            raise TicketError(f"no transition leads to status {status!r}; there are: {names}"[:300], permanent=True)
        self._client.json("POST", f"{_issue(ticket)}/transitions", document={"transition": {"id": way}})

    def rank(self, ticket: str, priority: str) -> None:
        if fields := self._priority(priority):
            self._client.json("PUT", _issue(ticket), document={"fields": fields})

    def remarks(self, ref: TicketRef, after: int) -> Sequence[Remark]:
        """Return the comments of others on an issue."""
        with understood(self.system):
            own = _account(self._client.json("GET", "/myself"))
            return [
                Remark(id=int(each["id"]), actor=_account(each["author"]), text=str(each["body"]))
                for each in self._comments(ref.id)
                if int(each["id"]) > after and _account(each["author"]) != own
            ]

    def probe(self) -> None:
        _account(self._client.json("GET", "/myself"))
        project = self._client.json("GET", f"/project/{quote(self._options.project, safe='')}")
        if self._options.issue_type not in [each["name"] for each in project["issueTypes"]]:
            raise TicketError(f"the project has no issue type {self._options.issue_type!r}", permanent=True)

    def _comments(self, ticket: str) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for page in range(MAX_PAGES):
            query = {"startAt": str(page * PAGE), "maxResults": str(PAGE)}
            comments = self._client.json("GET", f"{_issue(ticket)}/comment", query=query)["comments"]
            found += comments
            if len(comments) < PAGE:
                break
        return found

    def _priority(self, priority: str) -> dict[str, object]:
        name = self._options.priorities.get(priority)
        return {"priority": {"name": name}} if name else {}

    def _ref(self, issue: Mapping[str, Any]) -> TicketRef:
        url = f"{checked_url(self._options.url)}/browse/{quote(str(issue['key']))}"
        state = self._state(issue["fields"]) if "fields" in issue else TicketState.OPEN
        return TicketRef(id=str(int(issue["id"])), url=url, state=state)

    def _state(self, fields: Mapping[str, Any]) -> TicketState:
        if fields["status"]["statusCategory"]["key"] != "done":
            return TicketState.OPEN
        resolution = fields.get("resolution") or {}  # some projects have none
        declined = resolution.get("name") in self._options.declined_resolutions
        return TicketState.DECLINED if declined else TicketState.CLOSED


def _issue(ticket: str) -> str:
    return f"/issue/{int(ticket)}"


def _account(user: Mapping[str, Any]) -> str:
    """Return what does not change when people rename themselves: an account id, or a server's user name."""
    return str(user["accountId"] if "accountId" in user else user["name"]).replace(":", "_")


def _open(options: JiraOptions, secrets: Secrets) -> TicketSystem:
    file = options.token_file
    client = RestClient(
        url=f"{checked_url(options.url)}/rest/api/2",
        timeout_seconds=options.timeout_seconds,
        ca_file=options.ca_file,
        login=basic(options.user, file, secrets) if options.user else bearer(file, secrets),
    )
    return Jira(options, client, Lag(options.index_seconds))


SPEC = AdapterSpec(name="jira", options=JiraOptions, open=_open, experimental=True, remarks=True)
