"""Alerts reach a real Alertmanager and end there, seen with amtool."""

import json
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from agent.clock import SystemClock
from agent.config.options import AlertmanagerOptions
from agent.notify import alertmanager
from agent.notify.alertmanager import AlertmanagerSync
from collectors.sample import labels
from rules.alert import Alert, AlertState
from tests.services.prometheus import running_alertmanager
from tests.services.service import eventually, need


@pytest.fixture(scope="module")
def server():
    with running_alertmanager() as running:
        yield running


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(alertmanager, "MAX_BACKOFF_SECONDS", 0.2)


@contextmanager
def syncing(url, resend=60.0):
    target = AlertmanagerOptions(name="am", url=url, resend=resend, timeout=60)
    sync = AlertmanagerSync(target, SystemClock(), external=labels(instance="web1", job="node"))
    sync.start()
    try:
        yield sync
    finally:
        sync.close()


def alert(name, state=AlertState.FIRING):
    now = time.time()
    return Alert(
        fingerprint=name,
        rule="r",
        rule_version="1",
        labels=labels(alertname=name, severity="critical"),
        annotations=labels(summary='it is "down"\nfor all'),
        state=state,
        value=1.0,
        active_at=now - 5,
        fired_at=now - 5,
        generator_url="http://127.0.0.1:8911/",
    )


def listed(server, name):
    """What amtool shows of this alert, as Alertmanager tells it."""
    program = need("amtool", "prometheus-alertmanager")
    argv = (program, f"--alertmanager.url={server.url}", "--output=json", "alert", "query", f"alertname={name}")
    done = subprocess.run(argv, capture_output=True, check=True, timeout=30)
    return json.loads(done.stdout)


def await_listed(server, name, *, present=True):
    eventually(lambda: bool(listed(server, name)) is present, what=lambda: listed(server, name))
    return listed(server, name)


def test_a_firing_alert_appears_and_a_resolved_one_ends(server):
    with syncing(server.url) as sync:
        firing = alert("Fires")
        sync.offer([firing])
        (found,) = await_listed(server, "Fires")
        assert found["labels"] == {
            "alertname": "Fires",
            "severity": "critical",
            "instance": "web1",
            "job": "node",
        }
        assert found["annotations"]["summary"] == 'it is "down"\nfor all'
        assert found["generatorURL"] == "http://127.0.0.1:8911/"
        sync.offer([replace(firing, state=AlertState.RESOLVED, resolved_at=time.time())])
        await_listed(server, "Fires", present=False)


def test_missing_data_keeps_an_alert_firing_there(server):
    with syncing(server.url, resend=0.5) as sync:
        firing = alert("Blind")
        sync.offer([firing])
        (first,) = await_listed(server, "Blind")
        sync.offer([replace(firing, state=AlertState.NO_DATA)])
        eventually(lambda: listed(server, "Blind")[0]["endsAt"] != first["endsAt"])


def test_an_alert_ends_there_by_itself_when_the_daemon_is_gone(server):
    with syncing(server.url, resend=0.25) as sync:
        sync.offer([alert("Orphan")])
        await_listed(server, "Orphan")
    await_listed(server, "Orphan", present=False)


def test_an_alertmanager_that_is_down_at_start_and_forgets_later_is_told(server):
    server.service.stop()
    with syncing(server.url, resend=0.5) as sync:
        sync.offer([alert("Waits")])
        server.service.start()
        await_listed(server, "Waits")
        server.service.kill()
        server.service.start()
        await_listed(server, "Waits")
