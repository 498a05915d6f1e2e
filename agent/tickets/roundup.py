"""A roundup tracker (schema "classic" or one that has its fields) over its REST interface.

A ticket is found again by its first message: its `messageid` is the correlation id, and an issue is searched by the
message in it. The message is written before the issue, so a creation that breaks off between the two is continued when
it is repeated. Each later comment is a message whose `messageid` is its key; one that is there is not written again.
Changes carry the issue's etag (If-Match), so nobody's edit is overwritten: on a conflict the issue is read again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.tickets.contract import Draft, Remark, TicketError, TicketRef, TicketState, TicketSystem, Update
from agent.tickets.credentials import basic
from agent.tickets.rest import RestClient, checked_url, understood
from agent.tickets.spec import AdapterSpec, Secrets

CONFLICT = 412
TRIES = 5
Issue = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundupOptions:
    """How to reach a tracker."""

    url: str = field(metadata={"check": checked_url})
    """Of the tracker, e.g. https://bugs.example.org/operations"""
    user: str
    password_file: Path
    ca_file: Path | None = None
    timeout_seconds: float = 10
    priorities: Mapping[str, str] = field(
        default_factory=lambda: {"P1": "critical", "P2": "urgent", "P3": "bug", "P4": "feature"}
    )
    new_status: str = "unread"
    resolved_status: str = "resolved"
    reopened_status: str = "in-progress"
    closed_statuses: tuple[str, ...] = ("resolved", "done-cbb")
    declined_status: str = ""
    """Somebody's "won't fix": the incident of an issue with it is over. None: the usual statuses have no such word."""

    def __post_init__(self) -> None:
        if self.declined_status == self.resolved_status:
            raise ValueError("declined_status must differ from resolved_status: what we resolve nobody has declined")


