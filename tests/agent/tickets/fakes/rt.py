"""Request Tracker's REST2 as far as we use it; it refuses what the real one (5.0.3) refuses, in the same way."""

import re
from dataclasses import dataclass, field

from tests.agent.tickets.fakes.site import Reply, Request, reply

USER, PASSWORD, QUEUE = "paramedic", "right-password", "General"
STATUSES = {"new", "open", "stalled", "resolved", "rejected", "deleted"}


@dataclass(slots=True, kw_only=True)
class Ticket:
    id: int
    subject: str
    content: str
    priority: int
    refers_to: str
    status: str = "new"
    comments: list[tuple[str, str]] = field(default_factory=list)


class FakeRt:
    def __init__(self) -> None:
        self.tickets: dict[int, Ticket] = {}
        self.drops_links = False
        """As for an account without the right ModifyTicket."""

    def __call__(self, request: Request) -> Reply:
        if not request.is_from(USER, PASSWORD):
            return reply(401, {"message": "Unauthorized"})
        path = request.path.removeprefix("/REST/2.0")
        routes = (
            ("GET", "/rt", self._version),
            ("GET", "/queue/(.+)", self._queue),
            ("GET", "/tickets", self._search),
            ("GET", "/transactions", self._transactions),
            ("POST", "/ticket", self._create),
            ("GET", r"/ticket/(\d+)", self._show),
            ("PUT", r"/ticket/(\d+)", self._edit),
            ("POST", r"/ticket/(\d+)/comment", self._comment),
        )
        for method, pattern, answer in routes:
            if request.method == method and (found := re.fullmatch(pattern, path)):
                return answer(request, *found.groups())
        return reply(404, {"message": "Not Found"})

    def _version(self, _: Request) -> Reply:
        return reply(200, {"Version": "5.0.3"})

    def _queue(self, _: Request, name: str) -> Reply:
        if name != QUEUE:
            return reply(403, {"message": "Forbidden"})
        return reply(200, {"Name": QUEUE, "Disabled": "0", "id": 1})

    def _search(self, request: Request) -> Reply:
        found = re.fullmatch(r"RefersTo = '([^'\\]+)'", request.query.get("query", ""))
        if not found or request.query.get("fields") != "Status":
            return reply(400, {"message": "this query is not understood"})
        tickets = [t for t in self.tickets.values() if t.refers_to == found[1] and t.status != "deleted"]
        return reply(200, {"items": [{"id": str(t.id), "type": "ticket", "Status": t.status} for t in tickets]})

    def _transactions(self, request: Request) -> Reply:
        query = request.query.get("query", "")
        found = re.fullmatch(r"TicketId = (\d+) AND Type = 'Comment' AND Subject = '([^'\\]+)'", query)
        if not found:
            return reply(400, {"message": "this query is not understood"})
        ticket = self.tickets.get(int(found[1]))
        subjects = [subject for subject, _ in ticket.comments] if ticket else []
        return reply(200, {"items": [{"type": "transaction", "id": "1"}] * subjects.count(found[2]), "total": None})

    def _create(self, request: Request) -> Reply:
        document = request.document
        if document["Queue"] != QUEUE:
            return reply(403, {"message": f"No permission to create tickets in the queue '{document['Queue']}'"})
        if document["ContentType"] != "text/plain" or "\n" in document["Subject"]:
            return reply(400, {"message": "Content is not plain"})
        number = len(self.tickets) + 1
        self.tickets[number] = Ticket(
            id=number,
            subject=document["Subject"][:200],
            content=document["Content"],
            priority=document["Priority"],
            refers_to="" if self.drops_links else document["RefersTo"],
        )
        return reply(201, {"id": str(number), "type": "ticket"})

    def _show(self, _: Request, number: str) -> Reply:
        ticket = self.tickets.get(int(number))
        return (
            reply(200, {"id": ticket.id, "Status": ticket.status}) if ticket else reply(404, {"message": "Not Found"})
        )

    def _edit(self, request: Request, number: str) -> Reply:
        ticket = self.tickets.get(int(number))
        if ticket is None:
            return reply(404, {"message": "Resource does not exist; use POST to create"})
        ticket.priority = request.document.get("Priority", ticket.priority)
        status = request.document.get("Status", ticket.status)
        if status not in STATUSES:
            return reply(200, [f"Ticket {number}: Status '{status}' isn't a valid status for this ticket."])
        ticket.status = status
        return reply(200, [f"Ticket {number}: changed"])

    def _comment(self, request: Request, number: str) -> Reply:
        ticket = self.tickets.get(int(number))
        if ticket is None or request.document["ContentType"] != "text/plain":
            return reply(400, {"message": "Permission Denied"})
        ticket.comments.append((request.document["Subject"], request.document["Content"]))
        return reply(201, ["Comments added"])
