"""Prometheus' HTTP API over real sockets: shapes, parameters, errors, limits."""

import json
import math
import threading
import time
from urllib.parse import quote, urlencode

import pytest

from agent.engine.judgements import Judgement
from agent.web import prometheus_api, query_thread
from agent.web.backend import Target
from collectors.sample import Reading, Sample, Source, counter, gauge, labels, untyped
from rules.alert import AlertState
from rules.rulefile import parse
from rules.series import SeriesStore
from tests.agent.web.daemon import TOKEN, running
from tests.agent.web.scraped import alert

NOW = 1_800_000_000.0
STEP = 15.0
FORM = {"content_type": "application/x-www-form-urlencoded"}
READABLE = [
    ("GET", "/api/v1/query?query=1"),
    ("POST", "/api/v1/query?query=1"),
    ("GET", "/api/v1/query_range?query=1&start=0&end=1&step=1"),
    ("POST", "/api/v1/query_range?query=1&start=0&end=1&step=1"),
    ("GET", "/api/v1/series?match[]=up"),
    ("POST", "/api/v1/series?match[]=up"),
    ("GET", "/api/v1/labels"),
    ("POST", "/api/v1/labels"),
    ("GET", "/api/v1/label/job/values"),
    ("GET", "/api/v1/rules"),
    ("GET", "/api/v1/alerts"),
    ("GET", "/api/v1/targets"),
    ("GET", "/api/v1/metadata"),
    ("GET", "/api/v1/status/buildinfo"),
    ("GET", "/api/v1/status/runtimeinfo"),
    ("GET", "/api/v1/format_query?query=1"),
    ("POST", "/api/v1/format_query?query=1"),
    ("GET", "/api/v1/parse_query?query=1"),
    ("POST", "/api/v1/parse_query?query=1"),
    ("GET", "/api/v1/query_exemplars?query=1&start=0&end=1"),
    ("POST", "/api/v1/query_exemplars?query=1&start=0&end=1"),
]
RULES = """
groups:
  - name: disk
    interval: 30s
    limit: 7
    rules:
      - {record: "job:load:avg", expr: "avg by (job) (load)", labels: {team: ops}}
      - alert: DiskFull
        expr: load > 5
        for: 5m
        keep_firing_for: 1m
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.cpu }} is full"}
  - name: other
    rules:
      - {alert: Quiet, expr: "load > 100"}
"""


def filled():
    """Return a store with ten minutes of two series, one of another source, and one that ended."""
    store = SeriesStore(external=labels(instance="web1", job="node"))
    for number in range(-40, 1):
        at = NOW + number * STEP
        values = {"0": 40.0 + number, "1": 1.5}
        samples = [Sample("load", value, labels(cpu=cpu)) for cpu, value in values.items()]
        if number < -30:
            samples.append(Sample("gone", 1.0))
        store.append(Reading(source=Source("cpu"), at=at, samples=samples))
    odd = {"nan": math.nan, "up": math.inf, "down": -math.inf, "tiny": 1e-7, "small": 1e-5, "big": 1e20, "huge": 1e21}
    samples = [Sample("odd", value, labels(kind=kind)) for kind, value in odd.items()]
    store.append(Reading(source=Source("odd"), at=NOW, samples=samples))
    return store


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    with running(tmp_path_factory.mktemp("web")) as running_daemon:
        running_daemon.backend.store = filled()
        yield running_daemon


@pytest.fixture
def get(daemon):
    def ask(path, status=200, **parameters):
        pairs = [(name.replace("match", "match[]"), value) for name, value in parameters.items()]
        answer = daemon.tcp("GET", f"/api/v1/{path}?{urlencode(pairs, doseq=True)}")
        assert answer.status == status, answer.body
        assert answer.headers["content-type"] == "application/json"
        return answer.json

    return ask


