"""Queries that would do harm: a clear error, nothing printed, and the next query is answered."""

from urllib.parse import urlencode

import pytest

from rules.series import SeriesStore
from tests.agent.web.daemon import running
from tests.rules.promql.hostile import HOSTILE

FORM = {"content_type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    with running(tmp_path_factory.mktemp("web")) as running_daemon:
        running_daemon.backend.store = SeriesStore()
        yield running_daemon


EVALUATED = ("query", "query_range")
READ = ("series", "parse_query", "format_query")
"""Where expressions are not evaluated, what a function makes of its arguments does not matter."""
CASES = [
    (path, what)
    for what, (expression, _) in HOSTILE.items()
    for path in (EVALUATED if expression.startswith("label_replace") else EVALUATED + READ)
]


@pytest.mark.parametrize(("path", "what"), CASES)
def test_what_would_do_harm_is_bad_data_with_a_reason(daemon, path, what, capfd):
    expression, reason = HOSTILE[what]
    asked = {"query": expression, "match[]": expression, "start": 0, "end": 60, "step": 15}
    answer = daemon.tcp("POST", f"/api/v1/{path}", urlencode(asked).encode(), **FORM)
    assert (answer.status, answer.json["errorType"]) == (400, "bad_data")
    assert reason in answer.json["error"]
    assert capfd.readouterr() == ("", ""), "the parser was not reached"
    assert daemon.tcp("GET", "/api/v1/query?query=1").json["status"] == "success"
