"""Articles: found for an alert, taken apart, and drafted from what happened."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.incidents.incident import Attempt
from agent.itsm.articles import MEND, NAME, SECTIONS, Article, alike, drafted, named_after, wanted
from agent.store import shelves
from collectors.sample import labels
from rules import rulefile
from rules.alerting import AlertingRule
from tests.agent.tickets.test_wording import FAILED, HELPED, incident

TEXT = """\
# Shop is slow

## What it means

Customers wait.

## How to mend

1. Empty the cache:

```
## this is a comment of the shell
rm cache
```

## How to prevent

More memory.
"""
SHOP = Article(name="shop-slow", text=TEXT, source="here")
HOSTILE = "x\n# Owned\n```\n<script>\x1b[2J\u202e[a](http://b)"


def shipped():
    return shelves.read(()).articles


def test_each_rule_of_our_packs_names_an_article_that_says_how_to_check_mend_and_prevent():
    known = shipped()
    named = set()
    for pack in rulefile.packs():
        rules = (rule for group in rulefile.load_pack(pack).groups for rule in group.rules)
        for rule in (rule for rule in rules if isinstance(rule, AlertingRule)):
            name = dict(rule.annotations)["article"].text
            assert name in known, rule.name
            named.add(name)
    assert named == set(known), "articles of no rule"


@pytest.mark.parametrize("name", sorted(shipped()))
def test_an_article_of_ours_is_whole(name):
    article = shipped()[name]
    assert article.title not in ("", name)
    for heading in SECTIONS:
        assert len(article.section(heading)) >= 60, heading
    assert len(article.section(MEND)) <= 1500, "a ticket has no room for more"
    assert all(len(line) <= 140 for line in article.text.splitlines())


def test_titles_of_ours_tell_articles_apart():
    titles = [article.title for article in shipped().values()]
    assert len(set(titles)) == len(titles)


def test_a_section_ends_at_the_next_heading_and_not_at_a_comment_in_a_fence():
    assert SHOP.title == "Shop is slow"
    assert SHOP.section("how to mend") == "1. Empty the cache:\n\n```\n## this is a comment of the shell\nrm cache\n```"
    assert SHOP.section("Nothing") == ""
    assert Article(name="a-b", text="no heading", source="").title == "a-b"


def test_an_alert_wants_the_article_that_its_rule_names_else_the_one_called_like_it():
    assert wanted("DiskSpaceLow", {"article": "disks"}) == "disks"
    assert wanted("DiskSpaceLow", {}) == "disk-space-low"
    assert named_after("KubeAPIDown") == "kube-api-down"
    assert named_after("node_exporter: 2 x") == "node-exporter-2-x"
    assert named_after("…") == ""
    assert named_after("٣") == "", "no digit of a file's name"


@given(st.text())
def test_whatever_an_alert_is_called_its_article_has_a_name_that_is_no_path(alertname):
    name = named_after(alertname)
    assert not name or NAME.fullmatch(name)


@pytest.mark.parametrize(
    ("alertname", "name"),
    [
        ("FilesystemReadOnly", "disk-became-read-only"),
        ("NginxDown", "process-down"),
        ("OutOfMemory", "host-out-of-memory-kill"),
        ("DiskInodesUsedUp", "disk-inodes-low"),
        ("PaymentsRejected", None),
        ("", None),
        ("TheOfIt", None),
    ],
)
def test_an_alert_without_an_article_gets_one_with_half_of_its_words_or_none(alertname, name):
    found = alike(shipped().values(), alertname)
    assert next((each.name for each in found), None) == name


def test_articles_that_are_alike_come_with_the_best_first_and_are_three_at_most():
    shelf = [
        Article(name=name, text="", source="x") for name in ("pump-hot", "pump", "pump-very-hot", "pump-oil", "cat")
    ]
    assert [each.name for each in alike(shelf, "PumpHot")] == ["pump-hot", "pump-very-hot", "pump"]


def draft(**changes):
    timeline = [{"at": 1_800_000_000.0, "reason": "opened", "guard": "", "actor": None, "detail": HOSTILE}]
    return drafted(incident(**changes), timeline)


def test_a_draft_tells_what_was_seen_and_what_helped():
    text = draft(attempts=(FAILED, HELPED))
    article = Article(name="a", text=text, source="draft")
    assert article.title == "Draft: SystemdUnitFailed"
    assert "    The web server is down.\n    It ended. Customers see errors." in article.section("What it means")
    assert "    name = nginx.service" in article.section("How to check")
    mend = article.section(MEND)
    assert "This helped, as fresh measurements showed (restart-web):\n\n    systemctl restart -- nginx.service" in mend
    assert "    2027-01-15 08:00:00 UTC opened x # Owned" in mend


def test_a_draft_without_a_cure_says_so():
    assert "No automatic action was taken." in draft()
    assert "No automatic action helped. Tried:\n\n    systemctl restart -- nginx.service" in draft(attempts=(FAILED,))


def test_what_others_wrote_is_quoted_in_a_draft_and_never_markup():
    attempt: Attempt = replace(HELPED, remediation=HOSTILE, argv=("a", HOSTILE))
    text = draft(
        alertname=HOSTILE,
        labels=labels(name=HOSTILE),
        annotations=labels(summary=HOSTILE, description=HOSTILE),
        attempts=(attempt,),
    )
    heads = [line for line in text.splitlines() if line.startswith("#")]
    assert heads == ["# Draft: x Owned script  2J a (http://b)", *(f"## {each}" for each in SECTIONS)]
    for line in text.splitlines():
        assert line.isprintable()
        assert line.startswith("    ") or not set("<>[]`") & set(line.replace("`[knowledge] folders`", ""))


def test_a_draft_of_a_long_story_is_bounded():
    rows = [{"at": 1.8e9, "reason": "opened", "guard": "", "actor": "", "detail": "x" * 10_000}] * 5000
    text = drafted(incident(), rows)
    assert len(text) < shelves.MAX_BYTES
    assert "    and 4940 more" in text
