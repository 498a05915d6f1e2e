"""What a ticket says: both parts, the workaround, the article, what was done and what it proved; and never a secret."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.daemon import Daemon, prepared_daemon, repair, rule, rule_file
from tests.acceptance.test_daemon_whole import secret
from tests.agent.tickets.fakes.site import Reply, Request, reply, serving
from tests.services.service import eventually

CANARY = "canary-5f0e"
ARTICLE = """\
# Shop down

## What it means

Nobody can buy anything.

## How to mend

Empty the pool.
"""
BRIEF = {"verify": {"hold": "1s", "timeout": "3s"}, "limits": {"attempts": 1, "cooldown": "0s"}}
LEAKY = f"""\
echo "DATABASE_PASSWORD={CANARY}-output"; env; echo "token {CANARY}-error" >&2
exit 3
"""


class Office:
    """A receiver of the webhook that keeps every body it gets."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []

    def __call__(self, request: Request) -> Reply:
        if request.method == "GET":
            return reply(200, {"id": "T1", "url": "", "state": "open"}) if self.got else Reply(status=204)
        self.got.append(request.document)
        return reply(200, {"id": "T1"})

    def text(self) -> str:
        return json.dumps(self.got)


@pytest.fixture
def office() -> Iterator[Office]:
    office = Office()
    with serving(office) as office.port:
        yield office


@pytest.fixture
def daemon(office: Office) -> Iterator[Daemon]:
    environment = {"SHOP_PASSWORD": f"{CANARY}-environment"}
    broken = rule(
        "ShopDown",
        'test_broken{name="shop"} == 1',
        labels={"dsn": f"postgres://shop:{CANARY}-label@db/shop"},
        annotations={
            "summary": "The shop is down",
            "description": f"connect with --password {CANARY}-annotation",
            "dashboard": "https://grafana.example.org/d/shop",
        },
    )
    with prepared_daemon({}, "groups: []", environment=environment) as daemon:
        folder = daemon.directory
        articles = folder / "articles"
        articles.mkdir()
        (articles / "shop-down.md").write_text(ARTICLE)
        daemon.script("leaky.sh", LEAKY)
        argv = ["/bin/sh", str(daemon.scripts / "leaky.sh"), "--password", f"{CANARY}-argv"]
        url = f"http://127.0.0.1:{office.port}/tickets"
        tickets = {
            "system": "webhook",
            "url": url,
            "find_url": url,
            "token_file": secret(folder, "token", f"{CANARY}-token"),
            "secret_file": secret(folder, "key", f"{CANARY}-key"),
        }
        tables = {
            "tickets": [tickets],
            "knowledge": {"folders": [articles]},
            "remediations": [repair("ShopDown", argv, origins=["local", "textfile"], **BRIEF)],
        }
        daemon.configure(tables, rule_file(broken))
        yield daemon


def test_no_secret_of_environment_credentials_output_labels_or_arguments_gets_into_a_ticket(
    daemon: Daemon, office: Office
):
    daemon.tell(shop=True)
    daemon.start()
    daemon.await_state("ShopDown", "escalated")
    daemon.tell(shop=False)
    daemon.await_state("ShopDown", "resolved")
    eventually(lambda: any(each["op"] == "close" for each in office.got), what=daemon.tail)
    assert CANARY not in office.text()
    opened = next(each for each in office.got if each["op"] == "create")
    for part in (
        "The shop is down",
        "Priority: P1",
        "Article: Shop down (paramedic article show shop-down)",
        "Empty the pool.",
        "Technical details",
        "https://grafana.example.org/d/shop",
        "[secret]",
    ):
        assert part in opened["body"], part
    assert "exit status 3" in office.text() or "failed" in office.text()
    assert "A person is needed" in office.text()
