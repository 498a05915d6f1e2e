"""Zammad over its REST interface.

A ticket is found again by the last line of its first article, a comment by its own. Zammad's search learns of a ticket
after a while where it uses Elasticsearch (`index`): until then we go by what we remember, and believe that there is no
ticket only when it had that time. Comments are internal notes.

The token needs the permission `ticket.agent`, its account full access to the group. Approvals are not read off its
tickets: whoever can send an e-mail can be anybody there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.tickets.contract import Draft, TicketError, TicketRef, TicketState, TicketSystem, Update
from agent.tickets.credentials import header
from agent.tickets.desk import Desk
from agent.tickets.lag import Lag
from agent.tickets.marks import mark, marked
from agent.tickets.rest import RestClient, checked_url, listed
from agent.tickets.spec import AdapterSpec, Secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class ZammadOptions:
    """How to reach a group."""

    url: str = field(metadata={"check": checked_url})
    """Of the web interface, e.g. https://zammad.example.org"""
    token_file: Path
    group: str = "Users"
    customer: str
    """E-mail address of whom tickets are for; Zammad wants one."""
    priorities: Mapping[str, str] = field(
        default_factory=lambda: {"P1": "3 high", "P2": "3 high", "P3": "2 normal", "P4": "1 low"}
    )
    resolved_state: str = "closed"
    reopened_state: str = "open"
    closed_states: tuple[str, ...] = ("closed", "merged", "removed")
    index_seconds: float = 30
    """How long its search may lag behind."""
    ca_file: Path | None = None
    timeout_seconds: float = 10


class Zammad(Desk):
    """One group."""

    system = "Zammad"

    def __init__(self, options: ZammadOptions, client: RestClient, lag: Lag) -> None:
        self._options = options
        self._client = client
        self._lag = lag
        self._closed = {options.resolved_state, *options.closed_states}

    def search(self, wanted: str) -> TicketRef | None:
        if known := self._lag.made(wanted):
            return self._ref(self._ticket(known))
        query = {"query": f'"{wanted}"', "limit": "5", "expand": "true", "sort_by": "created_at", "order_by": "asc"}
        found = listed(self._client.json("GET", "/tickets/search", query=query))
        for each in found:
            if self.told(str(each["id"]), wanted):
                return self._ref(each)
        self._lag.missing(wanted)
        return None

    def add(self, draft: Draft) -> TicketRef:
        article = _article(draft.title, draft.body, draft.correlation)
        options = self._options
        ticket = {"title": draft.title, "group": options.group, "customer": options.customer, "article": article}
        with self._lag.making(mark(draft.correlation)) as remember:
            query = {"expand": "true"}
            document = ticket | self._priority(draft.priority)
            made = self._client.json("POST", "/tickets", query=query, document=document)
            remember(str(int(made["id"])))
        return self._ref(made)

    def told(self, ticket: str, wanted: str) -> bool:
        articles = self._client.json("GET", f"/ticket_articles/by_ticket/{int(ticket)}")
        return any(wanted in each["body"] for each in articles)

    def tell(self, ticket: str, update: Update) -> None:
        article = {"ticket_id": int(ticket), **_article("paramedic", update.comment, update.key)}
        self._client.json("POST", "/ticket_articles", document=article)

    def state(self, ticket: str) -> TicketState:
        return self._ref(self._ticket(ticket)).state

    def turn(self, ticket: str, state: TicketState, update: Update) -> None:
        del update
        options = self._options
        name = options.resolved_state if state is TicketState.CLOSED else options.reopened_state
        self._client.json("PUT", f"/tickets/{int(ticket)}", document={"state": name})

    def rank(self, ticket: str, priority: str) -> None:
        if changes := self._priority(priority):
            self._client.json("PUT", f"/tickets/{int(ticket)}", document=changes)

    def probe(self) -> None:
        expanded = {"expand": "true"}
        me = self._client.json("GET", "/users/me", query=expanded)
        roles = [each for each in self._client.json("GET", "/roles", query=expanded) if each["name"] in me["roles"]]
        if not any("full" in each["groups"].get(self._options.group, ()) for each in (me, *roles)):
            raise TicketError(f"we have no full access to the group {self._options.group!r}", permanent=True)

    def _ticket(self, ticket: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._client.json("GET", f"/tickets/{int(ticket)}", query={"expand": "true"})
        return found

    def _priority(self, priority: str) -> dict[str, object]:
        name = self._options.priorities.get(priority)
        return {"priority": name} if name else {}

    def _ref(self, ticket: Mapping[str, Any]) -> TicketRef:
        ident = str(int(ticket["id"]))
        state = TicketState.CLOSED if str(ticket["state"]) in self._closed else TicketState.OPEN
        return TicketRef(id=ident, url=f"{checked_url(self._options.url)}/#ticket/zoom/{ident}", state=state)


def _article(subject: str, text: str, key: str) -> dict[str, object]:
    body = marked(text, key)
    return {"subject": subject, "body": body, "content_type": "text/plain", "type": "note", "internal": True}


def _open(options: ZammadOptions, secrets: Secrets) -> TicketSystem:
    client = RestClient(
        url=f"{checked_url(options.url)}/api/v1",
        timeout_seconds=options.timeout_seconds,
        ca_file=options.ca_file,
        login=header("Authorization", options.token_file, secrets, before="Token token="),
    )
    return Zammad(options, client, Lag(options.index_seconds))


SPEC = AdapterSpec(name="zammad", options=ZammadOptions, open=_open, experimental=True)
