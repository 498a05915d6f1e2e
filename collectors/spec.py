"""The shapes a collector can have. A collector knows no clock, no thread, no log and no schedule: its host does.

Options are frozen dataclasses. Fields named `procfs`, `sysfs` and `rootfs` (of type `Path`) are filled from the
configuration's `[paths]`; every field has a default. Durations are fields of type `float` whose name ends in
`_seconds`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from collectors.sample import Metric, Origin, Sample

INTERVAL_SECONDS = 15.0
"""How often a collector runs unless it is dear or what it reads changes slowly."""


class CollectError(Exception):
    """The source cannot be read now; the message says which and why."""


class NotAvailableError(CollectError):
    """The source does not exist on this host (no PSI, no systemd): the collector goes off, with this as the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorSpec:
    """Poll: `collect(options)` reads the host once and yields the whole truth of this source.

    `blocking` says that a run may wait for something outside this host's kernel memory (a disk, a network); such runs
    get a thread and a time-out of their own.
    """

    name: str
    options: type[Any]
    collect: Callable[[Any], Iterable[Sample]]
    metrics: tuple[Metric, ...]
    blocking: bool = False
    enabled: bool = True
    interval_seconds: float = INTERVAL_SECONDS
    origin: Origin = Origin.LOCAL
    open_metrics: bool = False
    """True where the metrics' names are only known from what is read (textfile, scrape)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one run went: whether it yielded something, how long it took and how many samples it gave."""

    succeeded: bool
    seconds: float
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetedSpec:
    """Poll of many targets (mounts, files, URLs), each with its own run, time-out and health.

    `targets(options)` names them now; `collect(options, target)` reads one. Always blocking. `outcome(options, target,
    outcome)` says what there is to say of each run, failed ones too: a source of its own, that never fails.
    """

    name: str
    options: type[Any]
    targets: Callable[[Any], Sequence[str]]
    collect: Callable[[Any, str], Iterable[Sample]]
    metrics: tuple[Metric, ...]
    outcome: Callable[[Any, str, Outcome], Iterable[Sample]] | None = None
    enabled: bool = True
    interval_seconds: float = INTERVAL_SECONDS
    origin: Origin = Origin.LOCAL
    open_metrics: bool = False


class Watch(Protocol):
    """An open event source: a file descriptor for epoll, and what to read when it fires."""

    @property
    def fds(self) -> Sequence[tuple[int, int]]:
        """Pairs of file descriptor and epoll event mask; asked again after each `read` and `snapshot`."""

    def read(self, fd: int) -> Iterable[Sample]:
        """Return what the event on `fd` says. Never blocks. Raise CollectError when the source broke."""

    def snapshot(self) -> Iterable[Sample]:
        """Return the whole truth now: called after `open` and every interval, to see what no event tells."""

    @property
    def pending(self) -> bool:
        """True while something is missing that no event will announce: a snapshot is due every `retry_seconds`."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSpec:
    """Watch: `open(options)` gives a `Watch` that the epoll thread drives."""

    name: str
    options: type[Any]
    open: Callable[[Any], Watch]
    metrics: tuple[Metric, ...]
    enabled: bool = True
    interval_seconds: float = INTERVAL_SECONDS
    retry_seconds: float = 0.2
    """How soon to take a snapshot again while the watch is `pending`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BusSpec:
    """Bus: pure functions from D-Bus messages to samples; the host owns the connection.

    `listed(options, units, properties)` turns a full listing into samples; `changed(options, unit, properties)` turns
    one PropertiesChanged signal into samples (None: not ours). `learned(unit, known, told)` returns what is known of a
    unit after a signal or an answer, `seen(unit, known, row)` after a listing; `questions(options, unit, known)` names
    what to ask of it, as `Interface.Name`. Of what signals tell only `telling` counts, and only a change of `pushed` is
    handed on at once. Shapes are documented where the functions are.
    """

    name: str
    options: type[Any]
    listed: Callable[..., Iterable[Sample]]
    changed: Callable[..., Iterable[Sample] | None]
    learned: Callable[..., dict[str, Any]]
    seen: Callable[..., dict[str, Any]]
    questions: Callable[..., tuple[str, ...]]
    telling: frozenset[str]
    pushed: frozenset[str]
    metrics: tuple[Metric, ...]
    enabled: bool = True
    interval_seconds: float = INTERVAL_SECONDS


Spec = CollectorSpec | TargetedSpec | WatchSpec | BusSpec
