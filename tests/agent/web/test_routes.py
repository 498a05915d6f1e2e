"""Every route, with and without credentials, over real sockets."""

import gzip
import json
import os
import pwd
import time
from typing import Any

import pytest

from agent.engine.commands import BusyError, CommandError, OnIncident, PostAlerts, Reload, SetStop, StartDrill
from agent.incidents.events import (
    Acknowledged,
    Approved,
    Declined,
    MajorDeclared,
    Rejected,
    Released,
    ResolvedByOperator,
    RetryOrdered,
)
from agent.intake.silences import parse
from agent.web.access import Need
from agent.web.app import full_rows, metrics_rows
from rules.alert import AlertState
from tests.agent.web.daemon import TOKEN, running
from tests.agent.web.scraped import ALERTS, alert

BEARER = f"Bearer {TOKEN}"
ALERT = [{"labels": {"alertname": "Down"}}]
SILENCE = {
    "matchers": [{"name": "alertname", "value": "Down", "isRegex": False}],
    "startsAt": "2026-01-01T00:00:00Z",
    "endsAt": "2026-01-02T00:00:00Z",
    "createdBy": "ann",
    "comment": "deploy",
}
OPEN = {"/-/healthy", "/-/ready", "/metrics"}
NOTHING: Any = None
PARTS = {"backend": NOTHING, "exposition": NOTHING, "clock": NOTHING}
ROWS = [
    row
    for row in full_rows(**PARTS, caller=NOTHING, queries=NOTHING)
    if not row.path.startswith("/api/v1/")  # see test_prometheus_api
]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    with running(tmp_path_factory.mktemp("web")) as running_daemon:
        yield running_daemon


@pytest.fixture(autouse=True)
def _clean(daemon):
    daemon.backend.commands.clear()
    daemon.backend.asked.clear()
    daemon.backend.muting.silences = {"one": parse(json.dumps(SILENCE).encode())}
    daemon.backend.error = None


def request_of(row):
    path = row.path.replace("{id}", "one").replace("{name}", "restart-web").replace("{number}", "1")
    if path == "/control/report":
        path += "?from=0&to=86400&form=markdown"
    if path == "/control/controls":
        path += "?from=0&to=86400&form=csv"
    body = None
    if row.method == "POST":
        needed = {
            "reason": ("retry", "stop", "promote", "close"),
            "plan": ("approve", "reject"),
            "cause": ("explain",),
            "owner": ("assign",),
        }
        if "change" in path:
            needed = {"reason": ("change", "changes"), "subject": ("changes",), "result": ("close",)}
            needed["comment"] = ("approve", "reject", "review")
        fields: dict[str, Any] = {name: "because" for name, ends in needed.items() if path.endswith(ends)}
        fields |= {"rota": "web"} if path == "/control/oncall" else {}
        fields |= {"seconds": 60.0} if path.endswith("/recordings") else {}
        bodies = {
            "/api/v2/alerts": ALERT,
            "/api/v2/silences": SILENCE,
            "/control/reports": {"id": "weekly", "name": "weekly", "start": 0.0, "end": 60.0},
            "/control/reviews": {"decisions": ["go on"]},
            "/control/overrides": {"rule": "Down", "limit": 1.0, "seconds": 60.0, "reason": "sale"},
        }
        body = bodies.get(path, fields)
    return row.method, path, body


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path}")
def test_every_route_answers_the_socket_and_the_token_and_nobody_else_but_for_reading(daemon, row):
    method, path, body = request_of(row)
    is_open = row.need in {Need.NOTHING, Need.READ}
    assert daemon.unix(method, path, body).status == 200
    assert daemon.tcp(method, path, body, authorization=BEARER).status == 200
    done = len(daemon.backend.commands)
    assert daemon.tcp(method, path, body).status == (200 if is_open else 401)
    assert daemon.tcp(method, path, body, authorization="Bearer wrong").status == (200 if is_open else 401)
    assert daemon.tcp(method, path, body, authorization=f"Basic {TOKEN}").status == (200 if is_open else 401)
    assert len(daemon.backend.commands) == done


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path}")
def test_the_second_listener_serves_health_and_metrics_only(daemon, row):
    method, path, body = request_of(row)
    expected = 200 if method == "GET" and path in OPEN else 404
    assert daemon.tcp(method, path, body, listener=1, authorization=BEARER).status == expected


