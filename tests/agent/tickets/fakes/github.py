"""GitHub's issues as far as we use them, after its published REST interface; what that refuses is refused."""

import re
from dataclasses import dataclass, field

from tests.agent.tickets.fakes.site import Reply, Request, reply

TOKEN, LOGIN, PROJECT = "right-password", "paramedic-bot", "acme/operations"


@dataclass(slots=True, kw_only=True)
class Issue:
    title: str
    body: str
    labels: list[str]
    state: str = "open"
    reason: str | None = None
    indexed: bool = True
    comments: list[dict] = field(default_factory=list)


class FakeGitHub:
    def __init__(self) -> None:
        self.issues: list[Issue] = []
        self.lags = False
        """New issues are not found by the search, which real ones are not for a while."""
        self.drops_labels = False
        """As for a token without write access."""
        self.comment_number = 100
        self.searches_left = 30

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _error(401, "Bad credentials")
        if request.headers.get("Accept") != "application/vnd.github+json" or not request.headers.get("User-Agent"):
            return _error(403, "Request forbidden by administrative rules")
        routes = (
            ("GET", "/search/issues", self._search),
            ("GET", f"/repos/{PROJECT}", self._repository),
            ("GET", f"/repos/{PROJECT}/issues", self._list),
            ("POST", f"/repos/{PROJECT}/issues", self._create),
            ("GET", rf"/repos/{PROJECT}/issues/(\d+)", self._show),
            ("PATCH", rf"/repos/{PROJECT}/issues/(\d+)", self._edit),
            ("GET", rf"/repos/{PROJECT}/issues/(\d+)/comments", self._comments),
            ("POST", rf"/repos/{PROJECT}/issues/(\d+)/comments", self._comment),
        )
        for method, pattern, answer in routes:
            found = re.fullmatch(pattern, request.path)
            if request.method == method and found:
                if found.groups() and not 0 < int(found[1]) <= len(self.issues):
                    return _error(404, "Not Found")
                return answer(request, *found.groups())
        return _error(404, "Not Found")

    def say(self, number: str, login: str, body: str) -> None:
        """What somebody writes in the browser."""
        self.comment_number += 1
        comment = {"id": self.comment_number, "body": body, "user": {"login": login}}
        self.issues[int(number) - 1].comments.append(comment)

    def _repository(self, _: Request) -> Reply:
        return reply(200, {"full_name": PROJECT, "has_issues": True, "permissions": {"push": True}})

    def _search(self, request: Request) -> Reply:
        if not self.searches_left:
            headers = {"X-RateLimit-Remaining": "0"}
            return reply(403, {"message": "API rate limit exceeded"}, **headers)
        self.searches_left -= 1
        found = re.fullmatch(rf'"([\w-]+)" repo:{PROJECT} is:issue in:body', request.query.get("q", ""))
        if not found:
            return _error(422, "Validation Failed")
        items = [self._shown(n) for n, each in enumerate(self.issues, 1) if each.indexed and found[1] in each.body]
        return reply(200, {"total_count": len(items), "incomplete_results": False, "items": items})

    def _list(self, request: Request) -> Reply:
        query = request.query
        shown = [
            self._shown(number)
            for number, each in enumerate(self.issues, 1)
            if query.get("labels", "") in ["", *each.labels] and query.get("state", "open") in ("all", each.state)
        ]
        return reply(200, shown[::-1][: int(query.get("per_page", "30"))])

    def _create(self, request: Request) -> Reply:
        document = request.document
        if set(document) - {"title", "body", "labels"} or not document["title"]:
            return _error(422, "Validation Failed")
        labels = [] if self.drops_labels else document["labels"]
        self.issues.append(Issue(title=document["title"], body=document["body"], labels=labels, indexed=not self.lags))
        return reply(201, self._shown(len(self.issues)))

    def _show(self, _: Request, number: str) -> Reply:
        return reply(200, self._shown(int(number)))

    def _edit(self, request: Request, number: str) -> Reply:
        document = request.document
        if document.get("state") not in ("open", "closed") or set(document) - {"state", "state_reason"}:
            return _error(422, "Validation Failed")
        issue = self.issues[int(number) - 1]
        issue.state, issue.reason = document["state"], document.get("state_reason")
        return self._show(request, number)

    def _comments(self, request: Request, number: str) -> Reply:
        size, page = int(request.query.get("per_page", "30")), int(request.query.get("page", "1"))
        return reply(200, self.issues[int(number) - 1].comments[(page - 1) * size : page * size])

    def _comment(self, request: Request, number: str) -> Reply:
        if set(request.document) != {"body"}:
            return _error(422, "Validation Failed")
        self.say(number, LOGIN, request.document["body"])
        return reply(201, self.issues[int(number) - 1].comments[-1])

    def _shown(self, number: int) -> dict:
        issue = self.issues[number - 1]
        return {
            "number": number,
            "title": issue.title,
            "body": issue.body,
            "state": issue.state,
            "state_reason": issue.reason,
            "html_url": f"https://github.test/{PROJECT}/issues/{number}",
            "labels": [{"name": name} for name in issue.labels],
            "user": {"login": LOGIN},
        }


def _error(status: int, message: str) -> Reply:
    return reply(status, {"message": message, "documentation_url": "https://docs.github.com/rest"})
