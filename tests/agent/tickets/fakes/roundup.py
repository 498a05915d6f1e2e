"""roundup's REST as far as we use it; it refuses what the real one (2.6) refuses, in the same way."""

import re
from dataclasses import dataclass, field

from tests.agent.tickets.fakes.site import Reply, Request, reply

USER, PASSWORD, PATH = "paramedic", "right-password", "/tracker"
STATUSES = ("unread", "deferred", "chatting", "need-eg", "in-progress", "testing", "done-cbb", "resolved")
PRIORITIES = ("critical", "urgent", "bug", "feature", "wish")


@dataclass(slots=True, kw_only=True)
class Issue:
    title: str
    messages: list[str]
    status: str
    priority: str
    version: int = 0

    @property
    def etag(self) -> str:
        return f'"{self.version:032x}"'


@dataclass(slots=True)
class FakeRoundup:
    port: int = 0
    """Where clients see it; only requests that say they come from there are let through."""
    issues: list[Issue] = field(default_factory=list)
    messages: list[dict[str, str]] = field(default_factory=list)
    others_edit: int = 0
    """So many times, somebody else edits an issue between our reading and our writing of it."""

    def __call__(self, request: Request) -> Reply:
        if not request.is_from(USER, PASSWORD):
            return Reply(status=401, body=b"Invalid Login", headers={"Content-Type": "text/plain"})
        if request.method != "GET" and not self._is_ours(request):
            return _error(400, "Required Header Missing")
        routes = (
            ("GET", "/data/(status|priority)", self._names),
            ("GET", "/data/user", self._users),
            ("GET", "/data/msg", self._find_messages),
            ("POST", "/data/msg", self._add_message),
            ("GET", "/data/issue", self._find_issues),
            ("POST", "/data/issue", self._add_issue),
            ("GET", r"/data/issue/(\d+)", self._show),
            ("PATCH", r"/data/issue/(\d+)", self._change),
        )
        path = request.path.removeprefix(f"{PATH}/rest")
        for method, pattern, answer in routes:
            if request.method == method and (found := re.fullmatch(pattern, path)):
                return answer(request, *found.groups())
        return _error(404, f"Class {path} not found")

    def _is_ours(self, request: Request) -> bool:
        origin = f"http://127.0.0.1:{self.port}"
        headers = request.headers
        referred = headers.get("Referer", "").startswith(f"{origin}{PATH}/")
        return bool(headers.get("X-Requested-With")) and headers.get("Origin") == origin and referred

    def _names(self, _: Request, kind: str) -> Reply:
        names = STATUSES if kind == "status" else PRIORITIES
        return _collection([{"id": str(number), "name": name} for number, name in enumerate(names, 1)])

    def _users(self, request: Request) -> Reply:
        names = {"1": "admin", "2": "paramedic-test", "3": USER}
        found = [{"id": i, "username": name} for i, name in names.items() if request.query["username"] in name]
        return _collection(found)

    def _find_messages(self, request: Request) -> Reply:
        wanted = request.query["messageid"]
        found = [{"id": m["id"], "messageid": m["messageid"]} for m in self.messages if wanted in m["messageid"]]
        return _collection(found)

    def _add_message(self, request: Request) -> Reply:
        message = {"id": str(len(self.messages) + 1), **request.document}
        self.messages.append(message)
        return reply(201, {"data": {"id": message["id"]}})

    def _find_issues(self, request: Request) -> Reply:
        wanted = request.query["messages"]
        found = [(i, issue) for i, issue in enumerate(self.issues, 1) if wanted in issue.messages]
        return _collection([{"id": str(number), "status.name": issue.status} for number, issue in found])

    def _add_issue(self, request: Request) -> Reply:
        document = request.document
        if refused := self._wrong(document):
            return refused
        if any("author" not in self.messages[int(number) - 1] for number in document["messages"]):
            return _error(409, '"nosy" multilink value ([None]) must contain Strings')
        defaults = {"status": "unread", "priority": "bug"}
        self.issues.append(Issue(**(defaults | document)))
        return reply(201, {"data": {"id": str(len(self.issues))}})

    def _show(self, _: Request, number: str) -> Reply:
        issue = self._issue(number)
        if issue is None:
            return _error(404, f"no such issue {number}")
        fields = {"messages": [{"id": message} for message in issue.messages], "status.name": issue.status}
        answer = reply(200, {"data": {"id": number, "attributes": fields, "@etag": issue.etag}})
        if self.others_edit:
            self.others_edit -= 1
            issue.version += 1
        return answer

    def _change(self, request: Request, number: str) -> Reply:
        issue = self._issue(number)
        if issue is None:
            return _error(404, f"no such issue {number}")
        if request.headers.get("If-Match") != issue.etag:
            return _error(412, "If-Match is missing or does not match.")
        if refused := self._wrong(request.document):
            return refused
        changes = request.document
        if changes.get("messages", issue.messages) != issue.messages and "status" not in changes:
            changes["status"] = "chatting"
        for name, value in changes.items():
            setattr(issue, name, value)
        issue.version += 1
        return reply(200, {"data": {"id": number}})

    def _issue(self, number: str) -> Issue | None:
        return self.issues[int(number) - 1] if 0 < int(number) <= len(self.issues) else None

    def _wrong(self, document: dict[str, str]) -> Reply | None:
        for kind, names in (("status", STATUSES), ("priority", PRIORITIES)):
            if kind in document and document[kind] not in names:
                return _error(400, f"property {kind}: '{document[kind]}' is not a {kind}.")
        return None


def _error(status: int, message: str) -> Reply:
    return reply(status, {"error": {"status": status, "msg": message}})


def _collection(items: list[dict[str, str]]) -> Reply:
    return reply(200, {"data": {"collection": items, "@total_size": len(items)}})
