"""Prometheus and amtool take us for an Alertmanager."""

import json
import subprocess

import pytest

from agent.engine.commands import BusyError
from tests.agent.web.daemon import TOKEN, running
from tests.agent.web.scraped import ALERTS
from tests.services.prometheus import running_prometheus
from tests.services.service import eventually, need

CONFIG = """
global: {scrape_interval: 1s, evaluation_interval: 200ms}
rule_files: [rules.yml]
alerting:
  alertmanagers:
    - static_configs: [{targets: ["%s"]}]
      authorization: {credentials: %s}
"""
RULES = """
groups:
  - name: g
    rules:
      - alert: Always
        expr: vector(1)
        for: 8s  # it learns where its Alertmanagers are five seconds after its start, and resends after a minute
        labels: {severity: page}
        annotations: {summary: "value {{ $value }}"}
"""


@pytest.fixture
def daemon(tmp_path):
    with running(tmp_path) as running_daemon:
        yield running_daemon


def await_commands(daemon, count):
    eventually(lambda: len(daemon.backend.commands) >= count, 60.0)
    return daemon.backend.commands


def test_prometheus_posts_its_alerts_here_with_the_token(daemon):
    config = CONFIG % (daemon.server.addresses[0], TOKEN)
    with running_prometheus(config, files={"rules.yml": RULES}):
        command = await_commands(daemon, 1)[0]
    alert = command.alerts[0]
    assert alert.labels == {"alertname": "Always", "severity": "page"}
    assert json.loads(alert.document())["annotations"] == {"summary": "value 1"}
    assert command.origin == "http"


def test_amtool_adds_an_alert_and_learns_of_an_engine_that_is_busy(tmp_path):
    with running(tmp_path, open_ingest=True) as daemon:
        argv = (
            need("amtool", "prometheus-alertmanager"),
            f"--alertmanager.url=http://{daemon.server.addresses[0]}",
            *("alert", "add", "Disk", "node=bar", "--end=2099-01-01T00:00:00Z", "--annotation=runbook=none"),
        )
        subprocess.run(argv, check=True, capture_output=True, timeout=30)
        (command,) = daemon.backend.commands
        assert command.alerts[0].labels == {"alertname": "Disk", "node": "bar"}
        daemon.backend.error = BusyError()
        assert subprocess.run(argv, check=False, capture_output=True, timeout=30).returncode == 1


def test_amtool_lists_our_alerts(daemon):
    daemon.backend.listed = ALERTS
    argv = (
        need("amtool", "prometheus-alertmanager"),
        f"--alertmanager.url=http://{daemon.server.addresses[0]}",
        *("--output=json", "alert", "query"),
    )
    done = subprocess.run(argv, check=True, capture_output=True, timeout=30)
    assert {alert["labels"]["alertname"] for alert in json.loads(done.stdout)} == {"DiskFull", "UnitFailed"}
