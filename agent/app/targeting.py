"""The collectors as Prometheus shows targets."""

from collections.abc import Mapping, Sequence

from agent.collecting import health
from agent.collecting.sink import Settings
from agent.web.backend import Target
from agent.web.query_view import QueryView
from collectors.sample import Labels
from rules.series import SeriesStore
from rules.sources import SourceHealth


def targets(store: SeriesStore, collectors: Mapping[str, Settings], external: Labels) -> Sequence[Target]:
    """Return every target of the enabled collectors that has had a run, as of its last one."""
    lasted = {
        dict(series.key.labels).get("collector", ""): series.newest
        for series in QueryView(store, [health.DURATION.name]).select(health.DURATION.name)
    }
    enabled = {name: settings for name, settings in collectors.items() if settings.enabled}
    return [
        _target(each, enabled[each.source.collector], external, lasted.get(each.source.collector) or 0.0)
        for each in sorted(store.health(), key=lambda each: each.source)
        if each.source.collector in enabled and each.source != health.SOURCE
    ]


def _target(source: SourceHealth, settings: Settings, external: Labels, seconds: float) -> Target:
    runs = [at for at in (source.last_success_at, source.last_failure_at) if at is not None]
    own = (("collector", source.source.collector), ("target", source.source.target))
    return Target(
        collector=source.source.collector,
        target=source.source.target,
        labels=tuple(sorted((*external, *(pair for pair in own if pair[1])))),
        health="up" if source.healthy else "down" if runs else "unknown",
        error=source.reason,
        last_run_at=max(runs, default=None),
        seconds=seconds,
        interval_seconds=settings.interval,
        timeout_seconds=settings.timeout,
    )
