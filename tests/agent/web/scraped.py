"""What a Prometheus would have after scraping us: collectors' readings and our own metrics, twice, through /metrics."""

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from agent.collecting import health
from agent.telemetry import metrics
from agent.web.exposition import Exposition
from collectors import filesystem, probe_tcp, processes, systemd_units
from collectors.exposition import parse
from collectors.registry import SPECS
from collectors.sample import Reading, Sample, Source, labels
from collectors.spec import CollectorSpec
from rules.alert import Alert, AlertState
from rules.series import SeriesStore

EXTERNAL = labels(instance="web1", job="node")
CATALOG = (*health.METRICS, *(metric for spec in SPECS for metric in spec.metrics))
EXTRA = labels(device="/dev/extra0", fstype="ext4", mountpoint="/extra")
STEP_SECONDS = 15.0
HOST = Path(__file__).parents[2] / "collectors/fixtures"


def scraped(store: SeriesStore, now: float, accept: str = "") -> bytes:
    """Return the page for what the store has, with a firing alert."""
    return exposition().render(accept, store, ALERTS, now)[0]


def exposition() -> Exposition:
    return Exposition(catalog=CATALOG, external=EXTERNAL)


def alert(name: str, state: AlertState) -> Alert:
    return Alert(
        fingerprint=name,
        rule="r",
        rule_version="1",
        labels=labels(alertname=name, severity="critical"),
        annotations=(),
        state=state,
        value=1.0,
        active_at=1.0,
    )


ALERTS = (alert("DiskFull", AlertState.FIRING), alert("UnitFailed", AlertState.NO_DATA))


def collected(now: float) -> SeriesStore:
    """Return a store that the collectors have filled once."""
    store = SeriesStore(external=EXTERNAL)
    collect(store, now)
    return store


def collect(store: SeriesStore, at: float) -> None:
    for name, samples in _readings():
        store.append(Reading(source=Source(name), at=at, samples=tuple(samples)))


def prometheus(now: float) -> SeriesStore:
    """Return the store of a Prometheus that has scraped our page each interval."""
    there = SeriesStore(external=EXTERNAL)
    ours = SeriesStore(external=EXTERNAL)
    for number in range(-20, 1):
        at = now + number * STEP_SECONDS
        live()
        collect(ours, at)
        page = parse(scraped(ours, at).decode())
        there.append(Reading(source=Source("scrape"), at=at, samples=page.samples))
    return there


def _readings() -> Iterable[tuple[str, Iterable[Sample]]]:
    """Run the collectors on a captured host, and feed those that need more than files."""
    for spec in SPECS:
        if isinstance(spec, CollectorSpec):
            yield spec.name, tuple(spec.collect(_options(spec)))
    units = [("web.service", "", "loaded", "failed"), ("db.service", "", "loaded", "active")]
    yield "systemd", systemd_units.listed(systemd_units.UnitOptions(), units, {})
    # The captured host has no swap.
    yield "swap", (Sample("node_memory_SwapTotal_bytes", 2.0), Sample("node_memory_SwapFree_bytes", 1.0))
    yield "filesystem", (Sample(metric.name, 100.0, EXTRA) for metric in filesystem.SPEC.metrics)
    yield (
        "collecting",
        (
            Sample(health.SUCCESS.name, 0.0, labels(collector="filesystem")),
            Sample(health.DURATION.name, 0.01, labels(collector="filesystem")),
            Sample(health.TARGET_SUCCESS.name, 0.0, labels(collector="filesystem", target="/")),
        ),
    )
    yield "processes", (Sample(metric.name, 1.0, labels(name="web")) for metric in processes.SPEC.metrics)
    yield (
        "probe_tcp",
        (Sample(metric.name, 1.0, labels(probe="web", target="h:80")) for metric in probe_tcp.SPEC.metrics),
    )


def _options(spec: CollectorSpec) -> object:
    roots = {"procfs": HOST / "proc", "sysfs": HOST / "sys", "rootfs": HOST / "root"}
    return spec.options(**{field.name: roots[field.name] for field in fields(spec.options) if field.name in roots})


