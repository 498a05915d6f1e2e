"""Articles through the engine: drafts of those that are missing, and advice for tickets."""

import pytest

from agent.app import knowledge
from agent.engine.commands import OnIncident
from agent.incidents.events import Declined
from agent.store import writes

RULES = """
groups:
- name: process
  rules:
  - alert: ShopDown
    expr: paramedic_process_up == 0
    labels: {{severity: critical{drill}}}
    annotations: {{summary: "{{{{ $labels.name }}}} is down"{article}}}
"""


@pytest.fixture
def lacking(make_bench):
    """Nothing is repaired here, and nobody has written about the alert."""
    return make_bench(ladders=(), rules=RULES.format(article="", drill=""))


def test_the_article_that_a_rule_lacks_is_drafted_once_from_the_timeline(lacking):
    lacking.process(up=0)
    opened = lacking.incidents()[0]["id"]
    assert lacking.reader.drafts() == []
    lacking.fault()
    (draft,) = lacking.reader.drafts()
    assert draft["name"] == "shop-down"
    assert draft["incident_id"] == opened
    assert "    web is down\n" in draft["text"]
    assert draft["text"].index(" no_remediation ") < draft["text"].index(" resolved_by_itself")
    lacking.fault("other")
    lacking.restart()
    lacking.fault("third")
    assert lacking.reader.drafts() == [draft]


@pytest.mark.parametrize(("article", "drill"), [(", article: disk-busy", ""), ("", ", drill: 'true'")])
def test_there_is_no_draft_where_an_article_is_or_of_a_drill(make_bench, article, drill):
    bench = make_bench(ladders=(), rules=RULES.format(article=article, drill=drill))
    bench.fault()
    assert bench.reader.drafts() == []


def test_there_is_no_draft_of_what_ended_without_teaching_anything(lacking):
    lacking.process(up=0)
    incident = lacking.incidents()[0]["id"]
    lacking.order(OnIncident(incident_id=incident, event=Declined(actor="ann", comment="it is retired")))
    assert lacking.incidents()[0]["resolution"] == "wont_fix"
    assert lacking.reader.drafts() == []


def test_what_a_person_wrote_is_neither_drafted_nor_hidden_by_a_draft(lacking, tmp_path):
    folder = tmp_path / "articles"
    folder.mkdir()
    lacking.fault()
    (folder / "shop-down.md").write_text("# Mine")
    (shown,) = [each for each in knowledge.articles(lacking.reader, [folder], "", 1000) if each["name"] == "shop-down"]
    assert (shown["title"], shown["source"]) == ("Mine", str(folder))
    assert knowledge.article(lacking.reader, [folder], "shop-down")["text"] == "# Mine"
    lacking.database.commit([("DELETE FROM drafts", ())])
    lacking.restart()
    lacking.parts.desk.library.configure([folder])
    lacking.fault()
    assert lacking.reader.drafts() == []
    assert (folder / "shop-down.md").read_text() == "# Mine"


def test_a_draft_is_listed_found_and_shown_as_one(lacking):
    lacking.fault()
    (found,) = knowledge.articles(lacking.reader, [], "shop", 10)
    assert (found["name"], found["source"], found["title"]) == ("shop-down", "draft", "Draft: ShopDown")
    assert "web is down" in knowledge.article(lacking.reader, [], "shop-down")["text"]


def test_a_draft_of_any_incident_can_be_asked_for_and_shows_no_secret(lacking):
    lacking.process(up=0, name="password=canary")
    incident = lacking.incidents()[0]["id"]
    made = knowledge.drafted(lacking.reader, incident)
    assert (made["name"], made["source"]) == ("shop-down", "draft")
    assert "    name = password=[secret]" in made["text"]
    assert "canary" not in made["text"]
    assert knowledge.drafted(lacking.reader, "nope") is None


def test_old_drafts_make_room_for_new_ones(lacking):
    for number in range(writes.MOST_DRAFTS + 5):
        lacking.database.commit(writes.put_draft(f"a{number}", "inc", "text", 1e9 + number))
    names = [draft["name"] for draft in lacking.reader.drafts()]
    assert len(names) == writes.MOST_DRAFTS
    assert (names[0], names[-1]) == (f"a{writes.MOST_DRAFTS + 4}", "a5")


def advice(bench, folders=()):
    bench.process(up=0)
    bench.parts.desk.library.configure(folders)
    (incident,) = bench.parts.casebook.active()
    return bench.parts.desk.library.advice(incident)


def test_advice_is_the_rules_own_article_else_one_alike(make_bench):
    own = advice(make_bench(ladders=(), rules=RULES.format(article=", article: disk-busy", drill="")))
    assert (own.name, own.own, own.title) == ("disk-busy", True, "A disk has no rest")
    assert own.mend.startswith("1. Find the program")
    near = advice(make_bench(ladders=(), rules=RULES.format(article="", drill="")))
    assert (near.name, near.own) == ("process-down", False)
    assert own.others == ()
    assert 0 < len(near.others) < 3
    assert all("process" in name or "down" in name for name, _ in near.others)


def test_a_drill_needs_no_advice(make_bench):
    assert advice(make_bench(ladders=(), rules=RULES.format(article="", drill=", drill: 'true'"))) is None


def test_an_article_is_read_when_it_is_wanted_and_a_change_counts_at_once(lacking, tmp_path):
    (tmp_path / "shop-down.md").write_text("# One")
    assert advice(lacking, [tmp_path]).title == "One"
    (tmp_path / "shop-down.md").write_text("# Two")
    (incident,) = lacking.parts.casebook.active()
    assert lacking.parts.desk.library.advice(incident).title == "Two"