@pytest.fixture
def ruled(daemon):
    """Return the daemon with rules: one fires, one is pending, one was never evaluated."""
    backend = daemon.backend
    backend.rule_groups = parse(RULES, "host.yml").groups
    disk = backend.rule_groups[0]
    record, full = (rule.identity for rule in disk.rules)
    backend.judgements = {
        record: Judgement(at=NOW, seconds=0.5, error="no result"),
        full: Judgement(at=NOW + 1, seconds=0.25),
    }
    firing = alert("DiskFull", AlertState.FIRING)
    backend.listed = tuple(
        type(firing)(**{name: getattr(firing, name) for name in firing.__slots__} | changes)
        for changes in (
            {"rule": full, "active_at": NOW, "value": 1234.5, "keep_until": NOW + 100},
            {"rule": full, "active_at": NOW, "state": AlertState.PENDING, "value": 0.0},
            {"rule": "posted;Foreign"},
        )
    )
    yield daemon
    backend.rule_groups, backend.judgements, backend.listed = (), {}, ()


# -- access


@pytest.mark.parametrize(("method", "path"), READABLE)
def test_reading_is_open_to_loopback_and_to_the_socket_and_not_served_to_the_network(daemon, method, path):
    assert daemon.tcp(method, path).status == 200
    assert daemon.unix(method, path).status == 200
    assert daemon.tcp(method, path, authorization=f"Bearer {TOKEN}").status == 200
    assert daemon.tcp(method, path, listener=1).status == 404


@pytest.mark.parametrize("path", ["rules", "alerts", "targets", "metadata", "label/job/values", "status/buildinfo"])
def test_what_takes_no_form_cannot_be_posted(daemon, path):
    assert daemon.tcp("POST", f"/api/v1/{path}", {}).status == 405


# -- queries


def test_a_vector_has_metric_and_value_at_the_time_of_the_query(get):
    assert get("query", query='load{cpu="1"}', time=NOW + 1.5) == {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [
                {
                    "metric": {"__name__": "load", "cpu": "1", "instance": "web1", "job": "node"},
                    "value": [NOW + 1.5, "1.5"],
                }
            ],
        },
    }


@pytest.mark.parametrize(
    ("expression", "shape"),
    [
        ("1 + 1", {"resultType": "scalar", "result": [NOW, "2"]}),
        ('"text"', {"resultType": "string", "result": [NOW, "text"]}),
        ("nothing", {"resultType": "vector", "result": []}),
        ("vector(3)", {"resultType": "vector", "result": [{"metric": {}, "value": [NOW, "3"]}]}),
        (
            "load{cpu='0'}[30s]",
            {
                "resultType": "matrix",
                "result": [
                    {
                        "metric": {"__name__": "load", "cpu": "0", "instance": "web1", "job": "node"},
                        "values": [[NOW - 15, "39"], [NOW, "40"]],
                    }
                ],
            },
        ),
    ],
)
def test_every_kind_of_value_has_its_shape(get, expression, shape):
    assert get("query", query=expression, time=NOW)["data"] == shape


def test_numbers_are_written_as_prometheus_writes_them(get):
    found = get("query", query="odd", time=NOW)["data"]["result"]
    assert {each["metric"]["kind"]: each["value"][1] for each in found} == {
        "nan": "NaN",
        "up": "+Inf",
        "down": "-Inf",
        "tiny": "1e-07",
        "small": "0.00001",
        "big": "100000000000000000000",
        "huge": "1e+21",
    }


def test_whole_seconds_are_written_without_a_fraction(daemon):
    body = daemon.tcp("GET", f"/api/v1/query?query=1&time={NOW:.1f}").body
    assert b"[1800000000," in body


def test_a_range_has_one_value_a_step(get):
    found = get("query_range", query="sum(load)", start=NOW - 30, end=NOW, step="15s")["data"]
    values = [[NOW - 30, "39.5"], [NOW - 15, "40.5"], [NOW, "41.5"]]
    assert found == {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}
    assert get("query_range", query="sum(load)", start=NOW - 30, end=NOW, step=15)["data"] == found
    assert get("query_range", query="1", start=0, end=0, step=1)["data"]["result"] == [
        {"metric": {}, "values": [[0, "1"]]}
    ]


