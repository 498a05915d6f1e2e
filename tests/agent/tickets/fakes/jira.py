"""Jira's cloud as far as we use it, after its published REST interface (version 2); what that refuses is refused."""

import re
from dataclasses import dataclass, field

from tests.agent.tickets.fakes.site import Reply, Request, reply

USER, TOKEN, PROJECT = "agent@acme.test", "right-password", "OPS"
ACCOUNT = "557058:0a1b"
STATUSES = {"To Do": "new", "In Progress": "indeterminate", "Done": "done"}
PRIORITIES = ("Highest", "High", "Medium", "Low", "Lowest")
FIRST = 10000


@dataclass(slots=True, kw_only=True)
class Issue:
    fields: dict
    status: str = "To Do"
    resolution: str | None = None
    indexed: bool = True
    comments: list[dict] = field(default_factory=list)


class FakeJira:
    def __init__(self) -> None:
        self.issues: list[Issue] = []
        self.lags = False
        """New issues are not found by the search, which real ones are not for a while."""
        self.comment_number = 100

    def __call__(self, request: Request) -> Reply:
        if not request.is_from(USER, TOKEN):
            return _error(401, "Client must be authenticated to access this resource.")
        routes = (
            ("GET", "/myself", self._myself),
            ("GET", "/search/jql", self._search),
            ("GET", "/project/(.+)", self._project),
            ("POST", "/issue", self._create),
            ("GET", r"/issue/(\d+)", self._show),
            ("PUT", r"/issue/(\d+)", self._edit),
            ("GET", r"/issue/(\d+)/comment", self._comments),
            ("POST", r"/issue/(\d+)/comment", self._comment),
            ("GET", r"/issue/(\d+)/transitions", self._transitions),
            ("POST", r"/issue/(\d+)/transitions", self._transit),
        )
        for method, pattern, answer in routes:
            found = re.fullmatch(f"/rest/api/2{pattern}", request.path)
            if request.method == method and found:
                if r"\d" in pattern:
                    return (
                        answer(request, self._issue(found[1]))
                        if self._issue(found[1])
                        else _error(404, "Issue does not exist")
                    )
                return answer(request, *found.groups())
        return _error(404, "Not Found")

    def say(self, number: str, account: str, body: str) -> None:
        self.comment_number += 1
        comment = {"id": str(self.comment_number), "body": body, "author": {"accountId": account}}
        self._issue(number).comments.append(comment)

    def _issue(self, number: str) -> Issue | None:
        position = int(number) - FIRST - 1
        return self.issues[position] if 0 <= position < len(self.issues) else None

    def _myself(self, _: Request) -> Reply:
        return reply(200, {"accountId": ACCOUNT, "displayName": "Agent"})

    def _project(self, _: Request, key: str) -> Reply:
        if key != PROJECT:
            return _error(404, f"No project could be found with key '{key}'.")
        return reply(200, {"key": PROJECT, "issueTypes": [{"name": "Task"}, {"name": "Bug"}]})

    def _search(self, request: Request) -> Reply:
        found = re.fullmatch(r'labels = "([\w-]+)" ORDER BY created ASC', request.query.get("jql", ""))
        if not found:
            return _error(400, "Error in the JQL Query")
        issues = [each for each in self.issues if each.indexed and found[1] in each.fields["labels"]]
        shown = [self._shown(each, request.query["fields"]) for each in issues]
        return reply(200, {"issues": shown, "isLast": True})

    def _create(self, request: Request) -> Reply:
        fields = request.document["fields"]
        if set(fields) - {"project", "issuetype", "summary", "description", "labels", "priority"}:
            return _error(400, "Field cannot be set. It is not on the appropriate screen, or unknown.")
        wrong = "\n" in fields["summary"] or any(" " in label for label in fields["labels"])
        if fields["project"] != {"key": PROJECT} or fields["issuetype"]["name"] not in ("Task", "Bug") or wrong:
            return _error(400, "valid project is required")
        if fields.get("priority", {"name": "Low"})["name"] not in PRIORITIES:
            return _error(400, "The priority selected is invalid.")
        self.issues.append(Issue(fields=fields, indexed=not self.lags))
        return reply(201, {"id": str(FIRST + len(self.issues)), "key": f"{PROJECT}-{len(self.issues)}"})

    def _show(self, request: Request, issue: Issue) -> Reply:
        return reply(200, self._shown(issue, request.query["fields"]))

    def _edit(self, request: Request, issue: Issue) -> Reply:
        if set(request.document["fields"]) != {"priority"}:
            return _error(400, "Field cannot be set.")
        issue.fields |= request.document["fields"]
        return Reply(status=204)

    def _comments(self, request: Request, issue: Issue) -> Reply:
        start, size = int(request.query.get("startAt", "0")), int(request.query.get("maxResults", "50"))
        return reply(200, {"comments": issue.comments[start : start + size], "total": len(issue.comments)})

    def _comment(self, request: Request, issue: Issue) -> Reply:
        self.say(str(FIRST + 1 + self.issues.index(issue)), ACCOUNT, request.document["body"])
        return reply(201, issue.comments[-1])

    def _transitions(self, _: Request, issue: Issue) -> Reply:
        ways = [
            {"id": str(number), "name": f"to {name}", "to": {"name": name}}
            for number, name in enumerate(STATUSES, 11)
            if name != issue.status
        ]
        return reply(200, {"transitions": ways})

    def _transit(self, request: Request, issue: Issue) -> Reply:
        names = dict(enumerate(STATUSES, 11))
        wanted = names.get(int(request.document["transition"]["id"]))
        if wanted in (None, issue.status):
            return _error(400, "It seems that you have tried to perform an illegal workflow operation.")
        issue.status, issue.resolution = wanted, "Done" if wanted == "Done" else None
        return Reply(status=204)

    def _shown(self, issue: Issue, wanted: str) -> dict:
        number = 1 + next(i for i, each in enumerate(self.issues) if each is issue)
        status = {"name": issue.status, "statusCategory": {"key": STATUSES[issue.status]}}
        resolution = {"name": issue.resolution} if issue.resolution else None
        fields = {"status": status, "labels": issue.fields["labels"], "resolution": resolution}
        asked = {name: fields[name] for name in wanted.split(",")}
        return {"id": str(FIRST + number), "key": f"{PROJECT}-{number}", "fields": asked}


def _error(status: int, message: str) -> Reply:
    return reply(status, {"errorMessages": [message], "errors": {}})
