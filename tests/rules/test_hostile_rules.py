"""Rules that are too much: refused with their place when they are read, or failing alone when they are evaluated."""

import json

import pytest

from collectors.sample import Reading, Sample, Source, labels
from rules import evaluation
from rules.promql import subquery
from rules.rulefile import RuleError, load, parse
from rules.ruleset import Ruleset
from rules.series import SeriesStore
from tests.rules.promql.hostile import HOSTILE

KEY = "r.yml;g"
GOOD = {"alert": "Good", "expr": "x == 1"}


def written(*rules):
    return json.dumps({"groups": [{"name": "g", "rules": rules}]}, indent=1)


@pytest.mark.parametrize("what", HOSTILE)
def test_what_would_do_harm_is_refused_with_file_line_rule_and_reason(what, capfd):
    expression, reason = HOSTILE[what]
    with pytest.raises(RuleError) as caught:
        parse(written(GOOD, {"alert": "Bad", "expr": expression}), "r.yml")
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.rule) == ("r.yml", 12, "Bad")
    assert reason in problem.message
    assert len(problem.message) < 1000
    assert capfd.readouterr() == ("", ""), "the parser was not reached"


def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path):
    path = tmp_path / "r.yml"
    path.write_bytes(b"groups:\n- name: g\n  rules:\n  - {alert: A, expr: 'x{a=\"\xff\"}'}\n")
    with pytest.raises(RuleError, match="4: not UTF-8"):
        load(path)


@pytest.fixture
def store():
    filled = SeriesStore()
    for number in range(40):
        samples = [Sample("x", 1.0, labels(n=str(each))) for each in range(20)]
        filled.append(Reading(source=Source("s"), at=1000.0 + 15 * number, samples=samples))
    return filled


def judged(store, *rules):
    ruleset = Ruleset(parse(written(*rules), "r.yml").groups, store)
    return ruleset, ruleset.evaluate(KEY, 1590.0)


def test_a_rule_over_its_time_fails_alone_and_the_next_goes_on(store, monkeypatch):
    monkeypatch.setattr(evaluation, "BUDGET_SECONDS", 1.0)
    slow = "sum_over_time(x[10m:1s])"
    for _ in range(3):
        slow = f"max_over_time(({slow})[10m:1s])"
    ruleset, found = judged(store, {"alert": "Slow", "expr": slow}, GOOD)
    assert found.errors == {"r.yml;g;Slow": "the query took longer than its time budget"}
    assert len(list(ruleset.active())) == 20


def test_a_rule_that_yields_too_much_fails_and_the_next_goes_on(store, monkeypatch):
    monkeypatch.setattr(evaluation, "MAX_SERIES", 10)
    one = {"alert": "One", "expr": 'x{n="1"}'}
    ruleset, found = judged(store, {"record": "many", "expr": "x"}, one)
    assert found.errors == {"r.yml;g;many": "the result has more than 10 series"}
    assert len(list(ruleset.active())) == 1


def test_a_subquery_of_too_many_samples_fails_and_the_next_rule_goes_on(store, monkeypatch):
    monkeypatch.setattr(subquery, "MAX_SAMPLES", 100)
    ruleset, found = judged(store, {"record": "many", "expr": "max_over_time((x + 1)[10m:1m])"}, GOOD)
    assert found.errors == {"r.yml;g;many": "the subquery yields more than 100 samples"}
    assert len(list(ruleset.active())) == 20


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("max_over_time(x[30d:1ms])", "more than 100000 steps"),
        ("x + on () x", "many-to-many matching not allowed"),
        ('label_replace(x, "n", "same", "", "")', "same labelset"),
        ("quantile_over_time(scalar(x), x[5m])", None),
    ],
)
def test_a_rule_without_a_result_says_why_and_keeps_the_others(store, expression, reason):
    ruleset, found = judged(store, {"record": "odd", "expr": expression}, GOOD)
    assert (reason in found.errors["r.yml;g;odd"]) if reason else found.errors == {}
    assert len(list(ruleset.active())) == 20