def test_a_form_counts_before_the_address_and_only_as_a_form(daemon):
    path = "/api/v1/query?query=1"
    form = urlencode({"query": "2", "time": NOW}).encode()
    posted = daemon.tcp("POST", path, form, **FORM).json["data"]["result"]
    assert posted == [NOW, "2"]
    assert daemon.tcp("POST", path, form, content_type="text/plain").json["data"]["result"][1] == "1"


def test_without_a_time_a_query_is_about_now(get):
    assert abs(get("query", query="1")["data"]["result"][0] - time.time()) < 60


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2027-01-15T08:00:00Z", NOW),
        ("2027-01-15T10:00:00.25+02:00", NOW + 0.25),
        ("2027-01-15T08:00:00.123456789Z", NOW + 0.123),
        ("1.8e9", NOW),
        ("-1.5", -1.5),
        ("-292273086-05-16T16:47:06Z", -9007199254740.992),
    ],
)
def test_times_are_seconds_or_rfc_3339(get, text, seconds):
    assert get("query", query="1", time=text)["data"]["result"][0] == seconds


def test_a_limit_shortens_the_result_and_warns(get):
    answer = get("query", query="odd", time=NOW, limit=2)
    assert len(answer["data"]["result"]) == 2
    assert answer["warnings"] == ["results truncated due to limit"]
    answer = get("query_range", query="odd", start=NOW, end=NOW, step=1, limit=2)
    assert len(answer["data"]["result"]) == 2
    assert answer["warnings"] == ["results truncated due to limit"]
    assert "warnings" not in get("query", query="odd", time=NOW, limit=0)
    assert "warnings" not in get("query", query="odd", time=NOW, limit=7)


def test_remarks_on_a_query_are_told(get):
    answer = get("query", query="rate(load[1m])", time=NOW)
    assert any("might not be a counter" in info for info in answer["infos"])
    assert "warnings" not in answer
    assert any("quantile" in each for each in get("query", query="quantile(7, load)", time=NOW)["warnings"])


@pytest.mark.parametrize(
    "expression",
    [
        "topk(scalar(gone offset 9m) + 1, load)",
        "timestamp(load)",
        "clamp_max(load, scalar(odd{kind='small'}))",
        "absent(nothing) * on () group_right () load",
        "load and on () (max_over_time(gone[10m:1m]))",
        "load unless nothing",
        "nothing or load",
        "{__name__='load'}",
        "{__name__=~'l.*'} + on (cpu) load",
        "label_replace(load, 'a', '$1', 'cpu', '(.*)')",
        "quantile_over_time(scalar(odd{kind='small'}), load[1m])",
        "load @ end()",
    ],
)
def test_a_query_sees_every_metric_that_it_names_wherever_that_is(get, expression):
    assert len(get("query", query=expression, time=NOW)["data"]["result"]) == 2


def test_the_lookback_can_be_chosen(get):
    assert get("query", query="load", time=NOW + 60)["data"]["result"]
    assert not get("query", query="load", time=NOW + 60, lookback_delta="30s")["data"]["result"]


