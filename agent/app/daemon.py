"""The daemon: built from its configuration, started from the inside out, taken down in the reverse order."""

import os
import platform
import secrets
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

from agent.app import attaching, building, doors, history, host, outward, routine, warming
from agent.app.backend import DaemonBackend, catalog, endpoints
from agent.app.capacity_watch import CapacityWatch
from agent.app.drills import preparing, scenarios
from agent.app.drills.room import DrillRoom
from agent.app.farewell import Leaving
from agent.app.reloading import Reloading
from agent.app.signals import Signals
from agent.clock import SystemClock
from agent.collecting.host import Collecting
from agent.config import paths
from agent.config.load import load
from agent.config.options import Config
from agent.engine import recovery
from agent.engine.commands import BusyError, CommandError, SetStop
from agent.engine.engine import Engine
from agent.engine.parts import IDLE_SECONDS, Outside, Parts
from agent.executor.helped import HelpedRepairs
from agent.executor.pool import Pool
from agent.executor.repairs import Repairs
from agent.incidents.incident import Incident
from agent.mqtt.client import MqttClient
from agent.scheduling import Scheduling
from agent.sdnotify import Notifier
from agent.store.database import Database
from agent.store.reader import Reader
from agent.telemetry import log, metrics
from agent.version import VERSION
from agent.web.exposition import Exposition
from agent.web.loop import LoopThread
from agent.web.server import WebServer
from collectors.registry import SPECS
from remediations.helper_runner import HelperRunner
from remediations.runner import DirectRunner

_log = log.get("daemon")
_STOP_SECONDS = 4.0
_STOP_TRIES = 5
_STOP_ANSWER_SECONDS = 2.0
"""How often, and for how long each time, the engine is asked to follow the broker's stop topic."""
_ANSWER_SECONDS = 2.5
"""How long the stopping daemon waits for what its interrupted runs have to say: a little more than they are given."""
_WORD_SECONDS = 10.0
_REASON_LENGTH = 200
_FIRST_LOOK_SECONDS = 60.0


