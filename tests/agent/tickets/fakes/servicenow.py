"""ServiceNow's Table API as far as we use it, as published; what that refuses is refused, what it drops is dropped."""

import re

from tests.agent.tickets.fakes.site import Reply, Request, reply

USER, PASSWORD = "paramedic", "right-password"
COLUMNS = {
    "short_description",
    "description",
    "correlation_id",
    "correlation_display",
    "impact",
    "urgency",
    "assignment_group",
    "state",
    "close_code",
    "close_notes",
    "work_notes",
}


class FakeServiceNow:
    def __init__(self) -> None:
        self.records: dict[str, dict[str, str]] = {}
        self.notes: dict[str, list[str]] = {}
        self.unwritable: set[str] = set()
        """Columns that the account may not write: dropped without a word."""

    def __call__(self, request: Request) -> Reply:
        if not request.is_from(USER, PASSWORD):
            return _error(401, "User Not Authenticated")
        found = re.fullmatch(r"/api/now/table/(\w+)(?:/(\w+))?", request.path)
        if not found or found[1] != "incident":
            return _error(400, "Invalid table")
        if found[2] is None:
            return {"GET": self._search, "POST": self._create}[request.method](request)
        if found[2] not in self.records:
            return _error(404, "No Record found")
        return {"GET": self._show, "PATCH": self._edit}[request.method](request, found[2])

    def _search(self, request: Request) -> Reply:
        query = request.query.get("sysparm_query", "")
        found = re.match(r"correlation_id=([\w-]+)\^ORDERBYsys_created_on$", query)
        chosen = [each for each in self.records.values() if not found or each["correlation_id"] == found[1]]
        limit = int(request.query.get("sysparm_limit", "10000"))
        return reply(200, {"result": [_shown(each, request) for each in chosen[:limit]]})

    def _create(self, request: Request) -> Reply:
        ident = f"{len(self.records) + 1:032x}"
        self.records[ident] = dict.fromkeys(COLUMNS, "") | {"sys_id": ident, "number": f"INC{len(self.records):07}"}
        self.records[ident]["state"] = "1"
        self.notes[ident] = []
        self._write(ident, request.document)
        return reply(201, {"result": _shown(self.records[ident], request)})

    def _show(self, request: Request, ident: str) -> Reply:
        record = self.records[ident]
        if request.query.get("sysparm_display_value") == "true":
            entries = [f"2026-11-22 17:00:00 - Agent (Work notes)\n{text}\n\n" for text in reversed(self.notes[ident])]
            record = record | {"work_notes": "".join(entries)}
        return reply(200, {"result": _shown(record, request)})

    def _edit(self, request: Request, ident: str) -> Reply:
        document = request.document
        if document.get("state") == "6" and not (document.get("close_code") and document.get("close_notes")):
            return _error(403, "Operation Failed")  # a data policy wants both
        self._write(ident, document)
        return reply(200, {"result": _shown(self.records[ident], request)})

    def _write(self, ident: str, document: dict[str, str]) -> None:
        kept = {name: value for name, value in document.items() if name in COLUMNS - self.unwritable}
        if "work_notes" in kept:
            self.notes[ident].append(kept.pop("work_notes"))
        self.records[ident] |= {name: str(value) for name, value in kept.items()}


def _shown(record: dict[str, str], request: Request) -> dict[str, str]:
    return {name: record[name] for name in request.query["sysparm_fields"].split(",")}


def _error(status: int, message: str) -> Reply:
    return reply(status, {"error": {"message": message, "detail": ""}, "status": "failure"})
