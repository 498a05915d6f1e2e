"""Knowledge on the real daemon: rules name articles, faults without one get a draft, and all of it can be searched."""

import sys
from typing import Any

import requests

from tests.acceptance.commands import command, told
from tests.acceptance.daemon import Daemon, prepared_daemon, rule, rule_file
from tests.services.service import eventually

PARAMEDIC = (sys.executable, "-P", "-m", "agent.cli.main")
ARTICLE = """\
# The pool of the shop is full

## What it means

Nobody can buy anything.

## How to mend

Run `drain-the-zorkmid` and look at the tap.
"""


def configure(daemon: Daemon, *rules: Any) -> None:
    tables = {"knowledge": {"folders": [daemon.directory / "articles"]}, "tickets": [{"system": "book"}]}
    daemon.configure(tables, rule_file(*rules))


def test_a_rule_without_an_article_fails_a_strict_check_a_draft_is_written_and_the_best_article_is_in_the_ticket():
    named = rule("ShopPool", 'test_broken{name="pool"} == 1', annotations={"article": "shop-pool-full"})
    nameless = rule("TillStuck", 'test_broken{name="till"} == 1', annotations={"summary": "The till is stuck"})
    alike = rule("PoolFull", 'test_broken{name="other"} == 1')
    with prepared_daemon({}, "groups: []") as daemon:
        folder = daemon.directory / "articles"
        folder.mkdir()
        (folder / "shop-pool-full.md").write_text(ARTICLE)
        configure(daemon, named, nameless, alike)
        strict = command(daemon, "check", "--strict")
        assert strict.returncode == 1
        assert "rule 'TillStuck': names no article" in strict.stdout
        assert "rule 'ShopPool'" not in strict.stdout

        daemon.tell(pool=True, till=True, other=True)
        daemon.start()
        for alert in ("ShopPool", "TillStuck", "PoolFull"):
            daemon.await_state(alert, "escalated")
        bodies = tickets(daemon)
        assert "Article: The pool of the shop is full (paramedic article show shop-pool-full)" in bodies["ShopPool"]
        assert "drain-the-zorkmid" in bodies["ShopPool"]
        assert "Nearest article: The pool of the shop is full" in bodies["PoolFull"]

        daemon.tell(pool=False, till=False, other=False)
        incident = daemon.await_state("TillStuck", "resolved")
        drafts = eventually(lambda: [a for a in told(daemon, "article", "list") if a["source"] == "draft"])
        assert "till-stuck" in {each["name"] for each in drafts}
        draft = command(daemon, "article", "draft", incident["id"]).stdout
        assert "The till is stuck" in draft
        assert "no_remediation" in draft

        assert told(daemon, "article", "search", "zorkmid")[0]["name"] == "shop-pool-full"
        found = requests.get(f"{daemon.url}/control/articles", params={"query": "zorkmid"}, timeout=60).json()
        assert [each["name"] for each in found] == ["shop-pool-full"]
        assert any(each["name"] == "till-stuck" for each in told(daemon, "article", "search", "till"))

        (folder / "till-stuck.md").write_text(draft)
        (folder / "pool-full.md").write_text(ARTICLE)
        assert "names no article" not in command(daemon, "check", "--strict").stdout


def tickets(daemon: Daemon) -> dict[str, str]:
    """Return the first texts of the tickets in the book, by alert."""
    found = [told(daemon, "ticket", "show", str(each["id"])) for each in told(daemon, "ticket", "list")]
    assert all(each["comments"] == [] for each in found)
    return {each["title"].split()[1]: each["body"] for each in found}
