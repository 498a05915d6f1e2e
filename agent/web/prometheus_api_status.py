"""Prometheus' HTTP API: targets, metadata and who answers."""

import socket
from collections.abc import Iterable, Mapping
from typing import Any

from agent.clock import Clock
from agent.telemetry.metrics import REGISTRY
from agent.version import VERSION
from agent.web.backend import Backend, Target
from agent.web.prometheus_api import Answer
from agent.web.query_json import duration, instant
from agent.web.query_parameters import Parameters, wrong
from collectors.sample import MetricType

SPOKEN = "3.0.0"
"""The version of Prometheus whose API this is: clients decide by it what they may ask."""
_UNTYPED = frozenset({MetricType.UNTYPED.value, "unknown", "info"})

Json = Mapping[str, Any]


class StatusApi:
    """One method a route."""

    def __init__(self, *, backend: Backend, clock: Clock) -> None:
        self._backend = backend
        self._clock = clock

    def targets(self, parameters: Parameters, _deadline: float) -> Answer:
        """Show each collector, or each thing it was pointed at, as a target."""
        state = parameters.text("state").lower() or "any"
        if state not in {"any", "active", "dropped"}:
            raise wrong("state", f'not supported value "{state}"')
        pool = parameters.text("scrapePool")
        found = self._backend.targets() if state != "dropped" else ()
        active = [_target(each) for each in found if pool in {"", each.collector}]
        return Answer(data={"activeTargets": active, "droppedTargets": []})

    def metadata(self, parameters: Parameters, _deadline: float) -> Answer:
        limit, each = parameters.count("limit"), parameters.text("limit_per_metric")
        metric = parameters.text("metric")
        parameters.count("limit_per_metric")
        found = {name: [shape] for name, shape in self._metadata() if metric in {"", name}}
        names = list(found)[: limit or None] if each != "0" else []
        return Answer(data={name: found[name] for name in names})

    def buildinfo(self, _parameters: Parameters, _deadline: float) -> Answer:
        build = {"version": SPOKEN, "revision": f"paramedic {VERSION}"}
        return Answer(data=build | dict.fromkeys(("branch", "buildUser", "buildDate", "goVersion"), ""))

    def runtimeinfo(self, _parameters: Parameters, _deadline: float) -> Answer:
        """Tell what Prometheus tells and what makes sense here."""
        return Answer(
            data={
                "startTime": instant(REGISTRY.get_sample_value("paramedic_start_time_seconds")),
                "serverTime": instant(self._clock.now()),
                "hostname": socket.gethostname(),
                "reloadConfigSuccess": bool(REGISTRY.get_sample_value("paramedic_config_last_reload_successful")),
                "lastConfigTime": instant(
                    REGISTRY.get_sample_value("paramedic_config_last_reload_success_timestamp_seconds")
                ),
                "corruptionCount": 0,
            }
        )

    def _metadata(self) -> Iterable[tuple[str, Json]]:
        for metric in self._backend.metadata():
            yield metric.name, _described(metric.type.value, metric.help)
        for family in REGISTRY.collect():
            suffix = "_total" if family.type == "counter" else ""
            yield f"{family.name}{suffix}", _described(family.type, family.documentation)


def _described(kind: str, text: str) -> Json:
    return {"type": "unknown" if kind in _UNTYPED else kind, "help": text, "unit": ""}


def _target(target: Target) -> Json:
    address = f"{target.collector}/{target.target}" if target.target else target.collector
    discovered = {"__address__": address, "__scrape_interval__": duration(target.interval_seconds)}
    return {
        "discoveredLabels": discovered | {"__scrape_timeout__": duration(target.timeout_seconds)},
        "labels": dict(target.labels),
        "scrapePool": target.collector,
        "scrapeUrl": "",
        "globalUrl": "",
        "lastError": target.error,
        "lastScrape": instant(target.last_run_at),
        "lastScrapeDuration": target.seconds,
        "health": target.health,
        "scrapeInterval": duration(target.interval_seconds),
        "scrapeTimeout": duration(target.timeout_seconds),
    }