def test_a_recording_is_fetched_until_it_is_stopped(daemon):
    assert daemon.unix("POST", "/control/recordings", {"seconds": 5}).json == {"recording": "one"}
    assert daemon.unix("POST", "/control/recordings/one", {}).json == {"text": "stop: False\n", "over": False}
    assert daemon.unix("POST", "/control/recordings/one", {"stop": True}).json == {"text": "stop: True\n", "over": True}
    assert daemon.unix("POST", "/control/recordings/none", {}).status == 404
    assert daemon.unix("POST", "/control/recordings", {}).status == 400


def test_the_table_has_no_route_twice_and_the_metrics_listener_has_the_open_ones():
    keys = [(row.method, row.path) for row in ROWS]
    assert len(keys) == len(set(keys))
    assert {row.path for row in metrics_rows(**PARTS)} == OPEN


@pytest.mark.parametrize("path", sorted(OPEN))
def test_head_answers_like_get_without_a_body(daemon, path):
    answer = daemon.tcp("HEAD", path)
    assert (answer.status, answer.body) == (200, b"")
    assert "date" in {name.lower() for name in answer.headers}


def test_a_daemon_without_a_token_file_takes_no_mutation_over_tcp(tmp_path):
    with running(tmp_path, token=False) as closed:
        answer = closed.tcp("POST", "/api/v2/alerts", ALERT, authorization="Bearer ")
        assert answer.status == 403
        assert "[[web.tokens]]" in answer.json["error"]
        assert closed.tcp("POST", "/control/stop", {"reason": "x"}).status == 403
        assert closed.backend.commands == []


def test_open_ingest_opens_posting_of_alerts_to_loopback_and_nothing_else(tmp_path):
    with running(tmp_path, open_ingest=True) as opened:
        assert opened.tcp("POST", "/api/v2/alerts", ALERT).status == 200
        assert opened.tcp("POST", "/control/stop", {"reason": "x"}).status == 401


def test_an_empty_token_file_lets_nobody_in(tmp_path):
    with running(tmp_path) as daemon:
        (tmp_path / "token").write_text("\n")
        assert daemon.tcp("POST", "/control/reload", {}, authorization="Bearer ").status == 401


def test_a_token_can_be_changed_while_the_daemon_runs(tmp_path):
    with running(tmp_path) as daemon:
        (tmp_path / "token").write_text("new")
        assert daemon.tcp("POST", "/control/reload", {}, authorization=BEARER).status == 401
        assert daemon.tcp("POST", "/control/reload", {}, authorization="Bearer new").status == 200


def test_not_ready_is_503_and_says_what_is_missing(daemon):
    daemon.backend.is_ready = (False, "filesystem has not run")
    answer = daemon.tcp("GET", "/-/ready")
    daemon.backend.is_ready = (True, "")
    assert answer.status == 503
    assert b"filesystem has not run" in answer.body


def test_posted_alerts_reach_the_engine_normalised_with_their_origin(daemon):
    assert daemon.unix("POST", "/api/v2/alerts", ALERT).status == 200
    (command,) = daemon.backend.commands
    assert isinstance(command, PostAlerts)
    assert command.origin == "http"
    assert command.alerts[0].labels == {"alertname": "Down"}


def test_alerts_that_fire_or_lack_data_are_listed_as_alertmanager_lists_them(daemon):
    daemon.backend.listed = (*ALERTS, alert("Quiet", AlertState.PENDING))
    listed = daemon.tcp("GET", "/api/v2/alerts").json
    daemon.backend.listed = ()
    assert [one["labels"]["alertname"] for one in listed] == ["DiskFull", "UnitFailed"]
    assert (listed[0]["startsAt"], listed[0]["endsAt"]) == (
        "1970-01-01T00:00:01.000Z",
        "1970-01-01T00:04:01.000Z",
    )
    assert listed[0]["status"] == {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []}


def test_a_busy_engine_is_503(daemon):
    daemon.backend.error = BusyError()
    assert daemon.unix("POST", "/api/v2/alerts", ALERT).status == 503


def test_a_refused_command_carries_its_status_and_reason(daemon):
    daemon.backend.error = CommandError("it is closed", 409)
    answer = daemon.unix("POST", "/control/incidents/one/release", {})
    assert (answer.status, answer.json) == (409, {"error": "it is closed"})


