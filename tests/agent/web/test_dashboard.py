"""The Grafana dashboard shows what we export."""

import json
import re
import time
from pathlib import Path

import pytest
import yaml

from agent.collecting.host import PUBLISH_SECONDS
from agent.config import durations
from agent.config.options import WebOptions
from agent.telemetry.metrics import REGISTRY
from rules.promql.compile import compile_query
from rules.promql.values import Vector
from tests.agent.web.scraped import prometheus

FOLDER = Path(__file__).parents[3] / "dashboards"
DASHBOARD = json.loads((FOLDER / "paramedic.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [(panel["title"], target) for panel in PANELS for target in panel["targets"]]
EXPRESSIONS = [target["expr"] for _, target in TARGETS]

NOT_SHOWN = {
    "paramedic_build_info",  # the list of hosts
    "paramedic_start_time_seconds",
    "paramedic_collector_runs_total",
    "paramedic_collector_duration_seconds",  # as node_exporter names it
    "prometheus_rule_group_last_duration_seconds",  # as we name it
    "paramedic_rule_evaluations_total",
    "paramedic_rule_limit_exceeded",  # these four are alerts
    "paramedic_quarantined_rows",
    "paramedic_config_last_reload_successful",
    "paramedic_outbox_claim_mismatches_total",
    "paramedic_config_last_reload_success_timestamp_seconds",
    "paramedic_mqtt_topics",
}


@pytest.fixture(scope="module")
def store():
    now = time.time()
    return prometheus(now), now


def as_sent(expression):
    """What Grafana sends with all hosts chosen, without the zero that stands in for no data."""
    return expression.replace("$__rate_interval", "1m").replace("$instance", ".*").removesuffix(" or vector(0)")


@pytest.mark.parametrize(("title", "target"), TARGETS, ids=[f"{title}-{n}" for n, (title, _) in enumerate(TARGETS)])
def test_every_expression_returns_data_from_what_we_export_with_the_labels_of_its_legend(store, title, target):
    there, now = store
    expression = target["expr"]
    assert '=~"$instance"' in expression
    result = compile_query(as_sent(expression)).instant(there, now)
    assert isinstance(result, Vector)
    assert result.values, expression
    wanted = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
    # One of them will do: a message that fits no subscription is counted with an empty name, which is no label.
    assert any(wanted <= {name for name, _ in key.labels} for key in result.keys.final()), expression


def test_it_shows_every_metric_of_ours_but_those_that_say_nothing_to_look_at():
    known = {f"{family.name}_total" if family.type == "counter" else family.name for family in REGISTRY.collect()}
    shown = {name for name in known if re.search(rf"\b{name}(_bucket)?\b", json.dumps(EXPRESSIONS))}
    assert known - shown == NOT_SHOWN


def test_no_expression_is_there_twice_and_no_panel_lies_over_another():
    assert len(set(EXPRESSIONS)) == len(EXPRESSIONS)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken = set()
    for panel in DASHBOARD["panels"]:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24
        cells = {
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_panel_asks_the_chosen_data_source():
    uids = set(re.findall(r'"uid": "([^"]*)"', json.dumps(DASHBOARD["panels"])))
    assert uids == {"${datasource}"}


def test_the_provisioning_files_name_data_sources_and_a_folder():
    sources = yaml.safe_load((FOLDER / "provisioning/datasources/paramedic.yml").read_text())
    assert {source["type"] for source in sources["datasources"]} == {"prometheus", "alertmanager"}
    direct = next(source for source in sources["datasources"] if source["uid"] == "paramedic-direct")
    assert durations.parse(direct["jsonData"]["timeInterval"]) >= PUBLISH_SECONDS
    assert direct["url"] == f"http://{WebOptions().listen}"
    providers = yaml.safe_load((FOLDER / "provisioning/dashboards/paramedic.yml").read_text())
    assert providers["providers"][0]["options"]["path"].startswith("/")
