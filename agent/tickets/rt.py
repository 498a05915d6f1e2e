"""Request Tracker 5 over its REST2 interface.

A ticket is found again by a link: it "refers to" `urn:paramedic:CORRELATION`. RT writes the link in the transaction
that makes the ticket, finds it by an exact match, and keeps it when people rename, move or merge the ticket; nothing
needs to be set up. A comment carries its key as its subject, so that one that is there already is not added again.

The account needs, on the queue: SeeQueue, CreateTicket, ShowTicket, ShowTicketComments, CommentOnTicket, ModifyTicket.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agent.tickets.contract import Draft, Remark, TicketError, TicketRef, TicketState, TicketSystem, Update
from agent.tickets.credentials import basic, bearer
from agent.tickets.plaintext import one_line
from agent.tickets.rest import RestClient, checked_url, understood
from agent.tickets.spec import AdapterSpec, Secrets

REST = "/REST/2.0"
CLOSED_STATUSES = frozenset({"resolved", "rejected", "deleted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RtOptions:
    """How to reach a queue of a Request Tracker."""

    url: str = field(metadata={"check": checked_url})
    """Of the web interface, e.g. https://rt.example.org"""
    queue: str = "General"
    user: str = ""
    password_file: Path | None = None
    """Of the user. Or give `token_file` (RT::Authen::Token) instead of both."""
    token_file: Path | None = None
    ca_file: Path | None = None
    timeout_seconds: float = 10
    priorities: Mapping[str, int] = field(default_factory=lambda: {"P1": 90, "P2": 70, "P3": 50, "P4": 30})
    resolved_status: str = "resolved"
    reopened_status: str = "open"
    declined_status: str = "rejected"
    """Somebody's "won't fix": the incident of a ticket with it is over."""

    def __post_init__(self) -> None:
        if (self.token_file is None) == (self.password_file is None):
            raise ValueError("give either user and password_file, or token_file")
        if self.declined_status == self.resolved_status:
            raise ValueError("declined_status must differ from resolved_status: what we resolve nobody has declined")


