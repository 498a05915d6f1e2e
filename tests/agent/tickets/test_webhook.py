"""What a receiver of the webhook gets, and what it must do for which promise."""

import json
from pathlib import Path

import pytest

from agent.tickets.contract import Draft, TicketError, TicketState
from agent.tickets.delivery import open_ticket
from agent.tickets.registry import ADAPTERS
from tests.agent.tickets.contract_suite import fresh_draft, note
from tests.agent.tickets.fakes.receiver import KEY, TOKEN, FakeReceiver
from tests.agent.tickets.fakes.site import Reply, Request, serving
from tests.services.faults import fault_proxy

SECRETS = {Path("key"): KEY, Path("token"): TOKEN}


def webhook(port: int, **options):
    spec = ADAPTERS["webhook"]
    return spec.open(spec.options(url=f"http://127.0.0.1:{port}/tickets", **options), SECRETS.__getitem__)


def test_each_operation_is_one_signed_post_with_its_key():
    got: list[Request] = []

    def receive(request: Request) -> Reply:
        got.append(request)
        return Reply(body=b"ok")

    with serving(receive) as port:
        system = webhook(port, secret_file=Path("key"))
        draft = Draft(correlation="h:1", title="t", body="b", priority="P1", service="shop", drill=True)
        ref = system.create(draft)
        system.update(ref, note("k1", "one"))
        system.close(ref, note("k2", "two"))
        system.reopen(ref, note("k3", "three"))
    assert [request.headers["Idempotency-Key"] for request in got] == [
        "create:h:1",
        "update:k1",
        "close:k2",
        "reopen:k3",
    ]
    created = {"op": "create", "correlation": "h:1", "title": "t", "body": "b", "priority": "P1", "service": "shop"}
    assert json.loads(got[0].body) == created | {"drill": True}
    assert json.loads(got[1].body) == {"op": "update", "id": "h:1", "comment": "one", "priority": ""}
    assert all(request.headers["X-Paramedic-Signature"].startswith("sha256=") for request in got)
    assert KEY not in "".join(f"{request.headers}{request.body}" for request in got)


def test_without_a_secret_nothing_is_signed():
    got: list[Request] = []

    def receive(request: Request) -> Reply:
        got.append(request)
        return Reply(body=b'{"id": "TICKET-7", "url": "https://tickets.example.org/7"}')

    with serving(receive) as port:
        ref = webhook(port).create(fresh_draft())
    assert "X-Paramedic-Signature" not in got[0].headers
    assert (ref.id, ref.url, ref.state) == ("TICKET-7", "https://tickets.example.org/7", TicketState.OPEN)


def test_without_a_find_url_a_repeated_creation_carries_the_same_key_and_the_receiver_keeps_one():
    site = FakeReceiver()
    with serving(site) as target, fault_proxy(target) as proxy:
        system = webhook(proxy.port, secret_file=Path("key"), token_file=Path("token"))
        draft = fresh_draft()
        proxy.cut_requests = b"POST"
        with pytest.raises(TicketError):
            open_ticket(system, draft)
        proxy.heal()
        assert system.find(draft.correlation) is None
        assert open_ticket(system, draft).id == draft.correlation
    assert list(site.tickets) == [draft.correlation]


def test_a_check_of_a_receiver_that_only_takes_posts_says_nothing():
    with serving(lambda request: Reply(status=405 if request.method == "HEAD" else 500)) as port:
        webhook(port).check()
