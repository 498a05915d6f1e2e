"""Samples, the metrics they belong to, and the readings that carry them to the rules."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

Labels = tuple[tuple[str, str], ...]
"""Label pairs sorted by name, without `__name__`; the empty tuple has none."""


class MetricType(StrEnum):
    """What a metric's values mean, in Prometheus' words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    SUMMARY = "summary"
    UNTYPED = "untyped"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric's name, type and help text, as `# TYPE` and `# HELP` show them."""

    name: str
    type: MetricType
    help: str


def counter(name: str, text: str) -> Metric:
    return Metric(name, MetricType.COUNTER, text)


def gauge(name: str, text: str) -> Metric:
    return Metric(name, MetricType.GAUGE, text)


def untyped(name: str, text: str) -> Metric:
    return Metric(name, MetricType.UNTYPED, text)


class Sample(NamedTuple):
    """One labelled value. A tuple, because thousands are made each interval."""

    name: str
    value: float
    labels: Labels = ()


def labels(**pairs: str) -> Labels:
    """Return the pairs as `Labels`, sorted by name."""
    return tuple(sorted(pairs.items()))


class Origin(StrEnum):
    """Where a sample or alert came from, the nearest first; a remediation lists the origins it accepts."""

    LOCAL = "local"
    TEXTFILE = "textfile"
    NAGIOS = "nagios"
    SCRAPE = "scrape"
    MQTT = "mqtt"
    HTTP = "http"


_NEAREST_FIRST = tuple(Origin)


def farthest(origins: Iterable[Origin]) -> Origin:
    """Return the origin of what came from all of these."""
    return max(origins, key=_NEAREST_FIRST.index, default=Origin.LOCAL)


class Source(NamedTuple):
    """The owner of a series: a collector and what it was pointed at ("" where there is only the host)."""

    collector: str
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one source said at one moment.

    `at` is wall-clock seconds. A `complete` reading is the whole truth of its source: series of the source that it does
    not carry have ended. An incomplete one (an event) only adds points. A failed run is no reading: see `Failure`.
    """

    source: Source
    at: float
    samples: Sequence[Sample]
    complete: bool = True
    pushed: bool = False
    origin: Origin = Origin.LOCAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A run of a source that yielded nothing: it failed, timed out or was missed. It ends no series."""

    source: Source
    at: float
    reason: str
