"""Issues of a GitHub repository, on github.com or a server of one's own.

A ticket is found again by the last line of its body, a comment by its own. GitHub's search learns of an issue after a
while, so the newest issues with our label are looked through first. Texts are blocks of code: nobody is mentioned by
the name of an alert. There are no priorities; the title says them. A wrong token is refused, but labels that we may not
set are dropped without a word, so the token needs write access to issues, and a dropped label is an error.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agent.tickets.contract import Draft, Remark, TicketError, TicketRef, TicketState, TicketSystem, Update
from agent.tickets.credentials import bearer
from agent.tickets.desk import Desk
from agent.tickets.marks import marked
from agent.tickets.markup import fenced
from agent.tickets.rest import RestClient, checked_url, listed, understood
from agent.tickets.spec import AdapterSpec, Secrets

NEWEST = 40
PAGE = 40
MAX_PAGES = 25
HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28", "User-Agent": "paramedic"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubOptions:
    """How to reach a repository."""

    project: str
    """Owner and name of the repository: `owner/name`."""
    token_file: Path
    url: str = field(default="https://api.github.com", metadata={"check": checked_url})
    """Of the REST interface; a server's own is https://HOST/api/v3."""
    label: str = "paramedic"
    declined_reason: str = "not_planned"
    """Somebody's "won't fix": the reason with which an issue was closed. Empty where a robot closes what is stale."""
    ca_file: Path | None = None
    timeout_seconds: float = 10


class GitHub(Desk):
    """One repository."""

    system = "GitHub"

    def __init__(self, options: GitHubOptions, client: RestClient) -> None:
        self._options = options
        self._client = client
        self._path = "/repos/" + quote(options.project, safe="/")

    def search(self, wanted: str) -> TicketRef | None:
        newest = {"labels": self._options.label, "state": "all", "per_page": str(NEWEST)}
        found = listed(self._client.json("GET", f"{self._path}/issues", query=newest))
        issue = _with(wanted, found)
        if issue is None and len(found) == NEWEST:  # else these are all; its search is asked 30 times a minute at most
            query = {"q": f'"{wanted}" repo:{self._options.project} is:issue in:body'}
            issue = _with(wanted, self._client.json("GET", "/search/issues", query=query)["items"])
        return self._ref(issue) if issue else None

    def add(self, draft: Draft) -> TicketRef:
        issue = {
            "title": draft.title,
            "body": fenced(marked(draft.body, draft.correlation)),
            "labels": [self._options.label],
        }
        made = self._client.json("POST", f"{self._path}/issues", document=issue)
        if self._options.label not in [each["name"] for each in made["labels"]]:
            reason = f"issue {made['number']} was made without its label: give the token write access to issues"
            raise TicketError(reason, permanent=True)
        return self._ref(made)

    def told(self, ticket: str, wanted: str) -> bool:
        return any(wanted in (each["body"] or "") for each in self._comments(ticket))

    def tell(self, ticket: str, update: Update) -> None:
        body = {"body": fenced(marked(update.comment, update.key))}
        self._client.json("POST", f"{self._issue(ticket)}/comments", document=body)

    def state(self, ticket: str) -> TicketState:
        return self._ref(self._client.json("GET", self._issue(ticket))).state

    def turn(self, ticket: str, state: TicketState, update: Update) -> None:
        del update
        changes = {"state": "closed", "state_reason": "completed"} if state is TicketState.CLOSED else {"state": "open"}
        self._client.json("PATCH", self._issue(ticket), document=changes)

    def remarks(self, ref: TicketRef, after: int) -> Sequence[Remark]:
        """Return comments of others. Who opened the issue is ourselves, whatever the account is called."""
        with understood(self.system):
            own = self._client.json("GET", self._issue(ref.id))["user"]["login"]
            return [
                Remark(id=int(each["id"]), actor=str(each["user"]["login"]), text=str(each["body"]))
                for each in self._comments(ref.id)
                if int(each["id"]) > after and each["user"] and each["user"]["login"] != own
            ]

    def probe(self) -> None:
        repository = self._client.json("GET", self._path)
        if not repository["has_issues"] or not repository["permissions"]["push"]:
            raise TicketError(f"{self._options.project} has no issues, or we may not write to it", permanent=True)

    def _comments(self, ticket: str) -> Iterator[Mapping[str, Any]]:
        for page in range(1, MAX_PAGES + 1):
            query = {"per_page": str(PAGE), "page": str(page)}
            comments = self._client.json("GET", f"{self._issue(ticket)}/comments", query=query)
            yield from comments
            if len(comments) < PAGE:
                return

    def _issue(self, ticket: str) -> str:
        return f"{self._path}/issues/{int(ticket)}"

    def _ref(self, issue: Mapping[str, Any]) -> TicketRef:
        state = TicketState.CLOSED if issue["state"] == "closed" else TicketState.OPEN
        why = issue.get("state_reason")  # older servers do not say
        if state is TicketState.CLOSED and why and why == self._options.declined_reason:
            state = TicketState.DECLINED
        return TicketRef(id=str(int(issue["number"])), url=str(issue["html_url"]), state=state)


def _with(wanted: str, issues: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the first of these issues that has the mark."""
    return min(
        (each for each in issues if wanted in (each["body"] or "")), key=lambda each: each["number"], default=None
    )


def _open(options: GitHubOptions, secrets: Secrets) -> TicketSystem:
    client = RestClient(
        url=checked_url(options.url),
        timeout_seconds=options.timeout_seconds,
        ca_file=options.ca_file,
        login=bearer(options.token_file, secrets),
        headers=HEADERS,
    )
    return GitHub(options, client)


SPEC = AdapterSpec(name="github", options=GitHubOptions, open=_open, experimental=True, remarks=True)