@pytest.mark.parametrize(
    ("path", "parameters", "reason"),
    [
        ("query", {}, 'invalid parameter "query": '),
        ("query", {"query": "load{"}, 'invalid parameter "query": '),
        ("query", {"query": "(" * 300 + "1" + ")" * 300}, "nested deeper than 200"),
        ("query", {"query": "1", "time": "soon"}, 'invalid parameter "time": cannot parse "soon" to a valid timestamp'),
        ("query", {"query": "1", "time": "NaN"}, 'invalid parameter "time"'),
        ("query", {"query": "1", "time": "1e300"}, 'invalid parameter "time"'),
        ("query", {"query": "1", "time": "2027-02-31T00:00:00Z"}, 'invalid parameter "time"'),
        ("query", {"query": "1", "timeout": "long"}, 'invalid parameter "timeout": cannot parse "long"'),
        ("query", {"query": "1", "limit": "-1"}, 'invalid parameter "limit": limit must be non-negative'),
        ("query", {"query": "1", "limit": "x"}, 'invalid parameter "limit"'),
        ("query", {"query": "1", "lookback_delta": "0"}, 'invalid parameter "lookback_delta"'),
        ("query_range", {"query": "1"}, 'invalid parameter "start": cannot parse ""'),
        ("query_range", {"query": "1", "start": 0}, 'invalid parameter "end"'),
        ("query_range", {"query": "1", "start": 0, "end": 1}, 'invalid parameter "step"'),
        ("query_range", {"query": "1", "start": 2, "end": 1, "step": 1}, "end timestamp must not be before start time"),
        ("query_range", {"query": "1", "start": 0, "end": 1, "step": 0}, "zero or negative query resolution"),
        ("query_range", {"query": "1", "start": 0, "end": 1, "step": -1}, "zero or negative query resolution"),
        ("query_range", {"query": "1", "start": 0, "end": 0, "step": 1e-9}, 'invalid parameter "step"'),
        ("query_range", {"query": "1", "start": 0, "end": 11001, "step": 1}, "maximum resolution of 11,000 points"),
        ("query_range", {"query": "load[1m]", "start": 0, "end": 1, "step": 1}, "invalid expression type"),
        ("query_range", {"query": "'text'", "start": 0, "end": 1, "step": 1}, "invalid expression type"),
        ("series", {}, "no match[] parameter provided"),
        ("series", {"match": "{"}, 'invalid parameter "match[]"'),
        ("series", {"match": "{}"}, "at least one non-empty matcher"),
        ("series", {"match": ["load", "load offset 1m"]}, 'invalid parameter "match[]"'),
        ("series", {"match": "load[1m]"}, 'invalid parameter "match[]"'),
        ("series", {"match": "load", "start": "x"}, 'invalid parameter "start"'),
        ("series", {"match": "load", "start": 2, "end": 1}, 'invalid parameter "end"'),
        ("labels", {"match": "1"}, 'invalid parameter "match[]"'),
        ("labels", {"limit": "many"}, 'invalid parameter "limit"'),
        ("label/not-a-name/values", {}, 'invalid label name: "not-a-name"'),
        ("label/0/values", {}, 'invalid label name: "0"'),
        ("rules", {"type": "both"}, 'not supported value "both"'),
        ("rules", {"exclude_alerts": "perhaps"}, 'invalid parameter "exclude_alerts"'),
        ("targets", {"state": "lost"}, 'invalid parameter "state"'),
        ("metadata", {"limit": "x"}, 'invalid parameter "limit"'),
    ],
)
def test_what_is_asked_wrongly_is_bad_data(get, path, parameters, reason):
    answer = get(path, 400, **parameters)
    assert (answer["status"], answer["errorType"]) == ("error", "bad_data")
    assert reason in answer["error"]


def test_eleven_thousand_steps_are_allowed(get):
    answer = get("query_range", query="1", start=0, end=11000, step=1)
    assert len(answer["data"]["result"][0]["values"]) == 11001


def test_bytes_that_are_no_text_are_bad_data(daemon):
    for answer in (
        daemon.tcp("GET", "/api/v1/query?query=%FF"),
        daemon.tcp("POST", "/api/v1/query", b"query=%FF", **FORM),
        daemon.tcp("POST", "/api/v1/query", b"query=\xff", **FORM),
        daemon.tcp("POST", "/api/v1/query", b"&".join([b"a=1"] * 2000), **FORM),
    ):
        assert (answer.status, answer.json["errorType"]) == (400, "bad_data")


def test_an_expression_that_is_too_long_is_bad_data_and_a_body_that_is_too_large_is_refused(daemon):
    answer = daemon.tcp("POST", "/api/v1/query", b"query=" + b"1" * 70_000, **FORM)
    assert (answer.status, answer.json["errorType"]) == (400, "bad_data")
    assert "64 KiB" in answer.json["error"]
    answer = daemon.tcp("POST", "/api/v1/query", b"query=" + b"1" * 2_000_000, **FORM)
    assert (answer.status, answer.json["status"]) == (413, "error")


