"""The host of the collectors: what runs them, each shape in its way, and hands on what they say."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.clock import Clock
from agent.collecting import own
from agent.collecting.collector import Collector, Fault, SpecT
from agent.collecting.health import Health
from agent.collecting.poll import Poll
from agent.collecting.pool import Pool
from agent.collecting.sink import Every, Settings, Sink
from agent.collecting.watching import Watching
from collectors.sample import Failure, Reading, Source
from collectors.spec import BusSpec, CollectorSpec, Spec, TargetedSpec, WatchSpec

if TYPE_CHECKING:  # brings D-Bus, which only a bus collector needs
    from agent.collecting.bus import Bus

DEFAULT_INTERVAL_SECONDS = 15.0
SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"
PUBLISH_SECONDS = 60.0
"""How often our own metrics and health go into the store, unless a collector breaks or recovers before."""
LEAVE_SECONDS = 0.8
"""How long `close` waits for a thread; one that hangs is left behind."""


class Collecting:
    """Every enabled collector, from `start` to `close`. What they say goes to the sink; see `Health` for the rest.

    `settings` are by the collector's name; a collector without any is off. `on_phase` hears starting, running or
    stopping as the host goes through them, from the bus's thread.
    """

    def __init__(
        self,
        settings: Mapping[str, Settings],
        specs: Sequence[Spec],
        sink: Sink,
        *,
        clock: Clock,
        on_phase: Callable[[str], None] = lambda _phase: None,
    ) -> None:
        self._clock = clock
        self._sink = sink
        self._on_phase = on_phase
        enabled = [spec for spec in specs if spec.name in settings and settings[spec.name].enabled]
        self._health = Health(sink, clock, [spec.name for spec in enabled])
        self._published: float | None = None
        """On the boot clock."""
        self._pool = Pool(clock)
        self._polls = self._by_interval([_collector(spec, settings[spec.name]) for spec in enabled if _is_polled(spec)])
        watched = [_collector(spec, settings[spec.name]) for spec in enabled if isinstance(spec, WatchSpec)]
        self._watching = Watching(watched, sink=sink, health=self._health, clock=clock)
        self._buses = [_collector(spec, settings[spec.name]) for spec in enabled if isinstance(spec, BusSpec)]
        self._running: list[Bus] = []
        self._open = ExitStack()
        self.ready = self._health.ready
        """Set once every collector has run, well or not."""

    def start(self, every: Every, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Start everything. The bus lives on the loop (which runs on another thread), or on a thread of its own."""
        self._open.callback(self._pool.close)
        self._watching.start()
        self._open.callback(self._watching.close, LEAVE_SECONDS)
        self._running = self._make_buses()
        for bus in self._running:
            self._open.callback(_on_loop(bus, loop) if loop is not None else _on_thread(bus))
        for interval, poll in self._polls.items():
            name = f"collect-{interval:g}s"
            self._open.callback(every(interval, self._round(poll, publish=interval == min(self._polls)), name))

    def refresh(self) -> None:
        """Have watches and buses look again now, because something was just done about what they saw."""
        self._watching.refresh()
        for bus in self._running:
            bus.refresh()

    def close(self) -> None:
        """Stop everything within two seconds, hanging collectors left behind."""
        self._open.close()

    def run_once(self) -> None:
        """Run every collector once on the caller's thread, instead of `start`."""
        self._open.callback(self._pool.close)
        for poll in self._polls.values():
            poll.round()
        self._watching.run_once()
        for bus in self._make_buses():
            asyncio.run(bus.run(once=True))
        self._health.publish()

    def _by_interval(self, collectors: Sequence[Collector[Any]]) -> dict[float, Poll]:
        """Return one poll for each interval; there is one at least, because our own state is told with the fastest."""
        intervals = sorted({each.interval_seconds for each in collectors}) or [DEFAULT_INTERVAL_SECONDS]
        return {
            interval: Poll(
                [each for each in collectors if each.interval_seconds == interval],
                interval,
                health=self._health,
                clock=self._clock,
                pool=self._pool,
            )
            for interval in intervals
        }

    def _round(self, poll: Poll, *, publish: bool) -> Callable[[], None]:
        def run() -> None:
            poll.round()
            if publish:
                self._publish(min(self._polls))

        return run

    def _publish(self, interval: float) -> None:
        """Tell of ourselves, at the round nearest to when that is due; who broke or recovered is an event."""
        now = self._clock.boottime()
        due = self._published is None or now - self._published >= PUBLISH_SECONDS - interval / 2
        turned = self._health.turned()
        if due or turned:
            self._published = now
            self._health.publish(pushed=turned)
            self._health.publish_up()
            ours = Reading(source=own.SOURCE, at=self._clock.now(), samples=own.samples(), pushed=turned)
            self._sink.read(ours)

    def _make_buses(self) -> "list[Bus]":
        """Return what drives the bus collectors; none, and a reason in the log, where there is no bus."""
        if not self._buses:
            return []
        missing = _missing_bus()
        if missing is None:
            from agent.collecting.bus import Bus  # noqa: PLC0415  # see above

            return [
                Bus(each, sink=self._sink, health=self._health, clock=self._clock, on_phase=self._on_phase)
                for each in self._buses
            ]
        for each in self._buses:
            self._health.failed(Source(each.name), missing, at=self._clock.now())
            self._health.heard(each.name)
        self._on_phase("running")
        return []


def collect_once(settings: Mapping[str, Settings], specs: Sequence[Spec], *, clock: Clock) -> list[Reading | Failure]:
    """Run every enabled collector once and return what each said."""
    said = _Kept()
    collecting = Collecting(settings, specs, said, clock=clock)
    try:
        collecting.run_once()
    finally:
        collecting.close()
    return said.all


class _Kept:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.all: list[Reading | Failure] = []

    def read(self, reading: Reading) -> None:
        self.all.append(reading)

    def fail(self, failure: Failure) -> None:
        self.all.append(failure)


def _is_polled(spec: Spec) -> bool:
    return isinstance(spec, CollectorSpec | TargetedSpec)


def _collector(spec: SpecT, settings: Settings) -> Collector[SpecT]:
    options = settings.options if settings.options is not None else spec.options()
    return Collector(
        name=spec.name,
        spec=spec,
        options=options,
        interval_seconds=settings.interval,
        timeout_seconds=settings.timeout,
    )


def _missing_bus() -> Fault | None:
    address = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", SYSTEM_BUS)
    path = address.removeprefix("unix:path=").partition(",")[0]
    if path == address.partition(",")[0] or ";" in address or Path(path).exists():
        return None
    return Fault(kind="not_available", reason=f"there is no D-Bus system bus at {path}", off=True)


def _on_loop(bus: "Bus", loop: asyncio.AbstractEventLoop) -> Callable[[], object]:
    return asyncio.run_coroutine_threadsafe(bus.run(), loop).cancel


def _on_thread(bus: "Bus") -> Callable[[], None]:
    """Run the bus on a loop and thread of its own; return what ends both."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(bus.run())

    def live() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.close()

    def end() -> None:
        with contextlib.suppress(RuntimeError):  # it has ended by itself
            loop.call_soon_threadsafe(task.cancel)
        thread.join(LEAVE_SECONDS)

    thread = threading.Thread(target=live, name="bus", daemon=True)
    thread.start()
    return end
