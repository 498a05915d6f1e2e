"""iTop over its REST/JSON interface (version 1.3).

A ticket is found again by the last line of its description, a comment by the last line of an entry in its log; iTop
searches its own database, so that what is written is found at once. It answers 200 to everything and says in a code
what happened; code 100 is both a passing fault and a value that it does not like, so it is tried again.

The account needs the profile "REST Services User" and one that may write the class. Tickets are resolved and re-opened
by stimuli, which the life cycle of the class must know in the states where they are used. Approvals are not read off
its tickets.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

from agent.tickets.contract import Draft, TicketError, TicketRef, TicketState, TicketSystem, Update
from agent.tickets.credentials import basic
from agent.tickets.desk import Desk
from agent.tickets.marks import marked
from agent.tickets.markup import html
from agent.tickets.plaintext import redacted
from agent.tickets.rest import RestClient, checked_url, quoted
from agent.tickets.spec import AdapterSpec, Secrets

FAULT = 100
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LOG = "private_log"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItopOptions:
    """How to reach an organization."""

    url: str = field(metadata={"check": checked_url})
    """Of the web interface, e.g. https://itop.example.org"""
    user: str
    password_file: Path
    organization: str
    """By name."""
    kind: Literal["UserRequest", "Incident"] = "UserRequest"
    """The class of its tickets."""
    caller: str = ""
    """E-mail address of a person in iTop, where the class wants a caller."""
    priorities: Mapping[str, tuple[int, ...]] = field(
        default_factory=lambda: {"P1": (1, 1), "P2": (1, 2), "P3": (2, 3), "P4": (3, 4)}
    )
    """Impact and urgency."""
    resolve_stimulus: str = "ev_autoresolve"
    reopen_stimulus: str = "ev_reopen"
    closed_statuses: tuple[str, ...] = ("resolved", "closed")
    ca_file: Path | None = None
    timeout_seconds: float = 10

    def __post_init__(self) -> None:
        if any(len(given) != len(("impact", "urgency")) for given in self.priorities.values()):
            raise ValueError("priorities must have two numbers each, impact and urgency")


class Itop(Desk):
    """One organization."""

    system = "iTop"

    def __init__(self, options: ItopOptions, client: RestClient) -> None:
        self._options = options
        self._client = client

    def search(self, wanted: str) -> TicketRef | None:
        found = self._objects(f"SELECT {self._options.kind} WHERE description LIKE '%{wanted}%'", "status")
        return min((self._ref(each) for each in found), key=lambda ref: int(ref.id), default=None)

    def add(self, draft: Draft) -> TicketRef:
        self._must_have_organization()
        options = self._options
        fields: dict[str, object] = {
            "org_id": {"name": options.organization},
            "title": draft.title,
            "description": html(marked(draft.body, draft.correlation)),
            **self._ranked(draft.priority),
        }
        if options.caller:
            fields["caller_id"] = {"email": options.caller}
        made = self._ask("core/create", fields=fields, output_fields="status", comment="paramedic")
        return self._ref(next(iter(made["objects"].values())))

    def told(self, ticket: str, wanted: str) -> bool:
        return any(wanted in each["message"] for each in self._ticket(ticket, LOG)["fields"][LOG]["entries"])

    def tell(self, ticket: str, update: Update) -> None:
        entry = {"message": marked(update.comment, update.key), "format": "text"}
        self._write(ticket, {LOG: {"add_item": entry}})

    def state(self, ticket: str) -> TicketState:
        return self._ref(self._ticket(ticket, "status")).state

    def turn(self, ticket: str, state: TicketState, update: Update) -> None:
        options, fields = self._options, {}
        stimulus = options.reopen_stimulus
        if state is TicketState.CLOSED:
            stimulus, fields = options.resolve_stimulus, {"solution": update.comment}
        self._ask(
            "core/apply_stimulus",
            key=int(ticket),
            stimulus=stimulus,
            fields=fields,
            output_fields="status",
            comment="paramedic",
        )
        if self.state(ticket) is not state:
            raise TicketError(f"iTop did not {stimulus} ticket {int(ticket)}", permanent=True)

    def rank(self, ticket: str, priority: str) -> None:
        if changes := self._ranked(priority):
            self._write(ticket, changes)

    def probe(self) -> None:
        self._must_have_organization()
        self._objects(f"SELECT {self._options.kind} WHERE id = 0", "status")

    def _must_have_organization(self) -> None:
        key = {"name": self._options.organization}
        found = self._ask("core/get", kind="Organization", key=key, output_fields="name")
        if not found["objects"]:
            raise TicketError(f"there is no organization {self._options.organization!r}", permanent=True)

    def _ticket(self, ticket: str, fields: str) -> Mapping[str, Any]:
        found = self._objects(int(ticket), fields)
        if not found:
            raise TicketError(f"there is no ticket {int(ticket)}", permanent=True)
        return found[0]

    def _objects(self, key: object, fields: str) -> list[Mapping[str, Any]]:
        return list((self._ask("core/get", key=key, output_fields=fields)["objects"] or {}).values())

    def _write(self, ticket: str, fields: Mapping[str, object]) -> None:
        self._ask("core/update", key=int(ticket), fields=fields, output_fields="status", comment="paramedic")

    def _ask(self, operation: str, *, kind: str = "", **what: object) -> Mapping[str, Any]:
        question = {"operation": operation, "class": kind or self._options.kind, **what}
        body = urlencode({"json_data": json.dumps(question)}).encode()
        path = "/webservices/rest.php"
        answer: Mapping[str, Any] = self._client.send(
            "POST", path, query={"version": "1.3"}, body=body, headers=FORM
        ).document()
        if answer["code"] != 0:
            said = quoted(redacted(str(answer["message"])), self._client.login())
            raise TicketError(f"answered code {int(answer['code'])}: {said}", permanent=answer["code"] != FAULT)
        return answer

    def _ranked(self, priority: str) -> dict[str, object]:
        given = self._options.priorities.get(priority)
        return {"impact": str(given[0]), "urgency": str(given[1])} if given else {}

    def _ref(self, ticket: Mapping[str, Any]) -> TicketRef:
        ident = str(int(ticket["key"]))
        url = f"{checked_url(self._options.url)}/pages/UI.php?operation=details&class={self._options.kind}&id={ident}"
        closed = ticket["fields"]["status"] in self._options.closed_statuses
        return TicketRef(id=ident, url=url, state=TicketState.CLOSED if closed else TicketState.OPEN)


def _open(options: ItopOptions, secrets: Secrets) -> TicketSystem:
    client = RestClient(
        url=checked_url(options.url),
        timeout_seconds=options.timeout_seconds,
        ca_file=options.ca_file,
        login=basic(options.user, options.password_file, secrets),
    )
    return Itop(options, client)


SPEC = AdapterSpec(name="itop", options=ItopOptions, open=_open, experimental=True)
