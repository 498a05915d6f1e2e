"""Every adapter, every operation, every bad answer: what docs/tickets.md says is what is done."""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from agent.outgoing import MAX_ANSWER_BYTES
from agent.tickets.contract import TicketError, TicketRef, TicketState, TicketSystem
from agent.tickets.registry import ADAPTERS
from tests.agent.tickets.contract_suite import fresh_draft, note
from tests.agent.tickets.fakes.site import Reply, Request, reply, serving
from tests.agent.tickets.test_rest import HTML, OPTIONS

SECRET = "canary-0123"
JSON = {"Content-Type": "application/json"}
REF = TicketRef(id="7", url="", state=TicketState.OPEN)
OPERATIONS: Mapping[str, Callable[[TicketSystem], object]] = {
    "check": lambda system: system.check(),
    "find": lambda system: system.find("host:1"),
    "create": lambda system: system.create(fresh_draft()),
    "update": lambda system: system.update(REF, note("k")),
    "close": lambda system: system.close(REF, note("k")),
    "reopen": lambda system: system.reopen(REF, note("k")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """An answer and what it means: given up (`permanent`) or tried again, and how soon at the earliest."""

    answer: Reply
    permanent: bool
    retry_after: float | None = None
    succeeds_for: frozenset[str] = field(default=frozenset())
    """Operations of the webhook that take any 2xx for a yes."""


POSTS = frozenset({"create", "update", "close", "reopen"})
LATER = {"Retry-After": "17"}
BAD: Mapping[str, Bad] = {
    **{
        str(status): Bad(answer=reply(status, {"message": SECRET}), permanent=True)
        for status in (400, 401, 403, 404, 405, 410, 422)
    },
    "404, an HTML page": Bad(answer=Reply(status=404, body=b"<html>gone</html>", headers=HTML), permanent=True),
    **{
        f"{status} with Retry-After": Bad(answer=reply(status, {}, **LATER), permanent=False, retry_after=17.0)
        for status in (408, 409, 423, 425, 429, 503)
    },
    "403 of a server that counts": Bad(answer=reply(403, {}, **LATER), permanent=False, retry_after=17.0),
    **{
        str(status): Bad(answer=reply(status, {"message": SECRET}), permanent=False)
        for status in (429, 500, 502, 503, 504)
    },
    "502, an HTML page": Bad(answer=Reply(status=502, body=b"<html>oops</html>", headers=HTML), permanent=False),
    "an HTML page instead of JSON": Bad(
        answer=Reply(body=b"<html>Log in</html>", headers=HTML), permanent=False, succeeds_for=POSTS
    ),
    "JSON that breaks off": Bad(
        answer=Reply(body=b'{"items": [{"id"', headers=JSON), permanent=False, succeeds_for=POSTS
    ),
    "an answer that breaks off": Bad(
        answer=Reply(body=b"{}", headers=JSON | {"Content-Length": "100"}), permanent=False
    ),
    "a huge answer": Bad(answer=Reply(body=b" " * (MAX_ANSWER_BYTES), headers=JSON), permanent=False),
}


@contextmanager
def adapter(name: str, answer: Callable[[Request], Reply]) -> Iterator[TicketSystem]:
    with serving(answer) as port:
        url = f"http://127.0.0.1:{port}"
        options = {"url": url, "timeout_seconds": 60} | OPTIONS[name] | ({"find_url": url} if name == "webhook" else {})
        yield ADAPTERS[name].open(ADAPTERS[name].options(**options), lambda _: SECRET)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", ADAPTERS)
def test_every_bad_answer_to_any_operation_is_handled_as_the_docs_say(name: str, bad: str):
    case = BAD[bad]
    with adapter(name, lambda _: case.answer) as system:
        for operation, ask in OPERATIONS.items():
            if name == "webhook" and operation in case.succeeds_for:
                ask(system)
                continue
            with pytest.raises(TicketError) as raised:
                ask(system)
            assert raised.value.permanent is case.permanent, operation
            assert raised.value.retry_after == case.retry_after, operation
            assert SECRET not in f"{raised.value!r} {raised.value.reason}", operation


@pytest.mark.parametrize(("status", "permanent"), [(301, True), (302, False), (303, False), (307, False), (308, True)])
@pytest.mark.parametrize("name", ADAPTERS)
def test_no_redirect_takes_credentials_to_another_host(name: str, status: int, *, permanent: bool):
    visitors: list[Request] = []

    def elsewhere(request: Request) -> Reply:
        visitors.append(request)
        return reply(200, {})

    with (
        serving(elsewhere) as other,
        adapter(
            name, lambda _: Reply(status=status, headers={"Location": f"http://localhost:{other}/stolen"})
        ) as system,
    ):
        for operation, ask in OPERATIONS.items():
            with pytest.raises(TicketError, match="redirects to http://localhost") as raised:
                ask(system)
            assert raised.value.permanent is permanent, operation
    assert visitors == []


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_operation_ends_when_the_server_says_nothing(name: str):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        options = {"url": url, "timeout_seconds": 0.05} | OPTIONS[name]
        options |= {"find_url": url} if name == "webhook" else {}
        system = ADAPTERS[name].open(ADAPTERS[name].options(**options), lambda _: SECRET)
        for operation, ask in OPERATIONS.items():
            with pytest.raises(TicketError, match="no answer within") as raised:
                ask(system)
            assert not raised.value.permanent, operation