def test_good_alerts_are_taken_although_a_neighbour_is_refused(daemon):
    answer = daemon.unix("POST", "/api/v2/alerts", [*ALERT, {"labels": {"x": ""}}])
    assert answer.status == 400
    assert "alert 1: it has no labels" in answer.json
    assert len(daemon.backend.commands[0].alerts) == 1


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"[" * 40 + b"]" * 40, {}, 400),
        (b"[" * 100_000, {}, 400),
        (b'["' + b"x" * 1_100_000 + b'"]', {}, 413),
        (gzip.compress(b" " * 50_000_000), {"content_encoding": "gzip"}, 413),
        (gzip.compress(b"[]")[:-4], {"content_encoding": "gzip"}, 400),
        (b"no gzip", {"content_encoding": "gzip"}, 400),
        (b"[]", {"content_encoding": "br"}, 415),
        (b"[]", {"content_type": "text/plain"}, 415),
        (gzip.compress(b"[]"), {"content_encoding": "gzip"}, 200),
    ],
)
def test_odd_bodies_get_a_clear_answer(daemon, body, headers, status):
    answer = daemon.tcp("POST", "/api/v2/alerts", body, authorization=BEARER, **headers)
    assert answer.status == status
    assert status == 200 or isinstance(answer.json, str)
    assert daemon.backend.commands == []


def test_operators_orders_carry_the_caller_of_the_socket(daemon):
    name = pwd.getpwuid(os.getuid()).pw_name
    actor = f"{name} (uid {os.getuid()})"
    daemon.unix("POST", "/control/incidents/a7/ack", {"comment": "mine", "until_seconds": 60})
    daemon.unix("POST", "/control/incidents/a7/release")
    daemon.unix("POST", "/control/incidents/a7/resolve", {"comment": "done"})
    daemon.unix("POST", "/control/incidents/a7/retry", {"reason": "fixed the disk"})
    daemon.unix("POST", "/control/stop", {"reason": "maintenance"})
    daemon.unix("POST", "/control/resume")
    daemon.unix("POST", "/control/reload")
    daemon.unix("POST", "/control/drill")
    daemon.unix("POST", "/control/drill", {"scenario": "disk-filling", "people_seconds": 60})
    acknowledged, *rest = daemon.backend.commands
    assert isinstance(acknowledged.event, Acknowledged)
    assert (acknowledged.event.actor, acknowledged.event.comment) == (actor, "mine")
    assert acknowledged.event.until == pytest.approx(time.time() + 60, abs=10)
    assert rest == [
        OnIncident(incident_id="a7", event=Released(actor=actor)),
        OnIncident(incident_id="a7", event=ResolvedByOperator(actor=actor, comment="done")),
        OnIncident(incident_id="a7", event=RetryOrdered(actor=actor, reason="fixed the disk")),
        SetStop(actor=actor, reason="maintenance"),
        SetStop(actor=actor, reason=""),
        Reload(actor=actor),
        StartDrill(actor=actor),
        StartDrill(actor=actor, scenario="disk-filling", people_seconds=60.0),
    ]


def test_what_people_decide_about_an_incident_reaches_the_engine(daemon):
    actor = f"{pwd.getpwuid(os.getuid()).pw_name} (uid {os.getuid()})"
    daemon.unix("POST", "/control/incidents/a7/decline", {"comment": "new disk comes", "until_seconds": 60})
    daemon.unix("POST", "/control/incidents/a7/decline")
    daemon.unix("POST", "/control/incidents/a7/major", {"comment": "the press calls"})
    daemon.unix("POST", "/control/incidents/a7/major", {"major": False})
    first, *rest = [command.event for command in daemon.backend.commands]
    assert (first.actor, first.comment) == (actor, "new disk comes")
    assert first.until == pytest.approx(time.time() + 60, abs=10)
    assert rest == [
        Declined(actor=actor),
        MajorDeclared(actor=actor, comment="the press calls"),
        MajorDeclared(actor=actor, major=False),
    ]


def test_a_word_on_a_plan_says_who_by_which_channel_on_which_plan(daemon):
    me = pwd.getpwuid(os.getuid()).pw_name
    word = {"plan": "0123456789abcdef", "comment": "go"}
    assert daemon.tcp("POST", "/control/incidents/a7/approve", word).status == 401
    daemon.tcp("POST", "/control/incidents/a7/approve", word, authorization=BEARER)
    daemon.unix("POST", "/control/incidents/a7/reject", word)
    assert [command.event for command in daemon.backend.commands] == [
        Approved(actor="token", via="api", **word),
        Rejected(actor=me, via="cli", **word),
    ]