@pytest.mark.parametrize("expression", ["load + on () load", "label_replace(load, 'cpu', 'x', '', '')"])
def test_a_query_without_a_result_is_an_execution_error(get, expression):
    answer = get("query", 422, query=expression, time=NOW)
    assert (answer["status"], answer["errorType"]) == ("error", "execution")


def test_results_over_the_limits_are_execution_errors(get, monkeypatch):
    monkeypatch.setattr(prometheus_api, "MAX_SERIES", 3)
    assert "more than 3 series" in get("query", 422, query="odd", time=NOW)["error"]
    monkeypatch.setattr(prometheus_api, "MAX_SAMPLES", 10)
    found = get("query_range", 422, query="load", start=NOW - 75, end=NOW, step=15)
    assert "more than 10 samples" in found["error"]
    assert "more than 10 samples" in get("query", 422, query="load[10m]", time=NOW)["error"]


def test_a_query_over_its_time_is_ended(get):
    slow = "sum_over_time(load[10m:1s])"
    for _ in range(3):
        slow = f"max_over_time(({slow})[10m:1s])"
    answer = get("query", 503, query=slow, time=NOW, timeout="200ms")
    assert (answer["errorType"], "time budget" in answer["error"]) == ("timeout", True)
    assert get("query", 503, query="1", timeout=0)["errorType"] == "timeout"


def test_when_too_many_queries_wait_the_next_one_is_refused(daemon, monkeypatch):
    busy, release = threading.Event(), threading.Event()

    def hold(*_):
        busy.set()
        assert release.wait(60)
        return NOW

    monkeypatch.setattr(type(daemon.server._clock), "now", hold)
    threads = [threading.Thread(target=daemon.tcp, args=("GET", "/api/v1/query?query=1"))]
    threads[0].start()
    assert busy.wait(60)
    queries = daemon.server._queries
    # What waits takes a place; the places are taken here as so many waiting queries would.
    taken = 0
    while queries._places.acquire(blocking=False):
        taken += 1
    try:
        assert taken == query_thread.MAX_WAITING - 1
        answer = daemon.tcp("GET", "/api/v1/query?query=1&time=0")
        assert (answer.status, answer.json["errorType"]) == (503, "unavailable")
    finally:
        queries._places.release(taken)
        release.set()
        threads[0].join(60)
    assert daemon.tcp("GET", "/api/v1/query?query=1&time=0").status == 200


def test_a_bug_of_ours_is_an_internal_error_in_the_same_shape(daemon, monkeypatch):
    def broken(*_):
        raise KeyError("a bug")

    monkeypatch.setattr(prometheus_api, "_limits", broken)
    answer = daemon.tcp("GET", "/api/v1/query?query=1")
    assert (answer.status, answer.json["errorType"]) == (500, "internal")
    assert b"bug" not in answer.body


def test_label_values_that_are_no_utf_8_are_escaped_and_not_an_error(daemon):
    store = daemon.backend.store
    store.append(Reading(source=Source("raw"), at=NOW, samples=[Sample("raw", 1.0, labels(path="a\udcff"))]))
    answer = daemon.tcp("GET", f"/api/v1/query?query=raw&time={NOW}")
    assert answer.status == 200
    assert answer.json["data"]["result"][0]["metric"]["path"] == "a\udcff"
    store.forget(Source("raw"))


# -- series and labels


def test_series_of_any_selector_are_listed_once(get):
    found = get("series", match=["load{cpu='0'}", "load", 'nothing{a="b"}'])["data"]
    shared = {"__name__": "load", "instance": "web1", "job": "node"}
    assert found == [{**shared, "cpu": "0"}, {**shared, "cpu": "1"}]