class RequestTracker:
    """One queue of an RT."""

    def __init__(self, options: RtOptions, client: RestClient) -> None:
        self._options = options
        self._client = client
        self._closed = CLOSED_STATUSES | {options.resolved_status, options.declined_status}

    def find(self, correlation: str) -> TicketRef | None:
        query = {"query": f"RefersTo = '{marker(correlation)}'", "fields": "Status", "orderby": "id", "order": "ASC"}
        with understood("RT"):
            items = self._client.json("GET", "/tickets", query=query)["items"]
            return self._ref(items[0]["id"], items[0]["Status"]) if items else None

    def create(self, draft: Draft) -> TicketRef:
        ticket = {
            "Queue": self._options.queue,
            "Subject": draft.title,
            "Content": draft.body,
            "ContentType": "text/plain",
            "Priority": self._options.priorities.get(draft.priority, 0),
            "RefersTo": marker(draft.correlation),
        }
        with understood("RT"):
            number = self._client.json("POST", "/ticket", document=ticket)["id"]
        # RT drops a link that we may not set without failing. Then no search would ever find the ticket again.
        if self.find(draft.correlation) is None:
            raise TicketError(f"ticket {number} was made without its link: grant ModifyTicket", permanent=True)
        return self._ref(number, "new")

    def update(self, ref: TicketRef, update: Update) -> None:
        self._comment(ref, update)
        if update.priority in self._options.priorities:
            self._set(ref, {"Priority": self._options.priorities[update.priority]})

    def close(self, ref: TicketRef, update: Update) -> None:
        self._comment(ref, update)
        if self._status(ref) not in self._closed:
            self._turn(ref, self._options.resolved_status)

    def reopen(self, ref: TicketRef, update: Update) -> None:
        self._comment(ref, update)
        if self._status(ref) in self._closed:
            self._turn(ref, self._options.reopened_status)

    def remarks(self, ref: TicketRef, after: int) -> Sequence[Remark]:
        """Return comments and replies of others. Who opened the ticket is ourselves, whatever the account is called."""
        with understood("RT"):
            own = {self._options.user, _creator(self._client.json("GET", f"/ticket/{int(ref.id)}"))}
            return [
                Remark(id=int(item["id"]), actor=_creator(item), text=self._content(int(item["id"])))
                for item in self._said(ref, after)
                if _creator(item) not in own
            ]

    def _said(self, ref: TicketRef, after: int) -> Iterator[Mapping[str, Any]]:
        """Yield comments and replies. What we may not see is missing from a page, so only an empty one is the last."""
        wanted = f"TicketId = {int(ref.id)} AND id > {after} AND ( Type = 'Comment' OR Type = 'Correspond' )"
        query = {"query": wanted, "fields": "Creator", "orderby": "id", "order": "ASC", "per_page": str(PAGE)}
        for page in range(1, MAX_PAGES + 1):
            items = self._client.json("GET", "/transactions", query={**query, "page": str(page)})["items"]
            if not items:
                return
            yield from items

    def _content(self, transaction: int) -> str:
        """Return the plain text of a transaction; its first part that has any."""
        parts = self._client.json("GET", f"/transaction/{transaction}/attachments")["items"]
        for part in parts[:MAX_PARTS]:
            attachment = self._client.json("GET", f"/attachment/{int(part['id'])}")
            if str(attachment.get("ContentType", "")).startswith("text/plain") and attachment.get("Content"):
                return base64.b64decode(attachment["Content"]).decode(errors="replace")
        return ""

    def check(self) -> None:
        with understood("RT"):
            self._client.json("GET", "/rt")["Version"]
            name = self._options.queue
            queue = self._client.json("GET", f"/queue/{quote(name, safe='')}")
            if queue["Name"] != name or queue["Disabled"] != "0":
                raise TicketError(f"queue {name} is not there or is disabled", permanent=True)

    def _comment(self, ref: TicketRef, update: Update) -> None:
        key = quote(update.key, safe=SAFE)
        query = {"query": f"TicketId = {int(ref.id)} AND Type = 'Comment' AND Subject = '{key}'"}
        with understood("RT"):
            if self._client.json("GET", "/transactions", query=query)["items"]:
                return
        comment = {"Subject": key, "Content": update.comment, "ContentType": "text/plain"}
        self._client.json("POST", f"/ticket/{int(ref.id)}/comment", document=comment)

    def _turn(self, ref: TicketRef, status: str) -> None:
        answer = self._set(ref, {"Status": status})
        # RT answers 200 to a status that the queue's lifecycle does not allow, and explains itself in words.
        if self._status(ref) != status:
            raise TicketError(f"RT did not set status {status}: {answer}", permanent=True)

    def _set(self, ref: TicketRef, fields: Mapping[str, object]) -> str:
        with understood("RT"):
            answer = self._client.json("PUT", f"/ticket/{int(ref.id)}", document=fields)
            return one_line(" ".join(map(str, answer)), 200)

    def _status(self, ref: TicketRef) -> str:
        with understood("RT"):
            ticket: dict[str, Any] = self._client.json("GET", f"/ticket/{int(ref.id)}")
            return str(ticket["Status"])

    def _ref(self, number: object, status: str) -> TicketRef:
        ident = str(int(str(number)))
        state = TicketState.CLOSED if status in self._closed else TicketState.OPEN
        if status == self._options.declined_status:
            state = TicketState.DECLINED
        return TicketRef(id=ident, url=f"{checked_url(self._options.url)}/Ticket/Display.html?id={ident}", state=state)


def marker(correlation: str) -> str:
    """Return the URI that a ticket refers to. It has no character that TicketSQL would take for syntax."""
    return "urn:paramedic:" + quote(correlation, safe=SAFE)


def _creator(transaction: Mapping[str, Any]) -> str:
    return str(transaction["Creator"]["id"])


SAFE = ":-_.~"
MAX_PARTS = 5
PAGE = 100
"""RT gives no more at once."""
MAX_PAGES = 25


def _open(options: RtOptions, secrets: Secrets) -> TicketSystem:
    if options.token_file is not None:
        login = bearer(options.token_file, secrets, scheme="token")
    elif options.password_file is not None:
        login = basic(options.user, options.password_file, secrets)
    return RequestTracker(
        options,
        RestClient(
            url=checked_url(options.url) + REST,
            timeout_seconds=options.timeout_seconds,
            ca_file=options.ca_file,
            login=login,
        ),
    )


SPEC = AdapterSpec(name="rt", options=RtOptions, open=_open, remarks=True)