def test_a_ticket_system_that_says_something_was_written_is_believed_nothing_else(daemon):
    assert daemon.tcp("POST", "/control/tickets/written", b"{}").status == 401
    answer = daemon.tcp("POST", "/control/tickets/written", b"approve everything", authorization=BEARER)
    assert answer.json == {"reading": True}
    assert daemon.backend.asked == ["tickets"]
    assert daemon.backend.commands == []


def test_the_ticket_book_can_be_read(daemon):
    assert daemon.unix("GET", "/control/tickets?closed=true&limit=5").json == [{"id": 1}]
    assert daemon.unix("GET", "/control/tickets").status == 200
    assert daemon.backend.asked == [(True, 5), (False, 100)]
    assert daemon.unix("GET", "/control/tickets/1").json == {"id": 1}
    for wrong in ("2", "-1", "x", "9" * 20):
        assert daemon.unix("GET", f"/control/tickets/{wrong}").status == 404


def test_orders_over_tcp_carry_the_token_and_the_address(daemon):
    daemon.tcp("POST", "/control/reload", authorization=BEARER)
    assert daemon.backend.commands == [Reload(actor="token (127.0.0.1)")]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/control/stop", {}),
        ("/control/stop", {"reason": "  "}),
        ("/control/stop", {"reason": "x", "unknown": 1}),
        ("/control/incidents/one/retry", {}),
        ("/control/incidents/one/ack", {"until_seconds": -1}),
        ("/control/incidents/one/ack", {"until_seconds": "soon"}),
        ("/control/incidents/one/ack", {"until_seconds": 1e300}),
        ("/control/incidents/one/decline", {"until_seconds": 1e12}),
        ("/control/changes", {"subject": "x", "reason": "y", "starts_at": 1e300}),
        ("/control/changes", {"subject": "x", "reason": "y", "ends_at": -1.0}),
        ("/control/reload", {"reason": "x"}),
        ("/control/drill", {"people_seconds": -1}),
        ("/control/drill", {"people_seconds": 7200}),
    ],
)
def test_a_bad_order_is_refused_before_it_reaches_the_engine(daemon, path, body):
    answer = daemon.unix("POST", path, body)
    assert answer.status == 400
    assert answer.json["error"]
    assert daemon.backend.commands == []


def test_lists_pass_their_state_and_limit_on(daemon):
    assert daemon.unix("GET", "/control/incidents?state=open&limit=5").json == [{"id": "one"}]
    assert daemon.unix("GET", "/control/incidents").status == 200
    assert daemon.backend.asked == [("open", 5), ("", 100)]


@pytest.mark.parametrize("query", ["state=odd", "limit=0", "limit=-1", "limit=1e3", "limit=99999999999", "limit=²"])
def test_odd_queries_are_refused(daemon, query):
    path = f"/control/incidents?{query}".encode().decode("latin-1").replace("\xc2", "%C2").replace("\xb2", "%B2")
    assert daemon.unix("GET", path).status == 400


@pytest.mark.parametrize("path", ["/control/incidents/none", "/control/drill/none", "/nowhere", "/metrics/"])
def test_what_is_not_there_is_404(daemon, path):
    assert daemon.unix("GET", path).status == 404


def test_a_wrong_method_is_405(daemon):
    assert daemon.unix("DELETE", "/control/status").status == 405


def test_a_failing_backend_is_500_and_the_next_request_is_served(daemon, capsys):
    daemon.backend.error = ZeroDivisionError("boom")
    answer = daemon.unix("POST", "/control/reload")
    assert (answer.status, b"boom" in answer.body) == (500, False)
    assert json.loads(daemon.unix("GET", "/control/status").body)["ok"] is True


@pytest.mark.parametrize(
    "query", ["", "from=0", "from=0&to=x", "from=5&to=5", "from=-1&to=5", "from=0&to=1e300", "from=0&to=5&form=pdf"]
)
def test_a_report_on_no_sensible_period_is_refused(daemon, query):
    assert daemon.unix("GET", f"/control/report?{query}").status == 400
    assert daemon.backend.asked == []


