"""Incidents of ServiceNow, or another table of tasks, over its Table API.

A ticket is found again by its `correlation_id`, a comment by the last line of a work note. ServiceNow drops a field
that we may not write without a word, and answers a search for an unknown field with everything; so what comes back is
looked at: a ticket without its correlation id, or a state that did not change, is an error. `[code]` in work notes
would be HTML, so it is spaced out. Priority follows from impact and urgency.

The account needs the roles to read and write the table (`itil` for incidents). Approvals are not read off its tickets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agent.tickets.contract import Draft, TicketError, TicketRef, TicketState, TicketSystem, Update
from agent.tickets.credentials import basic
from agent.tickets.desk import Desk
from agent.tickets.marks import mark, marked
from agent.tickets.markup import uncoded
from agent.tickets.rest import RestClient, checked_url
from agent.tickets.spec import AdapterSpec, Secrets

FIELDS = "sys_id,number,state,correlation_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceNowOptions:
    """How to reach an instance."""

    url: str = field(metadata={"check": checked_url})
    """Of the instance, e.g. https://example.service-now.com"""
    user: str
    password_file: Path
    table: str = "incident"
    assignment_group: str = ""
    """Its sys_id; none: the instance's rules decide."""
    priorities: Mapping[str, tuple[int, ...]] = field(
        default_factory=lambda: {"P1": (1, 1), "P2": (1, 2), "P3": (2, 2), "P4": (2, 3)}
    )
    """Impact and urgency."""
    resolved_state: int = 6
    reopened_state: int = 2
    closed_states: tuple[int, ...] = (6, 7, 8)
    close_code: str = "Solution provided"
    ca_file: Path | None = None
    timeout_seconds: float = 10

    def __post_init__(self) -> None:
        if any(len(given) != len(("impact", "urgency")) for given in self.priorities.values()):
            raise ValueError("priorities must have two numbers each, impact and urgency")


class ServiceNow(Desk):
    """One table."""

    system = "ServiceNow"

    def __init__(self, options: ServiceNowOptions, client: RestClient) -> None:
        self._options = options
        self._client = client
        self._closed = {options.resolved_state, *options.closed_states}

    def search(self, wanted: str) -> TicketRef | None:
        query = {
            "sysparm_query": f"correlation_id={wanted}^ORDERBYsys_created_on",
            "sysparm_fields": FIELDS,
            "sysparm_limit": "1",
        }
        found = self._client.json("GET", self._path(), query=query)["result"]
        if found and found[0]["correlation_id"] != wanted:
            raise TicketError(f"the table {self._options.table} cannot be searched by correlation_id", permanent=True)
        return self._ref(found[0]) if found else None

    def add(self, draft: Draft) -> TicketRef:
        wanted = mark(draft.correlation)
        record = {
            "short_description": draft.title,
            "description": draft.body,
            "correlation_id": wanted,
            "correlation_display": "paramedic",
            **self._ranked(draft.priority),
        }
        if self._options.assignment_group:
            record["assignment_group"] = self._options.assignment_group
        made = self._client.json("POST", self._path(), query={"sysparm_fields": FIELDS}, document=record)["result"]
        if made["correlation_id"] != wanted:
            reason = f"{made['number']} was made without its correlation_id: grant the right to write that field"
            raise TicketError(reason, permanent=True)
        return self._ref(made)

    def told(self, ticket: str, wanted: str) -> bool:
        # As it is displayed, a journal field is all its entries.
        query = {"sysparm_fields": "work_notes", "sysparm_display_value": "true"}
        return wanted in self._client.json("GET", self._path(ticket), query=query)["result"]["work_notes"]

    def tell(self, ticket: str, update: Update) -> None:
        self._write(ticket, {"work_notes": uncoded(marked(update.comment, update.key))})

    def state(self, ticket: str) -> TicketState:
        return self._ref(self._client.json("GET", self._path(ticket), query={"sysparm_fields": FIELDS})["result"]).state

    def turn(self, ticket: str, state: TicketState, update: Update) -> None:
        options = self._options
        changes: dict[str, object] = {"state": str(options.reopened_state)}
        if state is TicketState.CLOSED:
            changes = {"state": str(options.resolved_state), "close_code": options.close_code}
            changes["close_notes"] = update.comment
        if self._ref(self._write(ticket, changes)).state is not state:
            raise TicketError(f"ServiceNow did not set state {changes['state']}", permanent=True)

    def rank(self, ticket: str, priority: str) -> None:
        if changes := self._ranked(priority):
            self._write(ticket, changes)

    def probe(self) -> None:
        self._client.json("GET", self._path(), query={"sysparm_fields": FIELDS, "sysparm_limit": "1"})["result"]

    def _write(self, ticket: str, changes: Mapping[str, object]) -> Mapping[str, Any]:
        query = {"sysparm_fields": FIELDS}
        record: Mapping[str, Any] = self._client.json("PATCH", self._path(ticket), query=query, document=changes)[
            "result"
        ]
        return record

    def _ranked(self, priority: str) -> dict[str, object]:
        given = self._options.priorities.get(priority)
        return {"impact": str(given[0]), "urgency": str(given[1])} if given else {}

    def _path(self, ticket: str = "") -> str:
        path = f"/api/now/table/{quote(self._options.table, safe='')}"
        return f"{path}/{quote(ticket, safe='')}" if ticket else path

    def _ref(self, record: Mapping[str, Any]) -> TicketRef:
        ident = quote(str(record["sys_id"]), safe="")
        url = f"{checked_url(self._options.url)}/{quote(self._options.table, safe='')}.do?sys_id={ident}"
        state = TicketState.CLOSED if int(record["state"]) in self._closed else TicketState.OPEN
        return TicketRef(id=ident, url=url, state=state)


def _open(options: ServiceNowOptions, secrets: Secrets) -> TicketSystem:
    client = RestClient(
        url=checked_url(options.url),
        timeout_seconds=options.timeout_seconds,
        ca_file=options.ca_file,
        login=basic(options.user, options.password_file, secrets),
    )
    return ServiceNow(options, client)


SPEC = AdapterSpec(name="servicenow", options=ServiceNowOptions, open=_open, experimental=True)
