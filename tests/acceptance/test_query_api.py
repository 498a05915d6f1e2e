"""Prometheus' clients ask the daemon what they would ask Prometheus, and the answers look the same."""

import json
import re
import subprocess
import time
from urllib.parse import urlencode

import pytest
import requests

from tests.acceptance.daemon import rule, rule_file, running_daemon
from tests.agent.web.test_dashboard import TARGETS
from tests.services.prometheus import running_prometheus
from tests.services.service import eventually, need

RULES = rule_file(
    {"record": "instance:load:max", "expr": "max by (instance, job) (node_load1)", "labels": {"team": "ops"}},
    rule("Fires", "node_time_seconds > 0", annotations={"summary": "It is {{ $value }}"}),
    rule("Waits", "node_time_seconds > 0", **{"for": "1h"}),
    rule("Quiet", "node_time_seconds < 0"),
    rule("Broken", "node_cpu_seconds_total * on (job) node_cpu_seconds_total"),
)
QUICK = {"interval": "1s"}
COLLECTORS = (
    "cpu",
    "diskstats",
    "filefd",
    "loadavg",
    "meminfo",
    "netdev",
    "pressure",
    "stat",
    "time",
    "uname",
    "vmstat",
)
CONFIG = """
global: {scrape_interval: 500ms, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: node
    scrape_timeout: 500ms
    static_configs: [{targets: ["127.0.0.1:%d"], labels: {instance: test-host}}]
"""


@pytest.fixture(scope="module")
def daemon():
    with running_daemon({"collectors": dict.fromkeys(COLLECTORS, QUICK)}, RULES) as running:
        fired = {"query": 'ALERTS{alertname="Fires",alertstate="firing"}'}
        eventually(lambda: asked(running, "query", fired)["data"]["result"], what=running.tail)
        yield running


@pytest.fixture(scope="module")
def prometheus(daemon):
    with running_prometheus(CONFIG % daemon.port, files={"rules.yml": RULES}) as server:
        grown = {"query": 'count_over_time(ALERTS{alertname="Fires",alertstate="firing"}[10s]) >= 6'}
        eventually(lambda: asked(server, "query", grown)["data"]["result"])
        yield server