def test_only_series_with_samples_in_the_time_asked_are_listed(get):
    def names(**times):
        return {each["__name__"] for each in get("series", match='{__name__=~"load|gone|odd"}', **times)["data"]}

    assert names() == {"load", "gone", "odd"}
    assert names(start=NOW - 60, end=NOW - 30) == {"load"}
    assert names(end=NOW - 500) == {"load", "gone"}
    assert names(start=NOW) == {"load", "odd"}
    assert names(start=NOW + 1) == set()


def test_label_names_and_values_are_sorted_and_can_be_narrowed(get):
    assert get("labels")["data"] == ["__name__", "cpu", "instance", "job", "kind"]
    assert get("labels", match="load")["data"] == ["__name__", "cpu", "instance", "job"]
    assert get("labels", match=["gone", 'odd{kind="up"}'])["data"] == ["__name__", "instance", "job", "kind"]
    assert get("labels", match="nothing")["data"] == []
    assert get("label/__name__/values")["data"] == ["gone", "load", "odd"]
    assert get("label/cpu/values")["data"] == ["0", "1"]
    assert get("label/cpu/values", match='load{cpu!="0"}')["data"] == ["1"]
    assert get("label/cpu/values", start=NOW + 1)["data"] == []
    assert get("label/nowhere/values")["data"] == []
    assert get("label/U__c_70_u/values")["data"] == ["0", "1"]


def test_lists_can_be_shortened(get):
    for path in ("labels", "label/kind/values"):
        answer = get(path, limit=1)
        assert (len(answer["data"]), answer["warnings"]) == (1, ["results truncated due to limit"])
    answer = get("series", match="odd", limit=3)
    assert (len(answer["data"]), answer["warnings"]) == (3, ["results truncated due to limit"])
    assert "warnings" not in get("labels", limit=5)


# -- rules and alerts


def test_rules_are_shown_with_their_alerts_and_how_their_evaluation_went(ruled, get):
    disk, other = get("rules")["data"]["groups"]
    record, full = disk.pop("rules")
    assert disk == {
        "name": "disk",
        "file": "host.yml",
        "interval": 30,
        "limit": 7,
        "evaluationTime": 0.75,
        "lastEvaluation": "2027-01-15T08:00:01.000000000Z",
    }
    assert record == {
        "type": "recording",
        "name": "job:load:avg",
        "query": "avg by (job) (load)",
        "labels": {"team": "ops"},
        "health": "err",
        "lastError": "no result",
        "evaluationTime": 0.5,
        "lastEvaluation": "2027-01-15T08:00:00.000000000Z",
    }
    firing, pending = full.pop("alerts")
    assert full == {
        "type": "alerting",
        "state": "firing",
        "name": "DiskFull",
        "query": "load > 5",
        "duration": 300,
        "keepFiringFor": 60,
        "labels": {"severity": "critical"},
        "annotations": {"summary": "{{ $labels.cpu }} is full"},
        "health": "ok",
        "evaluationTime": 0.25,
        "lastEvaluation": "2027-01-15T08:00:01.000000000Z",
    }
    assert firing == {
        "labels": {"alertname": "DiskFull", "severity": "critical"},
        "annotations": {},
        "state": "firing",
        "activeAt": "2027-01-15T08:00:00.000000000Z",
        "value": "1.2345e+03",
        "keepFiringSince": "2027-01-15T08:00:40.000000000Z",
    }
    assert (pending["state"], pending["value"]) == ("pending", "0e+00")
    (quiet,) = other["rules"]
    assert (quiet["state"], quiet["health"], quiet["alerts"]) == ("inactive", "unknown", [])
    assert quiet["lastEvaluation"] == other["lastEvaluation"] == "0001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({}, ["job:load:avg", "DiskFull", "Quiet"]),
        ({"type": "alert"}, ["DiskFull", "Quiet"]),
        ({"type": "record"}, ["job:load:avg"]),
        ({"rule_name[]": ["Quiet", "DiskFull"]}, ["DiskFull", "Quiet"]),
        ({"rule_group[]": "other"}, ["Quiet"]),
        ({"file[]": "host.yml", "rule_group[]": "disk", "type": "alert"}, ["DiskFull"]),
        ({"file[]": "else.yml"}, []),
    ],
)
def test_rules_can_be_chosen_and_groups_without_a_chosen_one_are_left_out(ruled, get, parameters, names):
    groups = get("rules", **parameters)["data"]["groups"]
    assert [rule["name"] for group in groups for rule in group["rules"]] == names
    assert all(group["rules"] for group in groups)


