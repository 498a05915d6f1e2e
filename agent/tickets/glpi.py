"""GLPI (9.5 and later) over its REST interface (apirest.php).

A ticket is found again by the last line of its description, a comment (a follow-up) by its own. Requests go through one
session, which is begun again when GLPI has ended it. A follow-up may re-open a solved ticket there, so the status from
before is set again. A status is read back, because GLPI answers 200 to a change that its profile does not allow.

The interface must be enabled (Setup, General, API) for our address; the account's profile must see, create and update
tickets and add follow-ups in the entity. Approvals are not read off its tickets.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.tickets.contract import Draft, TicketError, TicketRef, TicketState, TicketSystem, Update
from agent.tickets.credentials import Login, LoginSource, header, nobody
from agent.tickets.desk import Desk
from agent.tickets.marks import marked
from agent.tickets.markup import html
from agent.tickets.rest import Json, RestClient, checked_url, understood
from agent.tickets.spec import AdapterSpec, Secrets

CONTENT, IDENT = "21", "2"
"""Numbers of what can be searched for and shown."""
UNAUTHORIZED = 401
INCIDENT = 1
MOST_COMMENTS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class GlpiOptions:
    """How to reach an entity."""

    url: str = field(metadata={"check": checked_url})
    """Of the web interface, e.g. https://glpi.example.org"""
    token_file: Path
    """Holds the account's API token."""
    app_token_file: Path | None = None
    """Holds the token of the API client, if it has one."""
    entity: int = 0
    priorities: Mapping[str, int] = field(default_factory=lambda: {"P1": 5, "P2": 4, "P3": 3, "P4": 2})
    resolved_status: int = 5
    reopened_status: int = 2
    closed_statuses: tuple[int, ...] = (5, 6)
    ca_file: Path | None = None
    timeout_seconds: float = 10


class Session:
    """Logs in when that is needed, and again when GLPI has forgotten us."""

    def __init__(self, options: GlpiOptions, secrets: Secrets) -> None:
        self._options = options
        self._account = header("Authorization", options.token_file, secrets, before="user_token ")
        app = options.app_token_file
        self._app = header("App-Token", app, secrets) if app is not None else nobody
        self._token = ""

    def login(self) -> Login:
        app = self._app()
        if not self._token:
            client = _client(self._options, lambda: _both(self._account(), app))
            with understood("GLPI"):
                self._token = str(client.json("GET", "/initSession")["session_token"])
        return _both(Login(headers={"Session-Token": self._token}, secrets=(self._token,)), app)

    def forget(self) -> None:
        self._token = ""


class Glpi(Desk):
    """One entity."""

    system = "GLPI"

    def __init__(self, options: GlpiOptions, session: Session) -> None:
        self._options = options
        self._session = session
        self._client = _client(options, session.login)
        self._closed = {options.resolved_status, *options.closed_statuses}

    def search(self, wanted: str) -> TicketRef | None:
        query = {
            "criteria[0][field]": CONTENT,
            "criteria[0][searchtype]": "contains",
            "criteria[0][value]": wanted,
            "forcedisplay[0]": IDENT,
            "sort": IDENT,
            "range": "0-4",
        }
        answer = self._json("GET", "/search/Ticket", query=query)
        for row in answer["data"] if answer["totalcount"] else ():
            ticket = self._ticket(str(row[IDENT]))
            if wanted in ticket["content"]:
                return self._ref(row[IDENT], ticket["status"])
        return None

    def add(self, draft: Draft) -> TicketRef:
        ticket = {
            "name": draft.title,
            "content": html(marked(draft.body, draft.correlation)),
            "entities_id": self._options.entity,
            "type": INCIDENT,
            **self._priority(draft.priority),
        }
        made = self._json("POST", "/Ticket", document={"input": ticket})
        return self._ref(made["id"], 1)

    def told(self, ticket: str, wanted: str) -> bool:
        query = {"range": f"0-{MOST_COMMENTS - 1}", "order": "DESC"}
        comments = self._json("GET", f"/Ticket/{int(ticket)}/ITILFollowup", query=query)
        return any(wanted in each["content"] for each in comments)

    def tell(self, ticket: str, update: Update) -> None:
        before = self._ticket(ticket)["status"]
        comment = {"itemtype": "Ticket", "items_id": int(ticket), "content": html(marked(update.comment, update.key))}
        self._json("POST", "/ITILFollowup", document={"input": comment})
        if self._ticket(ticket)["status"] != before:
            self._write(ticket, {"status": before})

    def state(self, ticket: str) -> TicketState:
        return self._ref(ticket, self._ticket(ticket)["status"]).state

    def turn(self, ticket: str, state: TicketState, update: Update) -> None:
        del update
        options = self._options
        status = options.resolved_status if state is TicketState.CLOSED else options.reopened_status
        self._write(ticket, {"status": status})
        if self.state(ticket) is not state:
            raise TicketError(f"GLPI did not set status {status}", permanent=True)

    def rank(self, ticket: str, priority: str) -> None:
        if changes := self._priority(priority):
            self._write(ticket, changes)

    def probe(self) -> None:
        self._json("GET", f"/Entity/{self._options.entity}")["id"]

    def _ticket(self, ticket: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._json("GET", f"/Ticket/{int(ticket)}")
        return found

    def _write(self, ticket: str, changes: Mapping[str, object]) -> None:
        self._json("PUT", f"/Ticket/{int(ticket)}", document={"input": changes})

    def _json(self, method: str, path: str, *, query: Mapping[str, str] | None = None, document: object = None) -> Json:
        body = None if document is None else json.dumps(document).encode()
        answer = self._client.send(method, path, query=query, body=body, accept=frozenset({UNAUTHORIZED}))
        if answer.status == UNAUTHORIZED:
            self._session.forget()
            answer = self._client.send(method, path, query=query, body=body)
        return answer.document()

    def _priority(self, priority: str) -> dict[str, object]:
        number = self._options.priorities.get(priority)
        return {"priority": number} if number else {}

    def _ref(self, number: object, status: object) -> TicketRef:
        ident = str(int(str(number)))
        state = TicketState.CLOSED if int(str(status)) in self._closed else TicketState.OPEN
        url = f"{checked_url(self._options.url)}/front/ticket.form.php?id={ident}"
        return TicketRef(id=ident, url=url, state=state)


def _both(one: Login, other: Login) -> Login:
    return Login(headers={**one.headers, **other.headers}, secrets=(*one.secrets, *other.secrets))


def _client(options: GlpiOptions, login: LoginSource) -> RestClient:
    return RestClient(
        url=f"{checked_url(options.url)}/apirest.php",
        timeout_seconds=options.timeout_seconds,
        ca_file=options.ca_file,
        login=login,
        headers={"Content-Type": "application/json"},
    )


def _open(options: GlpiOptions, secrets: Secrets) -> TicketSystem:
    return Glpi(options, Session(options, secrets))


SPEC = AdapterSpec(name="glpi", options=GlpiOptions, open=_open, experimental=True)
