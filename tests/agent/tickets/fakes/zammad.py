"""Zammad's REST interface as far as we use it, as published; what that refuses is refused, in the same way."""

import re
from dataclasses import dataclass

from tests.agent.tickets.fakes.site import Reply, Request, reply

TOKEN, CUSTOMER, GROUP = "right-password", "ops@acme.test", "Users"
STATES = ("new", "open", "pending reminder", "closed", "merged")
PRIORITIES = ("1 low", "2 normal", "3 high")


@dataclass(slots=True, kw_only=True)
class Ticket:
    title: str
    priority: str
    articles: list[dict]
    state: str = "new"
    indexed: bool = True


class FakeZammad:
    def __init__(self) -> None:
        self.tickets: list[Ticket] = []
        self.lags = False
        """New tickets are not found by the search, which with Elasticsearch they are not for a while."""

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("Authorization") != f"Token token={TOKEN}":
            return reply(401, {"error": "Invalid token."})
        routes = (
            ("GET", "/users/me", self._me),
            ("GET", "/roles", self._roles),
            ("GET", "/tickets/search", self._search),
            ("POST", "/tickets", self._create),
            ("GET", r"/tickets/(\d+)", self._show),
            ("PUT", r"/tickets/(\d+)", self._edit),
            ("GET", r"/ticket_articles/by_ticket/(\d+)", self._articles),
            ("POST", "/ticket_articles", self._article),
        )
        for method, pattern, answer in routes:
            found = re.fullmatch(f"/api/v1{pattern}", request.path)
            if request.method == method and found:
                if found.groups() and not self._has(found[1]):
                    return reply(404, {"error": f"Couldn't find Ticket with 'id'={found[1]}"})
                return answer(request, *found.groups())
        return reply(404, {"error": "No route matches"})

    def _has(self, number: object) -> bool:
        return 0 < int(str(number)) <= len(self.tickets)

    def _me(self, _: Request) -> Reply:
        return reply(200, {"id": 3, "login": "agent@acme.test", "groups": {}, "roles": ["Agent"]})

    def _roles(self, _: Request) -> Reply:
        roles = {"Admin": {"Nope": ["full"]}, "Agent": {GROUP: ["full"]}}
        return reply(200, [{"name": name, "groups": groups} for name, groups in roles.items()])

    def _search(self, request: Request) -> Reply:
        found = re.fullmatch(r'"([\w-]+)"', request.query["query"])
        if not found or request.query.get("expand") != "true":
            return reply(422, {"error": "this is not how we search"})
        items = [
            self._shown(number)
            for number, each in enumerate(self.tickets, 1)
            if each.indexed and any(found[1] in article["body"] for article in each.articles)
        ]
        return reply(200, items)

    def _create(self, request: Request) -> Reply:
        document = request.document
        if document.get("group") != GROUP:
            return reply(422, {"error": f"No lookup value found for 'group': {document.get('group')!r}"})
        if document.get("customer") != CUSTOMER or refused(document["article"]):
            return reply(422, {"error": "Missing required value for field 'customer_id'!"})
        if wrong := _unknown(document):
            return wrong
        priority = document.get("priority", "2 normal")
        articles = [document["article"]]
        self.tickets.append(
            Ticket(title=document["title"], priority=priority, articles=articles, indexed=not self.lags)
        )
        return reply(201, self._shown(len(self.tickets)))

    def _show(self, _: Request, number: str) -> Reply:
        return reply(200, self._shown(int(number)))

    def _edit(self, request: Request, number: str) -> Reply:
        document = request.document
        if wrong := _unknown(document):
            return wrong
        ticket = self.tickets[int(number) - 1]
        ticket.state = document.get("state", ticket.state)
        ticket.priority = document.get("priority", ticket.priority)
        return self._show(request, number)

    def _articles(self, _: Request, number: str) -> Reply:
        return reply(200, self.tickets[int(number) - 1].articles)

    def _article(self, request: Request) -> Reply:
        document = request.document
        if not self._has(document["ticket_id"]):
            return reply(404, {"error": "Couldn't find Ticket"})
        if refused(document):
            return reply(422, {"error": 'Need at least article: { body: "some text" }'})
        self.tickets[document["ticket_id"] - 1].articles.append(document)
        return reply(201, document)

    def _shown(self, number: int) -> dict:
        ticket = self.tickets[number - 1]
        return {"id": number, "title": ticket.title, "state": ticket.state, "priority": ticket.priority, "group": GROUP}


def refused(article: dict) -> bool:
    return not article["body"] or article["type"] != "note" or article["content_type"] != "text/plain"


def _unknown(document: dict) -> Reply | None:
    for name, known in (("state", STATES), ("priority", PRIORITIES)):
        if name in document and document[name] not in known:
            return reply(422, {"error": f"No lookup value found for '{name}': {document[name]!r}"})
    return None
