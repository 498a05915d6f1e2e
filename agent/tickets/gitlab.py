"""Issues of a GitLab project over its REST interface (version 4).

A ticket is found again by the last line of its description, a comment by its own; GitLab searches its own database, so
that what is written is found at once. Texts are blocks of code: nobody is mentioned, and no quick action is run, by the
name of an alert. There are no priorities; the title says them. The token needs the scope `api`, its account the role
Reporter.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agent.tickets.contract import Draft, Remark, TicketError, TicketRef, TicketState, TicketSystem, Update
from agent.tickets.credentials import header
from agent.tickets.desk import Desk
from agent.tickets.marks import marked
from agent.tickets.markup import fenced
from agent.tickets.rest import RestClient, checked_url, listed, understood
from agent.tickets.spec import AdapterSpec, Secrets

PAGE = 40
MAX_PAGES = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLabOptions:
    """How to reach a project."""

    project: str
    """Its path, as in its address: `group/name`."""
    token_file: Path
    url: str = field(default="https://gitlab.com", metadata={"check": checked_url})
    labels: tuple[str, ...] = ("paramedic",)
    confidential: bool = False
    declined_label: str = ""
    """Somebody's "won't fix": a closed issue with this label. None: GitLab itself has nothing that says so."""
    ca_file: Path | None = None
    timeout_seconds: float = 10


class GitLab(Desk):
    """One project."""

    system = "GitLab"

    def __init__(self, options: GitLabOptions, client: RestClient) -> None:
        self._options = options
        self._client = client
        self._path = "/projects/" + quote(options.project, safe="")

    def search(self, wanted: str) -> TicketRef | None:
        query = {"search": wanted, "in": "description", "scope": "all", "state": "all", "sort": "asc", "per_page": "5"}
        found = listed(self._client.json("GET", f"{self._path}/issues", query=query))
        return next((self._ref(each) for each in found if wanted in (each["description"] or "")), None)

    def add(self, draft: Draft) -> TicketRef:
        issue = {
            "title": draft.title,
            "description": fenced(marked(draft.body, draft.correlation)),
            "labels": ",".join(self._options.labels),
            "confidential": self._options.confidential,
        }
        return self._ref(self._client.json("POST", f"{self._path}/issues", document=issue))

    def told(self, ticket: str, wanted: str) -> bool:
        return any(wanted in each["body"] for each in self._notes(ticket))

    def tell(self, ticket: str, update: Update) -> None:
        body = {"body": fenced(marked(update.comment, update.key))}
        self._client.json("POST", f"{self._issue(ticket)}/notes", document=body)

    def state(self, ticket: str) -> TicketState:
        return self._ref(self._client.json("GET", self._issue(ticket))).state

    def turn(self, ticket: str, state: TicketState, update: Update) -> None:
        del update
        event = "close" if state is TicketState.CLOSED else "reopen"
        self._client.json("PUT", self._issue(ticket), document={"state_event": event})

    def remarks(self, ref: TicketRef, after: int) -> Sequence[Remark]:
        """Return notes of others. Who opened the issue is ourselves, whatever the account is called."""
        with understood(self.system):
            own = self._client.json("GET", self._issue(ref.id))["author"]["id"]
            found = [
                Remark(id=int(each["id"]), actor=str(each["author"]["username"]), text=str(each["body"]))
                for each in self._notes(ref.id)
                if int(each["id"]) > after and not each["system"] and each["author"]["id"] != own
            ]
            return sorted(found, key=lambda remark: remark.id)

    def probe(self) -> None:
        project = self._client.json("GET", self._path)
        if not project["issues_enabled"] or project["archived"]:
            raise TicketError(f"{self._options.project} has no issues, or is archived", permanent=True)
        self._client.json("GET", "/user")["username"]

    def _notes(self, ticket: str) -> Iterator[Mapping[str, Any]]:
        for page in range(1, MAX_PAGES + 1):
            query = {"per_page": str(PAGE), "page": str(page)}
            notes = self._client.json("GET", f"{self._issue(ticket)}/notes", query=query)
            yield from notes
            if len(notes) < PAGE:
                return

    def _issue(self, ticket: str) -> str:
        return f"{self._path}/issues/{int(ticket)}"

    def _ref(self, issue: Mapping[str, Any]) -> TicketRef:
        state = TicketState.CLOSED if issue["state"] == "closed" else TicketState.OPEN
        if state is TicketState.CLOSED and self._options.declined_label in issue["labels"]:
            state = TicketState.DECLINED
        return TicketRef(id=str(int(issue["iid"])), url=str(issue["web_url"]), state=state)


def _open(options: GitLabOptions, secrets: Secrets) -> TicketSystem:
    client = RestClient(
        url=f"{checked_url(options.url)}/api/v4",
        timeout_seconds=options.timeout_seconds,
        ca_file=options.ca_file,
        login=header("PRIVATE-TOKEN", options.token_file, secrets),
    )
    return GitLab(options, client)


SPEC = AdapterSpec(name="gitlab", options=GitLabOptions, open=_open, experimental=True, remarks=True)
