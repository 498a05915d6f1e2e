"""iTop's REST/JSON interface as far as we use it, as published; what that refuses is refused, in the same way."""

import json
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from tests.agent.tickets.fakes.site import Reply, Request, reply

USER, PASSWORD, ORGANIZATION = "paramedic", "right-password", "Acme"
CLASSES = ("UserRequest", "Incident")
WAYS = {
    ("new", "ev_autoresolve"): "resolved",
    ("assigned", "ev_autoresolve"): "resolved",
    ("resolved", "ev_reopen"): "assigned",
}


@dataclass(slots=True, kw_only=True)
class Ticket:
    fields: dict
    status: str = "new"
    entries: list[str] = field(default_factory=list)


class FakeItop:
    def __init__(self) -> None:
        self.tickets: list[Ticket] = []
        self.breaks_after_creating = False

    def __call__(self, request: Request) -> Reply:
        if request.path != "/webservices/rest.php" or request.query.get("version") != "1.3":
            return Reply(status=404, body=b"<html>Not Found</html>", headers={"Content-Type": "text/html"})
        if request.headers.get("Content-Type") != "application/x-www-form-urlencoded":
            return _said(2, "Missing parameter 'json_data'")
        if not request.is_from(USER, PASSWORD):
            return _said(1, "Invalid login")
        question = json.loads(parse_qs(request.body.decode())["json_data"][0])
        operations = {
            "core/get": self._get,
            "core/create": self._create,
            "core/update": self._update,
            "core/apply_stimulus": self._apply,
        }
        if question["operation"] not in operations:
            return _said(10, "Unknown verb")
        if question["class"] not in (*CLASSES, "Organization"):
            return _said(11, "Invalid class")
        return operations[question["operation"]](question)

    def _get(self, question: dict) -> Reply:
        key = question["key"]
        if question["class"] == "Organization":
            known = key == {"name": ORGANIZATION}
            return _said(0, "", {"Organization::1": {"key": "1", "fields": {"name": ORGANIZATION}}} if known else None)
        if isinstance(key, int):
            return self._found([key] if 0 < key <= len(self.tickets) else [], question)
        found = re.fullmatch(rf"SELECT {question['class']} WHERE description LIKE '%([\w-]+)%'", key)
        if not found:
            known = re.fullmatch(r"SELECT \w+ WHERE id = 0", key)
            return _said(0, "Found: 0", None) if known else _said(100, "Unexpected token in OQL")
        wanted = found[1]
        return self._found([n for n, t in enumerate(self.tickets, 1) if wanted in t.fields["description"]], question)

    def _create(self, question: dict) -> Reply:
        fields = question["fields"]
        if fields.get("org_id") != {"name": ORGANIZATION} or set(fields) - {
            "org_id",
            "title",
            "description",
            "impact",
            "urgency",
        }:
            return _said(100, "No item found with criteria")
        self.tickets.append(Ticket(fields=fields))
        if self.breaks_after_creating:
            return Reply(status=502, body=b"<html>Bad Gateway</html>", headers={"Content-Type": "text/html"})
        return self._found([len(self.tickets)], question)

    def _update(self, question: dict) -> Reply:
        key, fields = question["key"], question["fields"]
        if not 0 < key <= len(self.tickets):
            return _said(100, "No object found")
        if log := fields.pop("private_log", None):
            if log["add_item"]["format"] != "text":
                return _said(100, "Unknown format")
            self.tickets[key - 1].entries.insert(0, log["add_item"]["message"])
        self.tickets[key - 1].fields |= fields
        return self._found([key], question)

    def _apply(self, question: dict) -> Reply:
        ticket = self.tickets[question["key"] - 1]
        target = WAYS.get((ticket.status, question["stimulus"]))
        if target is None:
            return _said(100, f"Invalid stimulus: '{question['stimulus']}' in state '{ticket.status}'")
        ticket.status = target
        return self._found([question["key"]], question)

    def _found(self, numbers: list[int], question: dict) -> Reply:
        shown = {}
        for number in numbers:
            ticket = self.tickets[number - 1]
            values = {"status": ticket.status, "private_log": {"entries": [{"message": t} for t in ticket.entries]}}
            fields = {question["output_fields"]: values[question["output_fields"]]}
            shown[f"{question['class']}::{number}"] = {"code": 0, "key": str(number), "fields": fields}
        return _said(0, f"Found: {len(numbers)}", shown or None)


def _said(code: int, message: str, objects: dict | None = None) -> Reply:
    return reply(200, {"code": code, "message": message, "objects": objects})
