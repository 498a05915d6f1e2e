"""Tickets as signed JSON, posted to a URL of the operator's.

Each operation is one POST. `{"op": "create", "correlation", "title", "body", "priority", "service", "drill"}` opens a
ticket; `{"op": "update" | "close" | "reopen", "id", "comment", "priority"}` changes one. Headers: `Idempotency-Key`
(the same whenever the same operation is repeated) and, if there is a `secret_file`, `X-Paramedic-Signature:
sha256=HEX`, the HMAC-SHA256 of the body. An answer of 2xx settles the operation; to a create it may be
`{"id": ..., "url": ...}`, else the correlation id serves as the id.

The promise is *at least once*: an answer that got lost is followed by a repetition with the same key, and the far end
must drop keys that it has seen. With `find_url` it is *exactly one ticket*: before each creation, `GET
find_url?correlation=...` is asked, and answers 200 with `{"id", "url", "state": "open" | "closed"}`, or 204 if there is
no such ticket.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from agent.tickets.contract import Draft, TicketError, TicketRef, TicketState, TicketSystem, Update
from agent.tickets.credentials import bearer, nobody, signature
from agent.tickets.rest import RestClient, checked_url, understood
from agent.tickets.spec import AdapterSpec, Secrets

NO_CONTENT = 204
HEAD_UNKNOWN = frozenset({405, 501})
"""A server that answers so is there, and has not refused us."""


def _checked_find_url(url: str) -> None:
    if url:
        checked_url(url)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookOptions:
    """Where to post, and how to prove that it is us."""

    url: str = field(metadata={"check": checked_url})
    find_url: str = field(default="", metadata={"check": _checked_find_url})
    secret_file: Path | None = None
    """Key of the signature."""
    token_file: Path | None = None
    """Sent as a bearer token."""
    ca_file: Path | None = None
    timeout_seconds: float = 10


class Webhook:
    """One receiver."""

    def __init__(self, options: WebhookOptions, secrets: Secrets) -> None:
        self._options = options
        self._secrets = secrets
        self._receiver = self._client(options.url)
        self._finder = self._client(options.find_url) if options.find_url else None

    def find(self, correlation: str) -> TicketRef | None:
        if self._finder is None:
            return None
        answer = self._finder.send("GET", "", query={"correlation": correlation})
        if answer.status == NO_CONTENT:
            return None
        with understood("a ticket receiver"):
            ticket = answer.document()
            return TicketRef(id=str(ticket["id"]), url=str(ticket["url"]), state=TicketState(ticket["state"]))

    def create(self, draft: Draft) -> TicketRef:
        fields = {
            "correlation": draft.correlation,
            "title": draft.title,
            "body": draft.body,
            "priority": draft.priority,
            "service": draft.service,
            "drill": draft.drill,
        }
        answer = self._post("create", draft.correlation, fields)
        made = answer if isinstance(answer, dict) else {}
        ident = made.get("id") or draft.correlation
        return TicketRef(id=str(ident), url=str(made.get("url", "")), state=TicketState.OPEN)

    def update(self, ref: TicketRef, update: Update) -> None:
        self._send("update", ref, update)

    def close(self, ref: TicketRef, update: Update) -> None:
        self._send("close", ref, update)

    def reopen(self, ref: TicketRef, update: Update) -> None:
        self._send("reopen", ref, update)

    def check(self) -> None:
        self.find("check")
        self._receiver.send("HEAD", "", accept=HEAD_UNKNOWN)
        if self._options.secret_file is not None:
            self._secrets(self._options.secret_file)

    def _send(self, op: str, ref: TicketRef, update: Update) -> None:
        self._post(op, update.key, {"id": ref.id, "comment": update.comment, "priority": update.priority})

    def _post(self, op: str, key: str, fields: dict[str, object]) -> object:
        body = json.dumps({"op": op, **fields}).encode()
        headers = {"Idempotency-Key": f"{op}:{key}"}
        if self._options.secret_file is not None:
            headers["X-Paramedic-Signature"] = signature(body, self._secrets(self._options.secret_file))
        answer = self._receiver.send("POST", "", body=body, headers=headers)
        try:
            return answer.document()
        except TicketError:
            # Many receivers say "ok". They have taken it all the same.
            return None

    def _client(self, url: str) -> RestClient:
        options = self._options
        login = bearer(options.token_file, self._secrets) if options.token_file is not None else nobody
        return RestClient(
            url=checked_url(url), timeout_seconds=options.timeout_seconds, ca_file=options.ca_file, login=login
        )


def _open(options: WebhookOptions, secrets: Secrets) -> TicketSystem:
    return Webhook(options, secrets)


# Not experimental although only our own server has answered it: the protocol is ours.
SPEC = AdapterSpec(name="webhook", options=WebhookOptions, open=_open)