class Roundup:
    """One tracker."""

    def __init__(self, options: RoundupOptions, client: RestClient) -> None:
        self._options = options
        self._client = client
        self._declined = {options.declined_status} - {""}
        self._closed = {*options.closed_statuses, options.resolved_status, *self._declined}

    def find(self, correlation: str) -> TicketRef | None:
        message = self._message(correlation)
        return self._issue_with(message) if message else None

    def create(self, draft: Draft) -> TicketRef:
        issue = {
            "title": draft.title,
            "messages": [self._message(draft.correlation) or self._write(draft.correlation, draft.body)],
            "status": self._options.new_status,
        }
        if draft.priority in self._options.priorities:
            issue["priority"] = self._options.priorities[draft.priority]
        with understood("roundup"):
            number = self._client.json("POST", "/data/issue", document=issue)["data"]["id"]
            return self._ref(number, self._options.new_status)

    def update(self, ref: TicketRef, update: Update) -> None:
        # Left to itself, the tracker re-opens an issue that gets a message, so the status is always sent along.
        self._change(ref, update, lambda status: status)

    def close(self, ref: TicketRef, update: Update) -> None:
        self._change(ref, update, lambda status: status if status in self._closed else self._options.resolved_status)

    def reopen(self, ref: TicketRef, update: Update) -> None:
        self._change(ref, update, lambda status: self._options.reopened_status if status in self._closed else status)

    def remarks(self, ref: TicketRef, after: int) -> Sequence[Remark]:
        """Return the messages of others on an issue."""
        own = self._author()
        with understood("roundup"):
            linked = [int(each["id"]) for each in self._issue(ref)["attributes"]["messages"]]
            found = [self._remark(number, own) for number in sorted(linked) if number > after]
            return [remark for remark in found if remark is not None]

    def _remark(self, number: int, own: str) -> Remark | None:
        # Only its most verbose answer holds the text itself, not a link to it.
        answer = self._client.json("GET", f"/data/msg/{number}", query={"@verbose": "3"})
        fields = answer["data"]["attributes"]
        author = str(fields["author"]["id"])
        if author == own:
            return None
        user = self._client.json("GET", f"/data/user/{int(author)}", query={"@fields": "username"})["data"]
        return Remark(id=number, actor=str(user["attributes"]["username"]), text=str(fields["content"]))

    def check(self) -> None:
        self._author()
        options = self._options
        wanted = {options.new_status, options.resolved_status, options.reopened_status, *self._declined}
        self._check_names("status", wanted)
        self._check_names("priority", set(options.priorities.values()))

    def _check_names(self, kind: str, wanted: set[str]) -> None:
        with understood("roundup"):
            known = {str(item["name"]) for item in self._list(kind, {"@fields": "name"})}
        if missing := wanted - known:
            raise TicketError(f"the tracker has no {kind} {', '.join(sorted(missing))}", permanent=True)

    def _change(self, ref: TicketRef, update: Update, new_status: Callable[[str], str]) -> None:
        message = self._message(update.key) or self._write(update.key, update.comment)
        for _ in range(TRIES):
            issue = self._issue(ref)
            changes = self._changes(issue, message, update, new_status)
            if not changes or self._patch(ref, issue, changes):
                return
        raise TicketError(f"issue {ref.id} was changed by others during each of {TRIES} tries")

    def _changes(
        self, issue: Issue, message: str, update: Update, new_status: Callable[[str], str]
    ) -> dict[str, object]:
        with understood("roundup"):
            fields = issue["attributes"]
            messages = [str(linked["id"]) for linked in fields["messages"]]
            status = str(fields["status.name"])
        changes: dict[str, object] = {}
        if message not in messages:
            changes["messages"] = [*messages, message]
        if changes or new_status(status) != status:
            changes["status"] = new_status(status)
        if update.priority in self._options.priorities:
            changes["priority"] = self._options.priorities[update.priority]
        return changes

    def _issue(self, ref: TicketRef) -> Issue:
        with understood("roundup"):
            query = {"@fields": "status.name,messages"}
            issue: Issue = self._client.json("GET", f"/data/issue/{int(ref.id)}", query=query)["data"]
            return issue

    def _patch(self, ref: TicketRef, issue: Issue, changes: Mapping[str, object]) -> bool:
        """Return whether the change was made; False: somebody else changed the issue first."""
        with understood("roundup"):
            etag = str(issue["@etag"])
        answer = self._client.patch(f"/data/issue/{int(ref.id)}", changes, etag=etag, accept=frozenset({CONFLICT}))
        return answer.status != CONFLICT

    def _message(self, key: str) -> str:
        """Return the id of the message with this key, empty if there is none. The tracker's own search is for parts."""
        with understood("roundup"):
            found = self._list("msg", {"messageid": key, "@fields": "messageid", "@sort": "id"})
            return next((str(item["id"]) for item in found if item["messageid"] == key), "")

    def _write(self, key: str, content: str) -> str:
        message = {"messageid": key, "content": content, "author": self._author(), "date": "."}
        with understood("roundup"):
            return str(self._client.json("POST", "/data/msg", document=message)["data"]["id"])

    def _author(self) -> str:
        name = self._options.user
        with understood("roundup"):
            found = self._list("user", {"username": name, "@fields": "username"})
            author = next((str(item["id"]) for item in found if item["username"] == name), "")
        if not author:
            raise TicketError(f"the tracker does not show us our own account {name}", permanent=True)
        return author

    def _issue_with(self, message: str) -> TicketRef | None:
        with understood("roundup"):
            found = self._list("issue", {"messages": message, "@fields": "status.name", "@sort": "id"})
            return self._ref(found[0]["id"], found[0]["status.name"]) if found else None

    def _list(self, kind: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        return list(self._client.json("GET", f"/data/{kind}", query=query)["data"]["collection"])

    def _ref(self, number: object, status: str) -> TicketRef:
        ident = str(int(str(number)))
        closed = TicketState.DECLINED if status in self._declined else TicketState.CLOSED
        state = closed if status in self._closed else TicketState.OPEN
        return TicketRef(id=ident, url=f"{checked_url(self._options.url)}/issue{ident}", state=state)


def _open(options: RoundupOptions, secrets: Secrets) -> TicketSystem:
    url = checked_url(options.url)
    parts = urlsplit(url)
    # Its defence against forged browser requests wants these from everybody.
    headers = {"X-Requested-With": "rest", "Referer": f"{url}/", "Origin": f"{parts.scheme}://{parts.netloc}"}
    client = RestClient(
        url=f"{url}/rest",
        timeout_seconds=options.timeout_seconds,
        ca_file=options.ca_file,
        login=basic(options.user, options.password_file, secrets),
        headers=headers,
    )
    return Roundup(options, client)


SPEC = AdapterSpec(name="roundup", options=RoundupOptions, open=_open, remarks=True)