def asked(server, path, parameters=(), *, status=200, method="GET"):
    """Ask, with a form if it is posted."""
    url = f"{server.url}/api/v1/{path}"
    pairs = list(parameters.items() if isinstance(parameters, dict) else parameters)
    session = requests.Session()
    session.trust_env = False
    with session:
        if method == "POST":
            answer = session.post(url, data=pairs, timeout=60)
        else:
            answer = session.get(f"{url}?{urlencode(pairs)}", timeout=60)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def shape(value):
    """What is left of an answer without its values: keys, and types of what is below."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(shape(each), sort_keys=True) for each in value})
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def queries():
    now = time.time()
    grid = {"start": now - 3, "end": now, "step": "1s"}
    return {
        "a vector": ("query", {"query": "node_uname_info"}),
        "an aggregation": ("query", {"query": "sum by (mode) (node_cpu_seconds_total)", "time": now}),
        "a scalar": ("query", {"query": "1 / 0"}),
        "a string": ("query", {"query": '"text"'}),
        "a matrix": ("query", {"query": "node_load1[5s]"}),
        "nothing": ("query", {"query": "no_such_metric"}),
        "a range": ("query_range", {"query": "rate(node_cpu_seconds_total[5s])", **grid}),
        "a range of a scalar": ("query_range", {"query": "0/0", **grid}),
        "recorded": ("query", {"query": "instance:load:max"}),
        "alerts as series": ("query", {"query": "ALERTS"}),
        "since when": ("query", {"query": "ALERTS_FOR_STATE"}),
        "up": ("query", {"query": "up"}),
        "series": ("series", [("match[]", "node_uname_info"), ("match[]", '{__name__=~"node_load.*"}')]),
        "labels": ("labels", {"match[]": "node_cpu_seconds_total"}),
        "values": ("label/mode/values", {"match[]": "node_cpu_seconds_total"}),
        "names": ("label/__name__/values", {"match[]": '{__name__=~"node_memory_.*"}'}),
        "no values": ("label/nowhere/values", {}),
        "alerts": ("alerts", {}),
        "buildinfo": ("status/buildinfo", {}),
        "metadata": ("metadata", {"metric": "node_load1"}),
    }


LONG = "sum by (namespace, pod) (kube_pod_container_resource_requests{resource='cpu', job='kube'})"
FORMATTED = (
    "sum(rate(x{a='b',c=~`d\\.e`}[90m]))by(job)/3",
    "-2^2 + (-2)^2 - a - (b - c)",
    "x offset -1w @ 5",
    "(a + b)[1d2h:30s] @ end() offset 5m",
    "topk without(instance) (3, x) and on() y unless ignoring(le) z",
    "node_avail_bytes{fstype!='tmpfs'} / on (instance, device) group_left (owner, team) node_owner > bool 5e-3",
    "histogram_quantile(0.99, sum by (le, job) (rate(http_request_seconds_bucket{job='api', code=~'5..'}[5m])))",
    f"label_replace({LONG}, 'a', 'b', 'c', '')",
    f"-{LONG} * 2 or {LONG}",
)
MISTAKES = {
    "no query": (400, "query", {}),
    "bad query": (400, "query", {"query": "sum("}),
    "bad time": (400, "query", {"query": "1", "time": "soon"}),
    "no start": (400, "query_range", {"query": "1"}),
    "end before start": (400, "query_range", {"query": "1", "start": 2, "end": 1, "step": 1}),
    "no step": (400, "query_range", {"query": "1", "start": 1, "end": 2, "step": 0}),
    "too many steps": (400, "query_range", {"query": "1", "start": 0, "end": 20000, "step": 1}),
    "a range vector over time": (400, "query_range", {"query": "up[1m]", "start": 1, "end": 2, "step": 1}),
    "no selector": (400, "series", {}),
    "bad selector": (400, "series", {"match[]": "{}"}),
    "bad selector of labels": (400, "labels", {"match[]": "up["}),
    "bad label": (400, "label/not-a-name/values", {}),
    "bad type": (400, "rules", {"type": "both"}),
    "no result": (422, "query", {"query": "node_cpu_seconds_total * on (job) node_cpu_seconds_total"}),
}


@pytest.mark.parametrize("text", FORMATTED)
def test_an_expression_is_formatted_as_by_prometheus(daemon, prometheus, text):
    ours, theirs = (asked(server, "format_query", {"query": text}) for server in (daemon, prometheus))
    assert ours == theirs


@pytest.mark.parametrize("name", queries())
def test_answers_have_the_shape_of_those_of_prometheus(daemon, prometheus, name):
    path, parameters = queries()[name]
    ours, theirs = asked(daemon, path, parameters), asked(prometheus, path, parameters)
    assert shape(ours) == shape(theirs)
    if path not in {"metadata", "status/buildinfo", "alerts"}:
        assert asked(daemon, path, parameters, method="POST" if "/" not in path else "GET")["status"] == "success"


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_answered_as_by_prometheus(daemon, prometheus, name):
    status, path, parameters = MISTAKES[name]
    ours = asked(daemon, path, parameters, status=status)
    theirs = asked(prometheus, path, parameters, status=status)
    assert shape(ours) == shape(theirs)
    assert (ours["status"], ours["errorType"]) == (theirs["status"], theirs["errorType"])


def test_the_same_questions_have_the_same_answers(daemon, prometheus):
    for expression in ("node_uname_info", "count by (mode) (node_cpu_seconds_total)", "up", "1e20", "-1/0", '"x"'):
        at = {"query": expression, "time": time.time()}
        ours, theirs = (asked(server, "query", at)["data"] for server in (daemon, prometheus))
        if isinstance(theirs["result"], list) and theirs["resultType"] == "vector":
            for data in (ours, theirs):
                data["result"].sort(key=json.dumps)
        assert ours == theirs


def test_rules_and_their_alerts_are_shown_as_by_prometheus(daemon, prometheus):
    def known(server):
        (group,) = asked(server, "rules")["data"]["groups"]
        rules = {each["name"]: each for each in group["rules"]}
        return rules if all(each["health"] != "unknown" for each in rules.values()) else None

    ours, theirs = (eventually(lambda server=server: known(server)) for server in (daemon, prometheus))
    assert list(ours) == list(theirs)
    for name, their in theirs.items():
        assert shape(ours[name]) == shape(their)
        same = ("name", "type", "state", "health", "duration", "labels", "annotations")
        assert {key: ours[name].get(key) for key in same} == {key: their.get(key) for key in same}
    groups = [asked(server, "rules")["data"]["groups"][0] for server in (daemon, prometheus)]
    assert set(groups[0]) == set(groups[1])
    for server in (daemon, prometheus):
        (group,) = asked(server, "rules", {"type": "record"})["data"]["groups"]
        assert [each["name"] for each in group["rules"]] == ["instance:load:max"]
    (group,) = asked(daemon, "rules", [("type", "alert"), ("rule_name[]", "Fires")])["data"]["groups"]
    assert [each["name"] for each in group["rules"]] == ["Fires"]


def test_collectors_are_shown_as_targets(daemon, prometheus):
    ours = asked(daemon, "targets")["data"]
    theirs = asked(prometheus, "targets")["data"]
    assert set(ours) == set(theirs)
    pools = {each["scrapePool"] for each in ours["activeTargets"]}
    assert pools >= set(COLLECTORS)
    assert pools.isdisjoint({"filesystem", "scrape", "up", "self", "rules", "alerts"})
    for each in ours["activeTargets"]:
        assert set(each) == set(theirs["activeTargets"][0])
        assert each["health"] == "up"
        assert (each["labels"]["job"], each["labels"]["instance"]) == ("node", "test-host")


def test_dashboards_find_hosts_by_their_variables(daemon):
    for metric in ("up", "node_uname_info", "paramedic_build_info"):
        selector = {"match[]": metric}
        assert asked(daemon, "label/job/values", selector)["data"] == ["node"]
        assert asked(daemon, "label/instance/values", selector)["data"] == ["test-host"]


def test_what_the_dashboard_finds_in_prometheus_it_finds_here(daemon, prometheus):
    def missing():
        return [
            title
            for title, target in TARGETS
            if not is_rate_of_our_own(target["expr"])
            if (expression := target["expr"].replace("$__rate_interval", "10s").replace("$instance", ".*"))
            and asked(prometheus, "query", {"query": expression})["data"]["result"]
            and not asked(daemon, "query", {"query": expression}, method="POST")["data"]["result"]
        ]

    found = [title for title, target in TARGETS if target["expr"].startswith(("node_load", "paramedic_alert_state"))]
    assert found
    eventually(lambda: missing() == [], 180, missing)


def is_rate_of_our_own(expression):
    """Say whether it takes minutes: our own metrics go into the store once a minute, and a rate needs two of them."""
    return "paramedic_" in expression and "$__rate_interval" in expression


def test_everything_on_the_page_can_be_queried(daemon):
    def missing():
        names = set(asked(daemon, "label/__name__/values")["data"])
        return set(re.findall(r"^(\w+)[{ ]", daemon.page(), re.MULTILINE)) - names

    eventually(lambda: not missing(), 180, missing)  # our own metrics are stored once a minute


def promtool(*argv):
    run = subprocess.run(
        (need("promtool", "prometheus"), *argv), capture_output=True, text=True, timeout=30, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_promtool_queries_us(daemon):
    url = daemon.url
    assert re.search(r'^up\{instance="test-host", job="node"\} => 1 @\[', promtool("query", "instant", url, "up"))
    assert re.match(r"scalar: 2 @\[", promtool("query", "instant", url, "1 + 1"))
    ends = ("--start", str(time.time() - 3), "--end", str(time.time()), "--step", "1s")
    ranged = promtool("query", "range", *ends, url, "node_load1")
    assert ranged.startswith('node_load1{instance="test-host", job="node"} =>\n')
    assert len(ranged.splitlines()) >= 3
    series = promtool("query", "series", "--match", "up", "--match", "node_load1", url)
    assert set(series.splitlines()) == {
        '{__name__="up", instance="test-host", job="node"}',
        '{__name__="node_load1", instance="test-host", job="node"}',
    }
    assert promtool("query", "labels", url, "job").splitlines() == ["node"]


def test_promtool_shows_our_errors(daemon):
    argv = (need("promtool", "prometheus"), "query", "instant", daemon.url, "sum(")
    run = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode != 0
    assert "bad_data" in run.stderr


def test_a_heavy_query_ends_in_time_and_does_not_hold_up_the_rules(daemon):
    heavy = "sum_over_time(node_cpu_seconds_total[1m:1s])"
    for _ in range(3):
        heavy = f"max_over_time(({heavy})[5m:1s])"
    # The group is due each second; a busy machine may need more of them.
    for budget in ("4s", "20s"):
        before = daemon.metric("paramedic_rule_evaluations_total")
        answer = asked(daemon, "query", {"query": heavy, "timeout": budget}, status=503)
        assert answer["errorType"] == "timeout"
        evaluated = daemon.metric("paramedic_rule_evaluations_total") - before
        if evaluated >= 2:
            break
    assert evaluated >= 2
