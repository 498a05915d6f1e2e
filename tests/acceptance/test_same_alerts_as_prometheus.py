"""Prometheus and paramedic load one rule file and scrape one exporter: the same alerts come and go together."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.acceptance.daemon import running_daemon
from tests.services.exporter import Exporter, running_exporter
from tests.services.prometheus import running_prometheus
from tests.services.service import eventually

PATIENCE = 120.0

RULES = """
groups:
  - name: plant
    interval: 2s
    rules:
      - record: plant:load:ratio
        expr: sum by (job) (plant_load) / on (job) plant_capacity
      - alert: Hot
        expr: plant_temperature > 90
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.room }} is at {{ $value }}, on {{ $labels.instance }}"}
      - alert: HotForLong
        expr: plant_temperature > 90
        for: 1500ms  # whole intervals would be a matter of microseconds
        labels: {severity: critical, room: "room {{ $labels.room }}"}
      - alert: Failing
        expr: rate(plant_failures_total[8s]) > 5
        labels: {severity: warning}
      - alert: Overloaded
        expr: plant:load:ratio > 0.8 and on (job) plant_capacity > 0
        annotations: {summary: "{{ $value | humanizePercentage }}"}
      - alert: NoCellar
        expr: absent(plant_temperature{room="cellar"})
      - alert: Up
        expr: up{job="plant"} == 1
      - alert: Down
        expr: up{job="plant"} == 0
        labels: {severity: critical}
"""
SCRAPING = """
global: {scrape_interval: 200ms, evaluation_interval: 2s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: plant
    scrape_timeout: 200ms
    static_configs: [{targets: ["%s"], labels: {site: north}}]
"""
FINE: dict[str, float] = {
    'plant_temperature{room="a"}': 20.0,
    'plant_temperature{room="b"}': 21.0,
    "plant_failures_total": 0.0,
    'plant_load{unit="1"}': 10.0,
    'plant_load{unit="2"}': 20.0,
    "plant_capacity": 100.0,
}
Alerts = frozenset[str]


def page(values: dict[str, float]) -> bytes:
    return "".join(f"{series} {value!r}\n" for series, value in values.items()).encode()


def active(url: str) -> Alerts:
    """Return all that both say of their alerts, but for times."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/api/v1/alerts", timeout=60) as it:
        alerts: list[dict[str, Any]] = json.load(it)["data"]["alerts"]
    told = ("labels", "annotations", "state")
    return frozenset(json.dumps({name: alert[name] for name in told}, sort_keys=True) for alert in alerts)


@dataclass(slots=True, kw_only=True)
class Side:
    """One of the two that are compared, and since when its alerts are as they are."""

    url: str
    alerts: Alerts = frozenset()
    changed_at: float = 0.0

    def look(self) -> None:
        alerts = active(self.url)
        if alerts != self.alerts:
            self.alerts, self.changed_at = alerts, time.monotonic()


def await_firing(theirs: Side, ours: Side, *names: str) -> float:
    """Wait until just these alerts fire on both sides, the same in every word; return the seconds between them."""

    def look() -> bool:
        theirs.look()
        ours.look()
        return theirs.alerts == ours.alerts and firing(ours.alerts) == sorted(names)

    eventually(look, PATIENCE, lambda: f"wanted {names}\ntheirs {theirs.alerts}\nours {ours.alerts}")
    return abs(theirs.changed_at - ours.changed_at)


def firing(alerts: Alerts) -> list[str]:
    """Return the names of the alerts, sorted; what is pending is never waited for."""
    known = [json.loads(alert) for alert in alerts]
    return sorted(alert["labels"]["alertname"] if alert["state"] == "firing" else "(pending)" for alert in known)


def scraping(exporter: Exporter) -> dict[str, Any]:
    target = {"job": "plant", "url": f"http://{exporter.address}/metrics", "labels": {"site": "north"}}
    return {"collectors": {"scrape": {"interval": "200ms", "timeout": "200ms", "targets": [target]}}}


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    with running_exporter(page(FINE)) as running:
        yield running


def test_the_same_alerts_come_and_go(exporter: Exporter, record_property: Callable[[str, object], None]) -> None:
    with (
        running_prometheus(SCRAPING % exporter.address, files={"rules.yml": RULES}) as prometheus,
        running_daemon(scraping(exporter), RULES) as daemon,
    ):
        both = Side(url=prometheus.url), Side(url=daemon.url)
        await_firing(*both, "NoCellar", "Up")  # Prometheus waits for five seconds after its start
        exporter.body = page(FINE | {'plant_temperature{room="b"}': 95.5, 'plant_load{unit="1"}': 75.0})
        apart = [await_firing(*both, "NoCellar", "Up", "Hot", "HotForLong", "Overloaded")]
        exporter.body = page(FINE | {'plant_temperature{room="cellar"}': 12.0, "plant_failures_total": 1000.0})
        apart.append(await_firing(*both, "Failing", "Up"))
        exporter.body = page(FINE)
        apart.append(await_firing(*both, "NoCellar", "Up"))
        exporter.status = 500
        apart.append(await_firing(*both, "Down", "NoCellar"))
        exporter.status = 200
        apart.append(await_firing(*both, "NoCellar", "Up"))
    record_property("alerts beside Prometheus", f"at most {max(apart):.1f} s apart, the interval is 2 s")
