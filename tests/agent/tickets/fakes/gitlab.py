"""GitLab's issues as far as we use them, after its published REST interface; what that refuses is refused."""

import re
from dataclasses import dataclass, field

from tests.agent.tickets.fakes.site import Reply, Request, reply

TOKEN, USERNAME, PROJECT = "right-password", "paramedic-bot", "acme%2Foperations"


@dataclass(slots=True, kw_only=True)
class Issue:
    title: str
    description: str
    state: str = "opened"
    labels: list[str] = field(default_factory=list)
    notes: list[dict] = field(default_factory=list)


class FakeGitLab:
    def __init__(self) -> None:
        self.issues: list[Issue] = []
        self.note_number = 100

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("PRIVATE-TOKEN") != TOKEN:
            return reply(401, {"message": "401 Unauthorized"})
        path = request.path.removeprefix("/api/v4")
        if path == "/user":
            return reply(200, {"id": 7, "username": USERNAME})
        routes = (
            ("GET", "", self._project),
            ("GET", "/issues", self._search),
            ("POST", "/issues", self._create),
            ("GET", r"/issues/(\d+)", self._show),
            ("PUT", r"/issues/(\d+)", self._edit),
            ("GET", r"/issues/(\d+)/notes", self._notes),
            ("POST", r"/issues/(\d+)/notes", self._note),
        )
        for method, pattern, answer in routes:
            found = re.fullmatch(f"/projects/{PROJECT}{pattern}", path)
            if request.method == method and found:
                if found.groups() and not 0 < int(found[1]) <= len(self.issues):
                    return reply(404, {"message": "404 Issue Not Found"})
                return answer(request, *found.groups())
        return reply(404, {"message": "404 Project Not Found"})

    def say(self, number: str, who: tuple[int, str], body: str, *, system: bool = False) -> None:
        self.note_number += 1
        author = {"id": who[0], "username": who[1]}
        note = {"id": self.note_number, "body": body, "author": author, "system": system}
        self.issues[int(number) - 1].notes.insert(0, note)

    def _project(self, _: Request) -> Reply:
        return reply(200, {"id": 1, "issues_enabled": True, "archived": False})

    def _search(self, request: Request) -> Reply:
        query = request.query
        if query.get("in") != "description" or query.get("state") != "all" or query.get("scope") != "all":
            return reply(400, {"error": "this is not how we search"})
        wanted = query["search"]
        return reply(200, [self._shown(n) for n, i in enumerate(self.issues, 1) if wanted in i.description])

    def _create(self, request: Request) -> Reply:
        document = request.document
        if set(document) - {"title", "description", "labels", "confidential"} or not isinstance(
            document["labels"], str
        ):
            return reply(400, {"error": "labels is invalid"})
        labels = document["labels"].split(",")
        self.issues.append(Issue(title=document["title"], description=document["description"], labels=labels))
        return reply(201, self._shown(len(self.issues)))

    def _show(self, _: Request, number: str) -> Reply:
        return reply(200, self._shown(int(number)))

    def _edit(self, request: Request, number: str) -> Reply:
        event = request.document.get("state_event")
        if event not in ("close", "reopen"):
            return reply(400, {"error": "state_event does not have a valid value"})
        self.issues[int(number) - 1].state = "closed" if event == "close" else "opened"
        self.say(number, (7, USERNAME), event, system=True)
        return self._show(request, number)

    def _notes(self, request: Request, number: str) -> Reply:
        size, page = int(request.query.get("per_page", "20")), int(request.query.get("page", "1"))
        return reply(200, self.issues[int(number) - 1].notes[(page - 1) * size : page * size])

    def _note(self, request: Request, number: str) -> Reply:
        self.say(number, (7, USERNAME), request.document["body"])
        return reply(201, self.issues[int(number) - 1].notes[0])

    def _shown(self, number: int) -> dict:
        issue = self.issues[number - 1]
        return {
            "iid": number,
            "id": 5000 + number,
            "description": issue.description,
            "state": issue.state,
            "labels": issue.labels,
            "author": {"id": 7, "username": USERNAME},
            "web_url": f"https://gitlab.test/acme/operations/-/issues/{number}",
        }
