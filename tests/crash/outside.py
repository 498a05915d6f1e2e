"""The world outside the daemon: a ticket system that never forgets, and never mends what it is asked to do twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.agent.tickets.fakes.site import Reply, Request, reply, serving


@dataclass(slots=True)
class Ticket:
    """One ticket; `changes` are (operation, key) in the order in which they were made."""

    id: str
    correlation: str
    state: str = "open"
    changes: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class TicketDesk:
    """Makes a ticket for every creation that arrives, however often. Of changes it drops those it has seen."""

    tickets: list[Ticket] = field(default_factory=list)
    by_correlation: dict[str, Ticket] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    """What no client in its right mind asks for."""
    port: int = 0

    def __call__(self, request: Request) -> Reply:
        if request.method == "GET":
            return self._find(request.query["correlation"])
        if len(request.body) < int(request.headers["Content-Length"]):
            return reply(400, {"message": "the sender died in the middle"})
        if request.document["op"] == "create":
            return self._create(request.document["correlation"])
        return self._change(request.document, request.headers["Idempotency-Key"])

    def _find(self, correlation: str) -> Reply:
        found = self.by_correlation.get(correlation)
        if found is None:
            return Reply(status=204)
        return reply(200, {"id": found.id, "url": "", "state": found.state})

    def _create(self, correlation: str) -> Reply:
        ticket = Ticket(id=f"T{len(self.tickets) + 1}", correlation=correlation)
        self.tickets.append(ticket)
        self.by_correlation.setdefault(correlation, ticket)
        return reply(201, {"id": ticket.id})

    def _change(self, document: dict[str, str], key: str) -> Reply:
        number = int(document["id"].removeprefix("T"))
        ticket = self.tickets[number - 1] if 0 < number <= len(self.tickets) else None
        if ticket is None:
            self.refused.append(f"{document['op']} of {document['id']}")
            return reply(404, {"message": "no such ticket"})
        change = (document["op"], key)
        if change not in ticket.changes:
            ticket.changes.append(change)
            ticket.state = {"close": "closed", "reopen": "open"}.get(document["op"], ticket.state)
        return Reply(body=b"ok")


@contextmanager
def ticket_desk() -> Iterator[TicketDesk]:
    desk = TicketDesk()
    with serving(desk) as desk.port:
        yield desk