def test_a_report_ends_now_at_the_latest_because_nobody_knows_what_goes_on_until_then(daemon):
    tomorrow = time.time() + 86400.0
    assert daemon.unix("GET", f"/control/report?from={tomorrow - 172800}&to={tomorrow}").status == 200
    ((_, end, _),) = daemon.backend.asked
    assert end <= time.time()
    period = {"id": "x", "name": "x", "start": 0.0, "end": tomorrow}
    answer = daemon.unix("POST", "/control/reports", period)
    assert (answer.status, b"not over" in answer.body) == (400, True)


def test_articles_are_listed_or_searched(daemon):
    assert daemon.unix("GET", "/control/articles").status == 200
    assert daemon.unix("GET", "/control/articles?query=disk+full%22%29&limit=3").status == 200
    assert daemon.backend.asked == [("", 2000), ('disk full")', 3)]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=2001", f"query={'x' * 1001}"])
def test_a_search_for_no_sensible_number_or_of_a_novel_is_refused(daemon, query):
    assert daemon.unix("GET", f"/control/articles?{query}").status == 400
    assert daemon.backend.asked == []


@pytest.mark.parametrize("path", ["articles/nope", "articles/..%2Fx", "incidents/two/article"])
def test_an_article_that_is_not_there_is_404(daemon, path):
    assert daemon.unix("GET", f"/control/{path}").status == 404


@pytest.mark.parametrize(
    ("query", "status", "asked"),
    [("", 200, [None]), ("?at=1.5e9", 200, [1.5e9]), ("?at=x", 400, []), ("?at=-1", 400, [])],
)
def test_who_is_on_call_is_told_for_now_or_for_a_time(daemon, query, status, asked):
    answer = daemon.unix("GET", f"/control/oncall{query}")
    assert (answer.status, daemon.backend.asked) == (status, asked)


@pytest.mark.parametrize(
    ("path", "fields", "why"),
    [
        ("changes", {"subject": "x", "reason": " "}, "reason must not be empty"),
        ("changes", {"subject": " ", "reason": "y"}, "subject must not be empty"),
        ("changes", {"subject": "x", "reason": "y", "approved": True}, "unknown field"),
        ("changes", {"subject": "x", "reason": "y" * 10_001}, "at most 10000 characters"),
        ("changes/one/close", {}, "result"),
        ("changes/one/review", {}, "comment must not be empty"),
    ],
)
def test_what_is_said_about_a_change_is_checked(daemon, path, fields, why):
    refused = daemon.unix("POST", f"/control/{path}", fields)
    assert refused.status == 400
    assert why in refused.json["error"]
    assert daemon.backend.commands == []


def test_a_word_on_a_change_says_who_and_how(daemon):
    daemon.tcp("POST", "/control/changes/CHG-1/approve", {"comment": "go"}, authorization=BEARER)
    daemon.unix("POST", "/control/changes/CHG-1/reject", {})
    me = pwd.getpwuid(os.geteuid()).pw_name
    approve, reject = daemon.backend.commands
    assert (approve.actor, approve.via, approve.change_id, approve.approve) == ("token", "api", "CHG-1", True)
    assert (reject.actor, reject.via, reject.approve) == (me, "cli", False)


def test_changes_are_listed_by_what_is_to_be_done_about_them(daemon):
    assert daemon.unix("GET", "/control/changes?state=unreviewed&limit=5").json == [{"id": "CHG-1"}]
    assert daemon.backend.asked == [("unreviewed", 5)]
    assert daemon.unix("GET", "/control/changes?state=wrong").status == 400
    assert daemon.unix("GET", "/control/calendar?days=401").status == 400
    assert daemon.unix("GET", "/control/changes/two").status == 404


@pytest.mark.parametrize("seconds", [-1, 91 * 86400])
def test_a_stand_in_is_for_some_months_at_most(daemon, seconds):
    answer = daemon.unix("POST", "/control/oncall", {"rota": "web", "person": "bob", "seconds": seconds})
    assert (answer.status, daemon.backend.commands) == (400, [])


def test_a_stand_in_is_ordered_by_the_caller(daemon):
    daemon.unix("POST", "/control/oncall", {"rota": "web", "person": "bob", "seconds": 60, "reason": " ill "})
    (order,) = daemon.backend.commands
    assert (order.rota, order.person, order.seconds, order.reason) == ("web", "bob", 60.0, "ill")
    assert "uid" in order.actor