def main(config_path: Path | None) -> int:
    """Run until SIGTERM or SIGINT; reload on SIGHUP. Return the exit code. Raise what keeps it from starting."""
    config = load(config_path, os.environ)
    log.configure(level=config.log.level, form=config.log.format, lost=metrics.LOG_LOST.inc)
    broken: list[str] = []

    def on_thread_death(died: threading.ExceptHookArgs) -> None:
        name = died.thread.name if died.thread is not None else ""
        if name == "engine":  # without it nothing is done: better be started again than stand there
            broken.append(name)
            signals.tell(signal.SIGTERM)
        _log.error("a thread died", thread=name, error=repr(died.exc_value), exc_info=died.exc_value)

    with Signals(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        threading.excepthook = on_thread_death
        with Daemon(config, config_path) as daemon:
            while signals.wait() <= {signal.SIGHUP}:
                # Not here: a file system that hangs must not keep the daemon from being stopped.
                threading.Thread(target=daemon.reload, name="reload", daemon=True).start()
            daemon.notifier.stopping()
            _log.info("stopping")
        _log.info("stopped")
    return 1 if broken else 0


class Service(Protocol):
    """Something that runs beside the engine."""

    def start(self) -> None: ...

    def close(self) -> None: ...


class Daemon:
    """Everything that runs. Entering starts it, or raises what cannot be had with nothing left behind."""

    def __init__(self, config: Config, config_path: Path | None) -> None:
        self.config = self._loaded = config
        self.notifier = Notifier()
        self.control_socket = paths.control_socket(config, os.environ)
        self.addresses: tuple[str, ...] = ()
        self._config_path = config_path
        self._clock = SystemClock()
        self._told: list[Callable[[Iterable[Incident]], None]] = []  # about incidents that changed
        self._read_tickets: Callable[[], None] | None = None  # what people write there now
        self._looked = threading.Event()  # set once every collector has run and the engine has taken what they said
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._open.close()

    def reload(self) -> None:
        """Take over a changed configuration; if it is wrong the running one stays."""
        self.notifier.reloading()
        try:
            answer = self._reloading.reload("SIGHUP")
            _log.info("reloaded", **{key: str(value) for key, value in answer.items()})
        except CommandError as error:
            _log.error("reload failed: the running configuration stays", error=str(error))
        self.notifier.ready("running")

    def _start(self, stack: ExitStack) -> None:
        state = paths.state_directory(self.config, os.environ)
        database = stack.enter_context(Database(state))
        self.config = self._prepared(self.config)
        self._start_engine(stack, database)
        loop = LoopThread()
        loop.start()
        stack.callback(loop.close)
        scheduling = Scheduling(self._clock, on_step=lambda _delta: self.engine.queue.wake())
        collecting = Collecting(
            self.config.collectors, SPECS, self.engine, clock=self._clock, on_phase=self.engine.phase
        )
        backend = DaemonBackend(self.engine, self._parts, Reader(database.path), ready=self._looked.is_set)
        backend.collectors, backend.external = self.config.collectors, host.external(self.config)
        backend.environment = host.environment(self.config)
        backend.config = self._current
        backend.reload = self._reloading.reload
        backend.subscribed = [*scenarios.METRICS, *outward.subscribed_metrics(self.config)]
        backend.read_tickets = self._read_tickets
        if self.config.drill.enabled:
            backend.drill_room = DrillRoom(state / "drill", Reader(database.path), self.engine, backend.busy)
            stack.callback(backend.drill_room.close)
        self._start_web(stack, loop, backend)
        self._outside.refresh = collecting.refresh
        collecting.start(scheduling.every, loop=loop.loop)
        stack.callback(collecting.close)
        scheduling.every(routine.CHECKPOINT_SECONDS, routine.checkpointer(database), "checkpoint")
        watch = CapacityWatch(self._current, self.engine, self._parts)
        scheduling.every(self.config.capacity.interval, watch.look, "capacity")
        scheduling.every(history.SAVE_SECONDS, lambda: history.save(self._parts.series, state), "history")
        routine.schedule(scheduling, backend.config, backend, self.engine, self._clock)
        scheduling.start()
        stack.callback(scheduling.close)
        metrics.BUILD_INFO.labels(VERSION, platform.python_version()).set(1)
        metrics.START_TIME.set(self._clock.now())
        self.notifier.ready("running")
        self._announce()
        threading.Thread(target=self._tell_first_look, args=(collecting,), name="first-look", daemon=True).start()

    def _start_engine(self, stack: ExitStack, database: Database) -> None:
        """Build the engine and those who perform its effects, take up what a restart left, and let it run."""
        client = outward.mqtt(self.config)
        alertmanagers = outward.alertmanagers(self.config, self._clock)
        repairs = Repairs(DirectRunner(boot_id=self._clock.boot_id), database.directory / "runs")
        helped = HelpedRepairs(HelperRunner(self.config.guards.helper), repairs.prepare, repairs.outlived_by)
        self._outside = Outside(
            told_alerts=outward.telling(alertmanagers),
            told_incidents=self._tell_incidents,
            hears_alerts=bool(alertmanagers),
            watchdog=self.notifier.watchdog,
            watchdog_seconds=self.notifier.watchdog_seconds or IDLE_SECONDS,
        )
        services: list[Service] = [*alertmanagers, *self._listeners(client)]
        build = partial(self._build, database, publish=client is not None)
        self._parts = recovery.take_up(build, repairs.end_survivors, helped.began)
        self.engine = Engine(self._parts)
        if (subscriber := outward.subscriber(self.config, self._clock, self.engine.queue.order)) is not None:
            services.append(subscriber)
        pool = Pool(outward.performers(self.config, repairs, helped, client), self.engine.settled)
        self._outside.hand_over = pool.hand_over
        others = lambda batch: attaching.capacity_desk(self.config, self._parts).leave(batch)  # noqa: E731 - in time
        Leaving(self._parts, client, others).attach()
        self._reloading = Reloading(self._loaded, self._config_path, self.engine, self._parts, self._prepared)
        self._reloading.attach()
        self._tell_incidents(self._parts.casebook.active())
        history.load(self._parts.series, database.directory)
        stack.callback(history.save, self._parts.series, database.directory)
        thread = threading.Thread(target=self.engine.run, name="engine")
        thread.start()
        stack.callback(_stop_engine, self.engine, thread)
        stack.callback(pool.finish, "runner", _ANSWER_SECONDS)
        stack.callback(repairs.stop)
        stack.callback(helped.stop)
        if client is not None:
            stack.callback(client.close)
            client.start(outward.retained(self.config, self._parts.casebook))
        for service in services:
            stack.callback(service.close)
            service.start()

    def _build(self, database: Database, *, publish: bool) -> Parts:
        """Return what the engine is made of, as it is before anything is taken up."""
        owner = secrets.token_hex(8)
        parts = building.parts(self.config, database, self._clock, self._outside, owner=owner, publish=publish)
        parts.situations.settled_at = self._clock.now() + self.config.incidents.settle
        return parts

    def _listeners(self, client: MqttClient | None) -> Iterator[Service]:
        """Yield who is told about incidents, and see to it that people's words on them are heard."""
        if client is not None:
            summary = outward.summary(client, self.config)
            self._told.append(lambda incidents: summary.offer(incidents, self._clock.now()))
            yield summary
            client.on_stop = self._stop_by_broker
            if self.config.approvals.keys:
                client.on_command = self._word_by_broker
        remarks = outward.remarks(
            self.config, self._current, lambda order: self.engine.call(order, _WORD_SECONDS), self._clock
        )
        if remarks is not None:
            self._told.append(remarks.offer)
            self._read_tickets = remarks.hurry
            yield remarks

    def _current(self) -> Config:
        """Return the configuration that runs, as the last reload left it."""
        return self._reloading.config

    def _tell_incidents(self, incidents: Iterable[Incident]) -> None:
        known = list(incidents)
        for tell in self._told:
            tell(known)

    def _word_by_broker(self, payload: str) -> Future[Mapping[str, Any]] | None:
        """Take an approver's signed word off the broker. It never blocks: the record says what became of it."""
        order = outward.word(self._current(), payload, self._clock.now())
        return self.engine.queue.order(order) if order is not None else None

    def _stop_by_broker(self, reason: str) -> None:
        """Let the broker's stop topic stop every action, or allow them again. It is not told twice: this must work."""
        command = SetStop(actor="mqtt", reason=reason.strip()[:_REASON_LENGTH], origin="mqtt")
        for _ in range(_STOP_TRIES):
            try:
                self.engine.call(command, _STOP_ANSWER_SECONDS)
            except BusyError as error:
                _log.warning("the broker's stop topic is not followed yet", reason=str(error))
            else:
                return

    def _prepared(self, config: Config) -> Config:
        """Return the configuration with what drills need, if they are allowed, and where the journal was read to."""
        state = paths.state_directory(config, os.environ)
        config = building.with_cursor(config, state)
        return preparing.prepared(config, state / "drill") if config.drill.enabled else config

    def _start_web(self, stack: ExitStack, loop: LoopThread, backend: DaemonBackend) -> None:
        opened = doors.doors(self.config.web)
        stack.callback(opened.close)
        exposition = Exposition(catalog=[*backend.subscribed, *catalog(SPECS)], external=host.external(self.config))
        web = WebServer(
            listeners=opened.listeners(self.config.web, self.control_socket),
            access=opened.access,
            backend=backend,
            exposition=exposition,
            clock=self._clock,
        )
        web.start(loop)
        stack.callback(web.close)
        self.addresses = tuple(f"{opened.scheme}://{address}" for address in web.addresses)
        backend.endpoints = endpoints(self.addresses, self.control_socket)

    def _announce(self) -> None:
        """Say where the daemon can be found and what it does."""
        self._reloading.warn()
        _log.info(
            "running",
            version=VERSION,
            config=str(self._config_path or "built-in defaults"),
            metrics=" ".join(f"{address}/metrics" for address in self.addresses),
            control=str(self.control_socket),
            state=str(self._parts.database.directory),
            rules=sum(len(group.rules) for group in self._parts.ruleset.groups.values()),
            remediations=len(self.config.remediations),
        )

    def _tell_first_look(self, collecting: Collecting) -> None:
        """Say what the collectors saw when each has run once."""
        while not collecting.ready.wait(_FIRST_LOOK_SECONDS):
            _log.warning("not every collector has been run yet")
        self.engine.queue.until_taken(_STOP_SECONDS)
        self._looked.set()
        metrics.READY.set(1)
        series = self._parts.series
        health = series.health()
        _log.info(
            "watching",
            host=host.host_name(self.config),
            collectors=len({each.source.collector for each in health if each.last_success_at is not None}),
            mounts=len(series.select("node_filesystem_size_bytes")),
            units=len({dict(each.key.labels)["name"] for each in series.select("node_systemd_unit_state")}),
            processes=len(series.select("paramedic_process_up")),
            series=series.series_count,
            rules=sum(len(group.rules) for group in self._parts.ruleset.groups.values()),
            alerts=len(self.engine.alerts),
        )
        warming.warm(self._loaded.remediations, self.engine, self._parts.desk.library)  # without those of drills


def _stop_engine(engine: Engine, thread: threading.Thread) -> None:
    engine.stop()
    thread.join(_STOP_SECONDS)
