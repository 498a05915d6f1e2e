"""The ticket servers seen as people see them: what their tickets say, and what somebody else writes there."""

import base64
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from agent.tickets.contract import TicketRef, TicketState, Update
from agent.tickets.registry import ADAPTERS
from tests.services import redmine, roundup, rt
from tests.services.service import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """`text` is the first text and every comment."""

    id: str
    title: str
    is_open: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View(ABC):
    """One server. `person` is somebody who is not us, as approvers are listed."""

    server: Server
    person: str

    @abstractmethod
    def titles(self) -> list[str]:
        """Return the titles of all tickets."""

    @abstractmethod
    def ticket(self, number: str) -> Ticket:
        """Return one ticket as it is now."""

    @abstractmethod
    def say(self, ticket: Ticket, text: str) -> None:
        """Write a comment as the person."""

    def _get(self, path: str, **query: str) -> Any:
        account = (self.server.user, self.server.password)
        answer = requests.get(self.server.url + path, params=query, auth=account, timeout=30)
        answer.raise_for_status()
        return answer

    def _say(self, system: str, user: str, password: str, ticket: Ticket, text: str) -> None:
        spec = ADAPTERS[system]
        options = spec.options(url=self.server.url, user=user, password_file=Path("password"))
        ref = TicketRef(id=ticket.id, url="", state=TicketState.OPEN)
        spec.open(options, lambda _: password).update(ref, Update(key=f"{ticket.id}: {text}", comment=text))


class RtView(View):
    def say(self, ticket: Ticket, text: str) -> None:
        self._say("rt", "root", rt.ROOT_PASSWORD, ticket, text)

    def titles(self) -> list[str]:
        query = {"query": "Queue = 'General'", "fields": "Subject", "per_page": "100"}
        return [item["Subject"] for item in self._get("/REST/2.0/tickets", **query).json()["items"]]

    def ticket(self, number: str) -> Ticket:
        found = self._get(f"/REST/2.0/ticket/{number}").json()
        text = "\n".join(self._said(number))
        return Ticket(id=number, title=found["Subject"], is_open=found["Status"] in {"new", "open"}, text=text)

    def _said(self, ticket: str) -> Iterator[str]:
        history = self._get(f"/REST/2.0/ticket/{ticket}/history", fields="Type", per_page="100").json()["items"]
        for item in (item for item in history if item["Type"] in ("Create", "Comment")):
            for part in self._get(f"/REST/2.0/transaction/{item['id']}/attachments").json()["items"]:
                content = self._get(f"/REST/2.0/attachment/{part['id']}").json().get("Content") or ""
                yield base64.b64decode(content).decode()


class RoundupView(View):
    def say(self, ticket: Ticket, text: str) -> None:
        self._say("roundup", "admin", roundup.ADMIN_PASSWORD, ticket, text)

    def titles(self) -> list[str]:
        found = self._get("/rest/data/issue", **{"@fields": "title", "@page_size": "100"}).json()["data"]
        return [item["title"] for item in found["collection"]]

    def ticket(self, number: str) -> Ticket:
        fields = {"@fields": "title,messages,status.name"}
        found = self._get(f"/rest/data/issue/{number}", **fields).json()["data"]["attributes"]
        text = "\n".join(self._get(f"/msg{message['id']}/").text for message in found["messages"])
        return Ticket(id=number, title=found["title"], is_open=found["status.name"] != "resolved", text=text)


class RedmineView(View):
    def say(self, ticket: Ticket, text: str) -> None:
        self._ask("PUT", f"/issues/{ticket.id}.json", {"issue": {"notes": text}})

    def close(self, ticket: Ticket) -> None:
        """Close it as the person, with the status that Redmine's default data has for that."""
        self._ask("PUT", f"/issues/{ticket.id}.json", {"issue": {"status_id": 5}})

    def titles(self) -> list[str]:
        found = self._ask("GET", "/issues.json", None, status_id="*", limit="100").json()["issues"]
        return [each["subject"] for each in found]

    def ticket(self, number: str) -> Ticket:
        issue = self._ask("GET", f"/issues/{number}.json", None, include="journals").json()["issue"]
        text = "\n".join([issue["description"], *(each["notes"] or "" for each in issue["journals"])])
        is_open = issue["status"]["name"] in {"New", "In Progress"}
        return Ticket(id=number, title=issue["subject"], is_open=is_open, text=text)

    def _ask(self, method: str, path: str, document: object, **query: str) -> Any:
        key = {"X-Redmine-API-Key": redmine.ADMIN_KEY}
        url = self.server.url + path
        answer = requests.request(method, url, params=query, json=document, headers=key, timeout=30)
        answer.raise_for_status()
        return answer


def views(rt_server: Server, roundup_server: Server, redmine_server: Server) -> dict[str, View]:
    return {
        "rt": RtView(server=rt_server, person="rt:root"),
        "roundup": RoundupView(server=roundup_server, person="roundup:admin"),
        "redmine": RedmineView(server=redmine_server, person="redmine:1"),
    }