def test_alerts_can_be_left_out_of_rules(ruled, get):
    groups = get("rules", exclude_alerts="true")["data"]["groups"]
    assert not any("alerts" in rule for group in groups for rule in group["rules"])


def test_alerts_of_rules_are_listed(ruled, get):
    assert [each["state"] for each in get("alerts")["data"]["alerts"]] == ["firing", "pending"]


# -- the rest


def test_collectors_are_targets(daemon, get):
    shown = {"collector": "probe_http", "labels": labels(instance="web1", job="node", target="a"), "seconds": 0.5}
    times = {"interval_seconds": 90.0, "timeout_seconds": 0.25}
    daemon.backend.collectors = (
        Target(target="a", health="down", error="refused", last_run_at=NOW, **shown, **times),
        Target(
            collector="cpu",
            labels=(),
            seconds=0.0,
            target="",
            health="unknown",
            error="",
            last_run_at=None,
            **times,
        ),
    )
    first, second = get("targets")["data"]["activeTargets"]
    assert first == {
        "discoveredLabels": {
            "__address__": "probe_http/a",
            "__scrape_interval__": "1m30s",
            "__scrape_timeout__": "250ms",
        },
        "labels": {"instance": "web1", "job": "node", "target": "a"},
        "scrapePool": "probe_http",
        "scrapeUrl": "",
        "globalUrl": "",
        "lastError": "refused",
        "lastScrape": "2027-01-15T08:00:00.000000000Z",
        "lastScrapeDuration": 0.5,
        "health": "down",
        "scrapeInterval": "1m30s",
        "scrapeTimeout": "250ms",
    }
    assert (second["health"], second["lastScrape"]) == ("unknown", "0001-01-01T00:00:00Z")
    assert [each["scrapePool"] for each in get("targets", scrapePool="cpu")["data"]["activeTargets"]] == ["cpu"]
    assert get("targets", state="dropped")["data"] == {"activeTargets": [], "droppedTargets": []}


def test_metadata_tell_type_and_help(daemon, get):
    daemon.backend.metrics = (gauge("load", "Load."), counter("n_total", "Number."), untyped("odd", "Odd."))
    found = get("metadata")["data"]
    assert found["load"] == [{"type": "gauge", "help": "Load.", "unit": ""}]
    assert found["n_total"][0]["type"] == "counter"
    assert found["odd"][0]["type"] == "unknown"
    assert found["paramedic_engine_batch_seconds"][0]["type"] == "histogram"
    assert found["paramedic_collector_runs_total"][0]["type"] == "counter"
    assert get("metadata", metric="load")["data"] == {"load": found["load"]}
    assert get("metadata", metric="nothing")["data"] == {}
    assert list(get("metadata", limit=2)["data"]) == ["load", "n_total"]


def test_the_build_says_whose_api_is_spoken_and_who_speaks(get):
    build = get("status/buildinfo")["data"]
    assert set(build) == {"version", "revision", "branch", "buildUser", "buildDate", "goVersion"}
    assert build["version"].startswith("3.")
    assert build["revision"].startswith("paramedic ")


def test_a_question_that_is_not_part_of_the_api_is_not_found(daemon):
    assert daemon.tcp("GET", "/api/v1/nothing").status == 404
    assert daemon.tcp("GET", f"/api/v1/label/{quote('a/b', safe='')}/values").status == 404
    assert json.loads(daemon.tcp("GET", "/api/v1/query").body)["status"] == "error"
