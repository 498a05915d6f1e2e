"""A receiver of our webhook that keeps its side of the promise: it checks signatures and drops keys it has seen."""

import hashlib
import hmac
from dataclasses import dataclass, field

from tests.agent.tickets.fakes.site import Reply, Request, reply

TOKEN, KEY = "right-password", "signing-key"


@dataclass(slots=True)
class FakeReceiver:
    tickets: dict[str, dict[str, object]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return reply(401, {"message": "who are you?"})
        if request.path != "/tickets":
            return reply(404, {"message": "nothing here"})
        if request.method == "GET":
            return self._find(request.query["correlation"])
        if request.method != "POST":
            return Reply(status=405)
        expected = "sha256=" + hmac.new(KEY.encode(), request.body, hashlib.sha256).hexdigest()
        if request.headers.get("X-Paramedic-Signature") != expected:
            return reply(403, {"message": "the signature is wrong"})
        return self._receive(request.headers["Idempotency-Key"], request.document)

    def _find(self, correlation: str) -> Reply:
        if correlation not in self.tickets:
            return Reply(status=204)
        return reply(200, {"id": correlation, "url": "", "state": self.tickets[correlation]["state"]})

    def _receive(self, key: str, document: dict[str, str]) -> Reply:
        if key in self.seen:
            return reply(200, {"id": document.get("correlation", "")})
        self.seen.add(key)
        if document["op"] == "create":
            ticket = {"title": document["title"], "state": "open", "comments": []}
            self.tickets[document["correlation"]] = ticket
            return reply(201, {"id": document["correlation"]})
        if document["id"] not in self.tickets:
            return reply(404, {"message": "no such ticket"})
        ticket = self.tickets[document["id"]]
        ticket["comments"].append(document["comment"])
        ticket["state"] = {"close": "closed", "reopen": "open"}.get(document["op"], ticket["state"])
        return Reply(status=200, body=b"ok")
