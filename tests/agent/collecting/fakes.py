"""What the tests of the collectors' host share: a sink that can be waited on, and plain settings."""

import threading
from dataclasses import dataclass, field
from typing import Any

from collectors.sample import gauge
from collectors.spec import CollectorSpec, TargetedSpec


class Heard:
    """A sink that keeps everything and can be waited on."""

    def __init__(self):
        self.readings, self.failures = [], []
        self._changed = threading.Condition()

    def read(self, reading):
        self.keep(self.readings, reading)

    def fail(self, failure):
        self.keep(self.failures, failure)

    def keep(self, kept, item):
        with self._changed:
            kept.append(item)
            self._changed.notify_all()

    def until(self, condition, seconds=60):
        """Wait until the condition holds; return its value."""
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def of(self, collector, target=None):
        return [
            each
            for each in self.readings
            if each.source.collector == collector and target in (None, each.source.target)
        ]

    def failed(self, collector):
        return [each for each in self.failures if each.source.collector == collector]


class TurnedClock:
    """A clock that the test turns."""

    boot_id = "test"

    def __init__(self):
        self.wall, self.boot = 1_000_000.0, 500.0

    def now(self):
        return self.wall

    def boottime(self):
        return self.boot

    def turn(self, seconds):
        self.wall += seconds
        self.boot += seconds


@dataclass(frozen=True, kw_only=True)
class Settings:
    enabled: bool = True
    interval: float = 0.1
    timeout: float = 60.0
    options: Any = None


@dataclass(frozen=True, kw_only=True)
class NoOptions:
    text: str = field(default="")


def polled(name, collect, **more):
    """Return the spec of a collector that calls `collect` without options."""
    return CollectorSpec(
        name=name, options=NoOptions, collect=lambda _options: collect(), metrics=(gauge(name, name),), **more
    )


def targeted(name, targets, collect):
    """Return the spec of a targeted collector; `targets` is called at each round."""
    return TargetedSpec(
        name=name,
        options=NoOptions,
        targets=lambda _options: targets(),
        collect=lambda _options, target: collect(target),
        metrics=(gauge(name, name),),
    )