def live() -> None:
    """Let our own metrics move as they do in a daemon that works."""
    metrics.BUILD_INFO.labels("0", "3.11").set(1)
    metrics.READY.set(1)
    metrics.BATCH_SECONDS.observe(0.002)
    metrics.DETECTION_SECONDS.observe(0.004)
    metrics.QUEUE_LENGTH.labels("readings").set(1)
    metrics.QUEUE_DROPPED.labels("readings").inc()
    metrics.QUEUE_COALESCED.labels("pushed").inc()
    metrics.COLLECTOR_ERRORS.labels("filesystem", "timeout").inc()
    metrics.RULE_GROUP_SECONDS.labels("host").set(0.001)
    metrics.RULE_FAILURES.labels("host").inc()
    metrics.ALERTS.labels("firing").set(1)
    metrics.INCIDENTS.labels("open", "P2").set(1)
    metrics.INCIDENTS.labels("escalated", "P1").set(1)
    metrics.INCIDENTS_OPENED.labels("P2").inc()
    metrics.INCIDENTS_RESOLVED.labels("fixed").inc()
    metrics.DECISIONS.labels("resolved").inc()
    metrics.ATTEMPTS.labels("restart-web", "succeeded").inc()
    metrics.VERIFICATIONS.labels("restart-web", "healthy").inc()
    metrics.REFUSALS.labels("restart-web", "cooldown").inc()
    metrics.WOULD_RUN.labels("restart-web").inc()
    metrics.PROPOSALS.labels("restart-web", "correct").inc()
    _live_desk()
    metrics.OUTBOX.labels("ticket", "pending").set(1)
    metrics.EFFECTS.labels("mqtt", "done").inc()
    metrics.ALERTMANAGER_PUSHES.labels("am", "sent").inc()
    metrics.HTTP_REFUSED.labels("rate").inc()
    metrics.COLLECTOR_MISSED.labels("filesystem").inc()
    metrics.COLLECTOR_OVERLAP.labels("filesystem").inc()
    metrics.JOB_EVENTS.labels("reports", "error").inc()
    metrics.WATCH_EVENTS.labels("journal").inc()
    metrics.WATCH_RECONNECTS.labels("journal").inc()
    metrics.MQTT_MESSAGES.labels("doors", "taken").inc()
    metrics.MQTT_INPUT_CONNECTED.labels("house").set(1)
    metrics.MQTT_SILENT.labels("doors").set(1)


def _live_desk() -> None:
    metrics.BREAKER_STATE.labels("remediation", "restart-web").set(2)
    metrics.VERIFIED_SUCCESS.labels("remediation", "restart-web").set(0.5)
    metrics.DEMOTED.labels("restart-web").set(1)
    metrics.SILENCES.labels("active").set(1)
    metrics.AVAILABILITY.labels("shop").set(0.999)
    metrics.BUDGET_USED.labels("shop").set(0.5)
    metrics.PROMISES.labels("shop", "resolve", "broken").inc()
    metrics.PROMISES_ENDED.labels("shop", "resolve", "kept").inc()
    metrics.INCIDENT_SECONDS.labels("shop", "act").inc(5.0)
    metrics.INCIDENTS_ENDED.labels("UnitFailed", "false").inc()
    metrics.INCIDENTS_RECURRED.labels("shop").inc()
    metrics.INCIDENT_DOWN.labels("shop").inc(5.0)
    metrics.INCIDENT_RESPONSES.labels("shop").inc(1.0)
    metrics.INCIDENTS_RESPONDED.labels("shop").inc()
    metrics.CHANGES.labels("standard", "done").inc()
    metrics.CHANGES_OPEN.labels("normal").set(1)
    metrics.PROBLEMS.labels("open").set(1)
    metrics.PROBLEMS_OPENED.labels("shop").inc()
    metrics.PAGES.labels("urgent", "1").inc()
    metrics.DELIVERY_FAILING.labels("rt").set(1)
    metrics.CAPACITY_FULL.labels("filesystem", "/srv").set(2e9)
    metrics.CAPACITY_USED.labels("filesystem", "/srv").set(0.5)
    metrics.CAPACITY_FIT.labels("filesystem", "/srv").set(0.9)
