"""GLPI's REST interface as far as we use it, as published; what that refuses is refused, in the same way."""

import re
from dataclasses import dataclass, field

from tests.agent.tickets.fakes.site import Reply, Request, reply

TOKEN, APP_TOKEN = "right-password", "app-token"


@dataclass(slots=True, kw_only=True)
class Ticket:
    fields: dict
    comments: list[str] = field(default_factory=list)


class FakeGlpi:
    def __init__(self) -> None:
        self.tickets: list[Ticket] = []
        self.session = ""
        """The only one that is good; a test ends it by taking it away."""
        self.sessions = 0
        self.keeps_status = False
        """As for a profile that may not change it."""

    def __call__(self, request: Request) -> Reply:
        path = request.path.removeprefix("/apirest.php")
        if request.headers.get("App-Token") != APP_TOKEN:
            return _error(400, "ERROR_WRONG_APP_TOKEN_PARAMETER")
        if path == "/initSession":
            return self._begin(request)
        if not self.session or request.headers.get("Session-Token") != self.session:
            return _error(401, "ERROR_SESSION_TOKEN_INVALID")
        routes = (
            ("GET", "/search/Ticket", self._search),
            ("GET", r"/Entity/(\d+)", self._entity),
            ("POST", "/Ticket", self._create),
            ("GET", r"/Ticket/(\d+)", self._show),
            ("PUT", r"/Ticket/(\d+)", self._edit),
            ("GET", r"/Ticket/(\d+)/ITILFollowup", self._comments),
            ("POST", "/ITILFollowup", self._comment),
        )
        for method, pattern, answer in routes:
            found = re.fullmatch(pattern, path)
            if request.method == method and found:
                if pattern.startswith("/Ticket/") and not self._has(found[1]):
                    return _error(404, "ERROR_ITEM_NOT_FOUND")
                return answer(request, *found.groups())
        return _error(400, "ERROR_RESOURCE_NOT_FOUND_NOR_COMMONDBTM")

    def _begin(self, request: Request) -> Reply:
        if request.headers.get("Authorization") != f"user_token {TOKEN}":
            return _error(401, "ERROR_GLPI_LOGIN_USER_TOKEN")
        self.sessions += 1
        self.session = f"session-{self.sessions}"
        return reply(200, {"session_token": self.session})

    def _has(self, number: object) -> bool:
        return 0 < int(str(number)) <= len(self.tickets)

    def _entity(self, _: Request, number: str) -> Reply:
        return reply(200, {"id": 0, "name": "Root"}) if number == "0" else _error(404, "ERROR_ITEM_NOT_FOUND")

    def _search(self, request: Request) -> Reply:
        query = request.query
        if query.get("criteria[0][field]") != "21" or query.get("criteria[0][searchtype]") != "contains":
            return _error(400, "ERROR")
        wanted = query["criteria[0][value]"]
        rows = [
            {"2": number, "1": ticket.fields["name"]}
            for number, ticket in enumerate(self.tickets, 1)
            if wanted in ticket.fields["content"]
        ]
        return reply(200, {"totalcount": len(rows), "count": len(rows)} | ({"data": rows} if rows else {}))

    def _create(self, request: Request) -> Reply:
        fields = request.document["input"]
        if fields["entities_id"] != 0:
            return _error(403, "ERROR_RIGHT_MISSING")
        if set(fields) - {"name", "content", "entities_id", "type", "priority"} or not fields["name"]:
            return _error(400, "ERROR_GLPI_ADD")
        self.tickets.append(Ticket(fields=fields | {"status": 1}))
        return reply(201, {"id": len(self.tickets), "message": ""})

    def _show(self, _: Request, number: str) -> Reply:
        return reply(200, {"id": int(number), **self.tickets[int(number) - 1].fields})

    def _edit(self, request: Request, number: str) -> Reply:
        changes = request.document["input"]
        if self.keeps_status:
            changes.pop("status", None)
        self.tickets[int(number) - 1].fields |= changes
        return reply(200, [{number: True, "message": ""}])

    def _comments(self, request: Request, number: str) -> Reply:
        comments = self.tickets[int(number) - 1].comments
        shown = [{"id": i, "content": text} for i, text in enumerate(comments, 1)]
        return reply(200, shown[::-1] if request.query.get("order") == "DESC" else shown)

    def _comment(self, request: Request) -> Reply:
        fields = request.document["input"]
        if fields["itemtype"] != "Ticket" or not self._has(fields["items_id"]):
            return _error(400, "ERROR_GLPI_ADD")
        ticket = self.tickets[fields["items_id"] - 1]
        ticket.comments.append(fields["content"])
        if ticket.fields["status"] == 5:  # a follow-up to what is solved opens it again
            ticket.fields["status"] = 2
        return reply(201, {"id": len(ticket.comments), "message": ""})


def _error(status: int, code: str) -> Reply:
    return reply(status, [code, "see the documentation"])
