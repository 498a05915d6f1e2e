"""The thread that waits for events: one epoll for every watch, and a wake-up only for an event or a snapshot."""

import contextlib
import os
import select
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from agent.clock import Clock
from agent.collecting.collector import Collector, Fault, attempt
from agent.collecting.health import Health
from agent.collecting.sink import Sink
from agent.telemetry import metrics
from collectors.sample import Reading, Sample, Source
from collectors.spec import Watch, WatchSpec

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0
NEVER = float("inf")


@dataclass(slots=True, eq=False)
class _Watched:
    """One watch and when the host looks at it next; times are boot-clock seconds."""

    collector: Collector[WatchSpec]
    source: Source
    watch: Watch | None = None
    fds: dict[int, int] = field(default_factory=dict)
    due: float = 0.0
    full_at: float = 0.0
    """When a snapshot is handed on even if it says the same as the one before."""
    said: tuple[Sample, ...] | None = None
    backoff_seconds: float = field(default_factory=lambda: FIRST_RETRY_SECONDS)
    opened: bool = False


class Watching:
    """Drives watches on a thread of its own, from `start` to `close`."""

    def __init__(self, collectors: Sequence[Collector[WatchSpec]], *, sink: Sink, health: Health, clock: Clock) -> None:
        self._watched = [_Watched(collector=each, source=Source(each.name)) for each in collectors]
        self._by_fd: dict[int, _Watched] = {}
        self._sink = sink
        self._health = health
        self._clock = clock
        self._thread = threading.Thread(target=self._run, name="watching", daemon=True)
        self._closing = False
        self._refresh = False

    def start(self) -> None:
        """Start the thread, if there is anything to watch."""
        if not self._watched:
            return
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._thread.start()

    def close(self, timeout_seconds: float) -> None:
        """Let the thread end; one that hangs in a watch is left behind."""
        self._closing = True
        if self._thread.is_alive():
            os.eventfd_write(self._wake, 1)
            self._thread.join(timeout_seconds)

    def refresh(self) -> None:
        """Take a snapshot of every watch now and hand it on, whatever it says. Returns at once; for any thread."""
        if self._thread.is_alive():
            self._refresh = True
            os.eventfd_write(self._wake, 1)

    def run_once(self) -> None:
        """Open every watch, take its snapshot and close it, on the caller's thread."""
        self._epoll = select.epoll()
        for watched in self._watched:
            self._look(watched)
            self._shut(watched)
        self._epoll.close()

    def _run(self) -> None:
        while not self._closing:
            self._look_at_due()
            for fd, _mask in self._epoll.poll(self._wait_seconds()):
                if fd == self._wake:
                    self._woken()
                elif (watched := self._by_fd.get(fd)) is not None:
                    self._event(watched, fd)
        for watched in self._watched:
            self._shut(watched)
        self._epoll.close()
        os.close(self._wake)

    def _woken(self) -> None:
        os.eventfd_read(self._wake)
        if self._refresh:
            self._refresh = False
            for watched in self._watched:
                if watched.due != NEVER:
                    watched.due = watched.full_at = 0.0

    def _wait_seconds(self) -> float | None:
        """Return how long nothing is due; None is for ever."""
        due = min((watched.due for watched in self._watched), default=NEVER)
        return None if due == NEVER else max(0.0, due - self._clock.boottime())

    def _look_at_due(self) -> None:
        now = self._clock.boottime()
        for watched in self._watched:
            if watched.due <= now:
                self._look(watched)

    def _look(self, watched: _Watched) -> None:
        """Open the watch if need be, and take a snapshot."""
        at, begun = self._clock.now(), self._clock.boottime()
        # One that was open at the last look, too, has proven itself; one that only opens well may break at once.
        proven = watched.watch is not None
        opened = self._open(watched)
        snapshot = opened if isinstance(opened, Fault) else _samples(opened.snapshot)
        if isinstance(snapshot, Fault):
            self._broke(watched, snapshot)
        else:
            self._say_all(watched, snapshot, at=at, begun=begun)
            watched.due = watched.full_at
            if proven:
                watched.backoff_seconds = FIRST_RETRY_SECONDS
            self._await(watched)
        self._health.heard(watched.collector.name)

    def _open(self, watched: _Watched) -> Watch | Fault:
        if watched.watch is None:
            if watched.opened:
                metrics.WATCH_RECONNECTS.labels(watched.collector.name).inc()
            watched.opened = True
            opened = attempt(lambda: watched.collector.spec.open(watched.collector.options))
            if isinstance(opened, Fault):
                return opened
            watched.watch = opened
        return watched.watch

    def _say_all(self, watched: _Watched, samples: tuple[Sample, ...], *, at: float, begun: float) -> None:
        """Hand a snapshot on; one that a pending watch repeats within the interval says nothing new."""
        if samples == watched.said and begun < watched.full_at:
            return
        watched.said, watched.full_at = samples, begun + watched.collector.interval_seconds
        seconds = self._clock.boottime() - begun
        self._health.ran(watched.source, samples, at=at, seconds=seconds, pushed=True)

    def _event(self, watched: _Watched, fd: int) -> None:
        at = self._clock.now()
        watch = watched.watch
        if watch is None:
            return
        samples = _samples(lambda: watch.read(fd))
        if isinstance(samples, Fault):
            self._broke(watched, samples)
            return
        if samples:
            self._sink.read(Reading(source=watched.source, at=at, samples=samples, complete=False, pushed=True))
            watched.said = None
        metrics.WATCH_EVENTS.labels(watched.collector.name).inc()
        self._await(watched)

    def _broke(self, watched: _Watched, fault: Fault) -> None:
        """Close the watch and open it again after a while, longer each time; never, if it is not available."""
        self._shut(watched)
        self._health.failed(watched.source, fault, at=self._clock.now())
        watched.due = NEVER if fault.off else self._clock.boottime() + watched.backoff_seconds
        watched.backoff_seconds = min(2 * watched.backoff_seconds, LONGEST_RETRY_SECONDS)
        watched.said = None

    def _await(self, watched: _Watched) -> None:
        """Wait for what the watch names now, and look again soon if it misses what no event will announce."""
        watch = watched.watch
        if watch is None:
            return
        pending = attempt(lambda: self._register(watched, watch))
        if isinstance(pending, Fault):
            self._broke(watched, pending)
        elif pending:
            watched.due = min(watched.due, self._clock.boottime() + watched.collector.spec.retry_seconds)

    def _register(self, watched: _Watched, watch: Watch) -> bool:
        """Make epoll wait for the watch's descriptors; return whether it is pending."""
        fds = dict(watch.fds)
        for fd in watched.fds.keys() - fds.keys():
            self._unregister(fd)
        watched.fds = fds
        for fd, mask in fds.items():
            self._by_fd[fd] = watched
            try:
                self._epoll.modify(fd, mask)
            except FileNotFoundError:  # new, or its number was closed and opened again meanwhile
                self._epoll.register(fd, mask)
        return watch.pending

    def _unregister(self, fd: int) -> None:
        self._by_fd.pop(fd, None)
        with contextlib.suppress(OSError):  # closed by its watch: epoll has dropped it already
            self._epoll.unregister(fd)

    def _shut(self, watched: _Watched) -> None:
        for fd in watched.fds:
            self._unregister(fd)
        watched.fds = {}
        if watched.watch is not None:
            attempt(watched.watch.close)
            watched.watch = None


def _samples(call: Callable[[], Iterable[Sample]]) -> tuple[Sample, ...] | Fault:
    return attempt(lambda: tuple(call()))
