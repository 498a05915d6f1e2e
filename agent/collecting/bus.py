"""The systemd collector's life on the bus: changes are handed on at once, everything is listed every interval."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Coroutine, Iterable
from typing import Any

from agent.clock import Clock
from agent.collecting.collector import Collector, Fault, attempt, attempt_async
from agent.collecting.health import Health
from agent.collecting.sink import Sink
from agent.collecting.systemd import BusError, Properties, Systemd
from agent.telemetry import metrics
from collectors.sample import Reading, Source
from collectors.spec import BusSpec

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0
PHASES = {"initializing": "starting", "starting": "starting", "stopping": "stopping", "offline": "stopping"}
"""The host's phase by systemd's state; running in every other."""


class Bus:
    """Runs one bus collector as a coroutine; calls `on_phase` with starting, running or stopping as the host goes."""

    def __init__(
        self,
        collector: Collector[BusSpec],
        *,
        sink: Sink,
        health: Health,
        clock: Clock,
        on_phase: Callable[[str], None],
    ) -> None:
        self._collector = collector
        self._source = Source(collector.name)
        self._sink = sink
        self._health = health
        self._clock = clock
        self._on_phase = on_phase
        self._phase = ""
        self._state = ""
        self._known: dict[str, Properties] = {}
        """What is known of the loaded units."""
        self._heard: set[str] = set()
        """Units of which signals told something new since the listing began."""
        self._pause_seconds = FIRST_RETRY_SECONDS
        self._caught_up = False
        """Whether this session has listed the units."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._again = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listed = False
        """Whether there ever was a systemd: then one that is gone will come back."""

    def refresh(self) -> None:
        """List every unit now, for somebody who waits for it. Any thread may call it."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._again.set)

    async def run(self, *, once: bool = False) -> None:
        """Stay connected until cancelled; return only where there is no systemd, or after one listing."""
        self._loop = asyncio.get_running_loop()
        while (fault := await attempt_async(self._session(once=once))) is not None:
            self._health.failed(self._source, fault, at=self._clock.now())
            self._health.heard(self._collector.name)
            if fault.off:
                self._tell_phase("running")
            if fault.off or once:
                return
            if self._listed:
                metrics.WATCH_RECONNECTS.labels(self._collector.name).inc()
            await asyncio.sleep(self._pause_seconds)
            self._pause_seconds = min(2 * self._pause_seconds, LONGEST_RETRY_SECONDS)

    async def _session(self, *, once: bool) -> Fault | None:
        """Connect and report until the connection ends; return why it did, or None after one listing."""
        self._caught_up = False
        systemd = Systemd(self._collector.timeout_seconds)
        try:
            await systemd.connect(
                lambda unit, properties: self._changed(systemd, unit, properties),
                lambda: self._later(self._look_at_phase(systemd)),
            )
            while True:
                begun, awaited = self._clock.boottime(), self._again.is_set() or not self._caught_up
                self._again.clear()
                await self._list(systemd, pushed=awaited)
                if once:
                    return None
                rest = max(0.0, begun + self._collector.interval_seconds - self._clock.boottime())
                await systemd.rest(rest, self._again)
        except BusError as error:
            return Fault(kind="no_connection", reason=str(error), off=error.absent and not self._listed)
        finally:
            for task in tuple(self._tasks):
                task.cancel()
            self._known.clear()
            await systemd.close()

    async def _list(self, systemd: Systemd, *, pushed: bool) -> None:
        """List every unit and hand the whole truth on. What signals say meanwhile is newer than what was asked."""
        begun, self._heard = self._clock.boottime(), set()
        self._tell_state(await systemd.state())
        rows = await systemd.units()
        self._take(rows)
        await self._ask(systemd, tuple(self._known))
        for row in rows:
            if row[0] in self._heard:
                row[3] = self._known.get(row[0], {}).get("ActiveState", row[3])
        properties = {**self._known, "": {"SystemState": self._state}}
        spec, options = self._collector.spec, self._collector.options
        samples = attempt(lambda: tuple(spec.listed(options, rows, properties)))
        at, seconds = self._clock.now(), self._clock.boottime() - begun
        if isinstance(samples, Fault):
            self._health.failed(self._source, samples, at=at, seconds=seconds)
        else:
            self._health.ran(self._source, samples, at=at, seconds=seconds, pushed=pushed)
        self._listed, self._pause_seconds = True, FIRST_RETRY_SECONDS
        self._health.heard(self._collector.name)
        self._catch_up(systemd, {row[0] for row in rows})

    def _take(self, rows: Iterable[list[Any]]) -> None:
        """Learn from the rows about the units of which no signal told since the listing began; forget the others."""
        known, self._known = self._known, {}
        for row in rows:
            unit = str(row[0])
            if row[2] == "loaded":
                before = known.get(unit, {})
                self._known[unit] = before if unit in self._heard else self._collector.spec.seen(unit, before, row)

    async def _ask(self, systemd: Systemd, units: Iterable[str]) -> None:
        """Ask of the units what no signal tells; an answer may raise one more question."""
        spec, options = self._collector.spec, self._collector.options
        for _ in range(2):
            asked = {unit: spec.questions(options, unit, self._known.get(unit, {})) for unit in units}
            units = [unit for unit, names in asked.items() if names]
            for unit, found in (await systemd.ask({unit: asked[unit] for unit in units})).items():
                known = self._known.get(unit, {})
                told = {name: value for name, value in found.items() if known.get(name) is None}
                self._known[unit] = spec.learned(unit, known, told)

    def _changed(self, systemd: Systemd, unit: str, properties: Properties) -> None:
        """Take a signal. systemd sends every property each time, and most of them say nothing new."""
        spec, before = self._collector.spec, self._known.get(unit, {})
        told = {name: value for name, value in properties.items() if name in spec.telling}
        known = spec.learned(unit, before, told)
        if known == before:
            return
        metrics.WATCH_EVENTS.labels(self._collector.name).inc()
        self._heard.add(unit)
        self._known[unit] = known
        if self._caught_up:
            self._hand_on(systemd, unit, before)

    def _catch_up(self, systemd: Systemd, listed: Collection[str]) -> None:
        """After a session's first listing, hand on what was heard of units that it did not have yet.

        Told before any listing, a change would be all that is known of the host: every other unit would seem to be
        gone, and its alert over. For the same reason that listing is pushed: no change may overtake it.
        """
        if not self._caught_up:
            self._caught_up = True
            for unit in self._heard.difference(listed):
                self._hand_on(systemd, unit, {})

    def _hand_on(self, systemd: Systemd, unit: str, before: Properties) -> None:
        """Say what is new of the unit, and ask at once what remains to be known of that."""
        spec, known = self._collector.spec, self._known[unit]
        if any(before.get(name) != known.get(name) for name in spec.pushed):
            self._say(unit)
            if spec.questions(self._collector.options, unit, known):
                self._later(self._settle(systemd, unit))

    async def _settle(self, systemd: Systemd, unit: str) -> None:
        before = self._known.get(unit, {})
        await self._ask(systemd, (unit,))
        if unit in self._known:
            self._hand_on(systemd, unit, before)

    def _say(self, unit: str) -> None:
        spec, options = self._collector.spec, self._collector.options
        at = self._clock.now()
        samples = attempt(lambda: tuple(spec.changed(options, unit, self._known[unit]) or ()))
        if isinstance(samples, Fault):
            self._health.failed(self._source, samples, at=at)
        elif samples:
            self._sink.read(Reading(source=self._source, at=at, samples=samples, complete=False, pushed=True))

    async def _look_at_phase(self, systemd: Systemd) -> None:
        self._tell_state(await systemd.state())

    def _tell_state(self, state: str) -> None:
        self._state = state
        self._tell_phase(PHASES.get(state, "running"))

    def _tell_phase(self, phase: str) -> None:
        if phase != self._phase:
            self._phase = phase
            self._on_phase(phase)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what a signal asks for outside its handler. If the connection ends meanwhile, the session says so."""

        async def guarded() -> None:
            with contextlib.suppress(BusError):
                await work

        task = asyncio.get_running_loop().create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
