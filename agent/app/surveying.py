"""The hourly look at capacity: what was used since the last one, by our own PromQL, and what follows from that."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from prometheus_client.metrics import Gauge

from agent.app.capacity_view import HISTORY_DAYS
from agent.clock import Clock
from agent.config import capacity as configured
from agent.config.capacity_options import ResourceOptions
from agent.config.options import Config
from agent.engine.commands import CommandError
from agent.itsm.capacity import DAY, Forecast, Hour, forecast
from agent.itsm.capacity_plan import FORGOTTEN_SECONDS, Outlook, Subject, Survey
from agent.store import rollups
from agent.store.reader import Reader
from agent.telemetry import log, metrics
from collectors.sample import Labels
from rules.promql.compile import Limits, Query
from rules.promql.errors import EvaluationError, ExpressionError
from rules.promql.values import RangeSeries, Scalar, Vector
from rules.series import SeriesStore

_STEPS = 12
"""A roll-up is made of so many values, at equal distances."""
_SEEN_SHARE = 0.5
"""Of these, so many must be there: less is a gap."""
_SUBJECTS = 200
"""Of one resource; more are left out."""
_SERIES = 10_000
_QUERY_SECONDS = 10.0
_log = log.get("capacity")

_Shown = tuple[Gauge, tuple[str, str]]
"""A gauge, with resource and subject."""


class Surveying:
    """Looks back when it is called, on whatever thread; `order` hands what was found to the engine and waits for it.

    A forecast is made anew when a day is over or the limit is another one; the days are what it is made of.
    """

    def __init__(
        self,
        config: Callable[[], Config],
        store: SeriesStore,
        reader: Reader,
        clock: Clock,
        order: Callable[[Survey], object],
    ) -> None:
        self._current = config
        self._config = config()
        self._store = store
        self._reader = reader
        self._clock = clock
        self._order = order
        with reader.opened() as connection:
            self._known = {each.subject: each for each, _ in rollups.outlooks(connection, clock.now())}
        self._fresh: set[Subject] = set()
        """Subjects with a forecast of this life."""
        self._last_at = max((each.measured_at for each in self._known.values()), default=0.0)
        self._shown: set[_Shown] = set()
        self._show()

    def look(self) -> None:
        """Roll up the time since the last look, an interval at most, and tell the engine what it means."""
        now = self._clock.now()
        config = self._current()
        if config.capacity != self._config.capacity:
            self._fresh.clear()
        self._config = config
        span = config.capacity.interval
        since = max(now - min(span, config.state.history), self._last_at if self._last_at < now else 0.0)
        if not config.capacity.enabled or now - since < _SEEN_SHARE * span:
            return
        resources = configured.resources(self._config)
        seen = {key: hour for each in resources for key, hour in self._measured(each, since, now)}
        by_name = {each.name: each for each in resources}
        outlooks = [
            self._outlook(by_name[key.resource], key, seen.get(key), now)
            for key in {**self._known, **seen}
            if key.resource in by_name and (key in seen or now - self._known[key].measured_at < FORGOTTEN_SECONDS)
        ]
        try:
            self._order(Survey(hours=seen, outlooks=tuple(outlooks)))
        except CommandError as error:
            _log.warning("capacity is not rolled up", reason=str(error))
            return
        self._last_at = now
        self._known = {each.subject: each for each in outlooks}
        self._fresh |= self._known.keys()
        self._show()

    def _show(self) -> None:
        """Bring the gauges up to date; what is not there any more goes last, so that nothing is missing meanwhile."""
        figures = dict(_figures(self._known.values()))
        for (gauge, names), value in figures.items():
            gauge.labels(*names).set(value)
        for gauge, names in self._shown - figures.keys():
            gauge.remove(*names)
        self._shown = set(figures)

    def _measured(self, resource: ResourceOptions, since: float, now: float) -> Iterator[tuple[Subject, Hour]]:
        step = self._config.capacity.interval / _STEPS
        bounds = Limits(max_series=_SERIES, deadline=time.monotonic() + _QUERY_SECONDS)
        try:
            used = Query(resource.used).range(self._store, since + step, now, step, limits=bounds)
            limit = Query(resource.limit).instant(self._store, now, limits=bounds)
        except (ExpressionError, EvaluationError) as error:
            _log.warning("capacity cannot be measured", resource=resource.name, error=str(error))
            return
        limits = _limits(limit, resource)
        least = _SEEN_SHARE * ((now - since) // step)
        told: set[object] = set()
        found = ((_subject(series.key.labels, resource), series) for series in used.series)
        for subject, series in sorted(found, key=lambda pair: (len(pair[0].name), pair[0]))[:_SUBJECTS]:
            once = dict(series.key.labels).get(resource.once, subject)
            hour = _rolled(series, limits.get(subject, limits.get(None)), now, least)
            if hour is not None and once not in told:
                told.add(once)
                yield subject, hour

    def _outlook(self, resource: ResourceOptions, subject: Subject, hour: Hour | None, now: float) -> Outlook:
        known = self._known.get(subject)
        if known is not None and hour is not None and self._holds(known, hour, now):
            return replace(known, measured_at=now, forecast=replace(known.forecast, used=hour.mean))
        measured_at = known.measured_at if known is not None else 0.0
        return Outlook(
            subject=subject,
            at=now,
            forecast=self._forecast(subject, hour, now),
            unit=resource.unit,
            measured_at=now if hour is not None else measured_at,
        )

    def _holds(self, known: Outlook, hour: Hour, now: float) -> bool:
        """Tell whether a forecast of this life is not older than the day, and its limit still the same."""
        return known.subject in self._fresh and known.at // DAY == now // DAY and known.forecast.limit == hour.limit

    def _forecast(self, subject: Subject, hour: Hour | None, now: float) -> Forecast:
        with self._reader.opened() as connection:
            hours = rollups.hours(connection, subject, now - HISTORY_DAYS * DAY, now)
        options = self._config.capacity
        planned = configured.demands(options, subject)
        return forecast([*hours, *([hour] if hour else [])], now, planned, configured.guard(options))


def _figures(outlooks: Iterable[Outlook]) -> Iterator[tuple[_Shown, float]]:
    for each in outlooks:
        names, found = (each.subject.resource, each.subject.name), each.forecast
        if found.full_at is not None:
            yield (metrics.CAPACITY_FULL, names), found.full_at
        if found.fit is not None:
            yield (metrics.CAPACITY_FIT, names), found.fit
        if found.used is not None and found.limit:
            yield (metrics.CAPACITY_USED, names), found.used / found.limit


def _limits(found: object, resource: ResourceOptions) -> Mapping[Subject | None, float]:
    """Return the limit of each subject; of all of them, under None, where the expression is a number."""
    if isinstance(found, Scalar):
        return {None: found.value}
    if not isinstance(found, Vector):
        return {}
    pairs = zip(found.keys, found.values, strict=True)
    return {_subject(key.labels, resource): value for key, value in pairs}


def _subject(labels: Labels, resource: ResourceOptions) -> Subject:
    pairs = dict(labels)
    named = tuple((name, pairs[name]) for name in resource.labels if name in pairs)
    return Subject(resource=resource.name, name=" ".join(value for _, value in named), labels=named)


def _rolled(series: RangeSeries, limit: float | None, now: float, least: float) -> Hour | None:
    values: Sequence[float] = [value for value in series.values if math.isfinite(value)]
    if limit is None or not math.isfinite(limit) or len(values) < max(1.0, least):
        return None
    return Hour(at=now, low=min(values), mean=math.fsum(values) / len(values), high=max(values), limit=limit)
