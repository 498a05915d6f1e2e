"""Prometheus' HTTP API: expressions as text and tree, pages of rules, and what runs."""

import json
from urllib.parse import urlencode

import pytest

from rules.rulefile import parse
from rules.series import SeriesStore
from tests.agent.web.daemon import running

GROUPS = {"groups": [{"name": f"g{number}", "rules": [{"alert": "A", "expr": "up"}]} for number in range(5)]}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    with running(tmp_path_factory.mktemp("web")) as running_daemon:
        running_daemon.backend.store = SeriesStore()
        running_daemon.backend.rule_groups = parse(json.dumps(GROUPS), "host.yml").groups
        yield running_daemon


@pytest.fixture
def get(daemon):
    def ask(path, status=200, **parameters):
        answer = daemon.tcp("GET", f"/api/v1/{path}?{urlencode(parameters)}")
        assert answer.status == status, answer.body
        return answer.json

    return ask


def test_an_expression_is_formatted(get):
    answer = get("format_query", query="sum(rate(x[90m]))by(job)/3")
    assert answer == {"status": "success", "data": "sum by (job) (rate(x[1h30m])) / 3"}


PIN = {"offset": 0, "timestamp": None, "startOrEnd": None}
UP = {
    "type": "vectorSelector",
    "name": "up",
    "matchers": [{"type": "=~", "name": "job", "value": "a|b"}, {"type": "=", "name": "__name__", "value": "up"}],
    **PIN,
}
ONE = {"type": "numberLiteral", "val": "1"}
PAIRED = {"card": "many-to-one", "labels": ["job"], "on": True, "include": ["host"]}


@pytest.mark.parametrize(
    ("query", "tree"),
    [
        ("1", ONE),
        ("'a'", {"type": "stringLiteral", "val": "a"}),
        ('up{job=~"a|b"}', UP),
        ('up{job=~"a|b"} @ 5 offset 1m', UP | {"offset": 60_000, "timestamp": 5000}),
        ('up{job=~"a|b"} @ end()', UP | {"startOrEnd": "end"}),
        ('up{job=~"a|b"}[5m]', UP | {"type": "matrixSelector", "range": 300_000}),
        ('up{job=~"a|b"}[5m:]', {"type": "subquery", "expr": UP, "range": 300_000, "step": 0, **PIN}),
        ('-up{job=~"a|b"}', {"type": "unaryExpr", "op": "-", "expr": UP}),
        (
            'topk without (x) (1, up{job=~"a|b"})',
            {"type": "aggregation", "op": "topk", "expr": UP, "param": ONE, "grouping": ["x"], "without": True},
        ),
        (
            'abs(up{job=~"a|b"})',
            {
                "type": "call",
                "func": {"name": "abs", "argTypes": ["vector"], "variadic": 0, "returnType": "vector"},
                "args": [UP],
            },
        ),
        (
            'up{job=~"a|b"} > bool on (job) group_left (host) up{job=~"a|b"}',
            {"type": "binaryExpr", "op": ">", "lhs": UP, "rhs": UP, "matching": PAIRED, "bool": True},
        ),
        ("1 + 1", {"type": "binaryExpr", "op": "+", "lhs": ONE, "rhs": ONE, "matching": None, "bool": False}),
    ],
)
def test_an_expression_is_taken_apart(get, query, tree):
    assert get("parse_query", query=query) == {"status": "success", "data": tree}


@pytest.mark.parametrize("path", ["format_query", "parse_query", "query_exemplars"])
def test_what_is_no_expression_is_bad_data(get, path):
    answer = get(path, 400, query="sum(up")
    assert (answer["errorType"], answer["error"][:41]) == ("bad_data", 'invalid parameter "query": parse error: u')
    assert get(path, 400)["errorType"] == "bad_data"


def test_there_are_no_exemplars(get):
    assert get("query_exemplars", query="up", start=0, end=1) == {"status": "success", "data": []}


def test_rules_come_in_pages(get):
    names, token = [], ""
    while True:
        page = get("rules", group_limit=2, group_next_token=token)["data"]
        names.append([group["name"] for group in page["groups"]])
        token = page.get("groupNextToken")
        if token is None:
            break
    assert names == [["g0", "g1"], ["g2", "g3"], ["g4"]]
    assert "groupNextToken" not in get("rules")["data"]
    assert "groupNextToken" not in get("rules", group_limit=5)["data"]


@pytest.mark.parametrize(
    "parameters", [{"group_next_token": "x"}, {"group_limit": 1, "group_next_token": "x"}, {"group_limit": -1}]
)
def test_a_page_that_is_not_there_is_bad_data(get, parameters):
    assert get("rules", 400, **parameters)["errorType"] == "bad_data"


def test_what_runs_is_told(get):
    told = get("status/runtimeinfo")["data"]
    assert told["serverTime"].endswith("Z")
    assert told.keys() >= {"startTime", "hostname", "reloadConfigSuccess", "lastConfigTime"}
