"""The host's wall clock."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from collectors.sample import Sample, gauge
from collectors.spec import CollectorSpec

SECONDS = gauge("node_time_seconds", "System time in seconds since epoch (1970).")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeOptions:
    """A clock has nothing to choose."""


def collect(_options: TimeOptions) -> Iterator[Sample]:
    yield Sample(SECONDS.name, time.time())


SPEC = CollectorSpec(name="time", options=TimeOptions, collect=collect, metrics=(SECONDS,))
