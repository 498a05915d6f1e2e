"""A real Prometheus scrapes us, and the dashboard finds everything it asks for there."""

import time

import pytest
import requests

from tests.agent.web.daemon import running
from tests.agent.web.scraped import ALERTS, collect, exposition, live
from tests.agent.web.test_dashboard import TARGETS
from tests.services.prometheus import running_prometheus
from tests.services.service import eventually

CONFIG = """
global: {scrape_interval: 500ms}
scrape_configs:
  - job_name: node
    scrape_timeout: 500ms
    static_configs: [{targets: ["%s"]}]
"""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    with running(tmp_path_factory.mktemp("web"), exposition=exposition()) as daemon:
        live()
        daemon.backend.listed = ALERTS
        collect(daemon.backend.store, time.time())
        with running_prometheus(CONFIG % daemon.server.addresses[1]) as server:
            scraped = "count_over_time(up[1m]) >= 5 and up == 1"
            eventually(lambda: asked(server, scraped), 60.0, lambda: targets(server))
            live()  # what is divided by an increase needs one
            moved = "increase(paramedic_incidents_ended_total[1m]) > 0"
            eventually(lambda: asked(server, moved), 60.0, lambda: targets(server))
            yield server


def asked(server, expression):
    return requests.get(f"{server.url}/api/v1/query", params={"query": expression}, timeout=60).json()["data"]["result"]


def targets(server):
    found = requests.get(f"{server.url}/api/v1/targets", timeout=60).json()
    return [target["lastError"] for target in found["data"]["activeTargets"]]


def test_every_expression_of_the_dashboard_returns_data_there(prometheus):
    empty = [
        title
        for title, target in TARGETS
        if not asked(
            prometheus,
            target["expr"].replace("$__rate_interval", "10s").replace("$instance", ".*").removesuffix(" or vector(0)"),
        )
    ]
    assert empty == []


def test_prometheus_knows_types_and_help_of_what_it_scraped(prometheus):
    metadata = requests.get(f"{prometheus.url}/api/v1/metadata", timeout=60).json()["data"]
    # It asks for OpenMetrics, where a counter's family has no suffix.
    assert metadata["node_cpu_seconds"][0]["type"] == "counter"
    assert metadata["node_load1"][0]["type"] == "gauge"
    assert metadata["paramedic_engine_batch_seconds"][0]["type"] == "histogram"
    assert all(found[0]["help"] for name, found in metadata.items() if name.startswith("paramedic_"))


def test_no_label_of_ours_is_renamed(prometheus):
    assert asked(prometheus, '{exported_instance!=""}') == []
    assert asked(prometheus, '{exported_job!=""}') == []
