"""A real Alertmanager notifies a real daemon."""

from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests.acceptance.daemon import prepared_daemon, rule_file
from tests.services.prometheus import running_alertmanager
from tests.services.service import eventually

CONFIG = """
route: {receiver: paramedic, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers:
  - name: paramedic
    webhook_configs:
      - url: %s/api/v1/webhook/alertmanager
        send_resolved: true
        http_config: {authorization: {credentials: sesame}}
"""
LABELS = {"alertname": "DiskBroken", "severity": "critical", "instance": "db1"}


def post(alertmanager, **more):
    alert = {"labels": LABELS, "annotations": {"summary": "sda is gone"}, **more}
    requests.post(f"{alertmanager.url}/api/v2/alerts", json=[alert], timeout=60).raise_for_status()


@pytest.fixture
def daemon(tmp_path):
    token = tmp_path / "token"
    token.write_text("sesame")
    with prepared_daemon({"web": {"token_file": str(token)}}, rule_file()) as prepared:
        yield prepared


def test_an_alert_of_another_host_s_alertmanager_opens_an_incident_and_its_end_resolves_it(daemon):
    daemon.start()
    with running_alertmanager(CONFIG % daemon.url) as alertmanager:
        post(alertmanager)
        incident = daemon.await_state("DiskBroken", "escalated", 60.0, instance="db1")
        assert dict(incident["annotations"]) == {"summary": "sda is gone"}
        assert incident["alert_state"] == "firing"
        # No notification comes for an hour: that it is not refreshed within minutes means nothing.
        (listed,) = requests.get(f"{daemon.url}/api/v2/alerts", timeout=60).json()
        assert datetime.fromisoformat(listed["endsAt"]) > datetime.now(UTC) + timedelta(hours=4)
        post(alertmanager, endsAt=datetime.now(UTC).isoformat())
        daemon.await_state("DiskBroken", "resolved", 60.0, instance="db1")


def test_a_notification_sent_while_the_daemon_was_away_is_sent_again(daemon):
    with running_alertmanager(CONFIG % daemon.url) as alertmanager:
        post(alertmanager)
        eventually(
            lambda: "retrying" in alertmanager.service.tail() or "Notify attempt failed" in alertmanager.service.tail(),
            40.0,
            alertmanager.service.tail,
        )
        daemon.start()
        daemon.await_state("DiskBroken", "escalated", 60.0, instance="db1")
