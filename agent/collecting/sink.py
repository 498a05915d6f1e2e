"""Where readings go, and where the collectors' host gets settings and rhythm: what is above provides all three."""

from collections.abc import Callable
from typing import Any, Protocol

from collectors.sample import Failure, Reading


class Sink(Protocol):
    """Takes what the collectors say. Called from several threads; never blocks and never raises."""

    def read(self, reading: Reading) -> None: ...

    def fail(self, failure: Failure) -> None: ...


class Settings(Protocol):
    """What the configuration says about one collector."""

    @property
    def enabled(self) -> bool: ...

    @property
    def interval(self) -> float:
        """Return the seconds between two runs."""

    @property
    def timeout(self) -> float:
        """Return the seconds after which a blocking run is given up."""

    @property
    def options(self) -> Any: ...  # noqa: ANN401  # each collector has its own


class Every(Protocol):
    """Runs a function now and at an interval, never beside itself; returns what ends that."""

    def __call__(self, seconds: float, function: Callable[[], None], name: str) -> Callable[[], None]: ...
