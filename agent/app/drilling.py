"""Drills in the running daemon: a scratch service is started, killed, and seen mended, all marked as a drill."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.app import phases, scratch_service
from agent.config.acting import BreakerOptions, LimitOptions, RemediationOptions, StepOptions, VerifyOptions
from agent.config.option import Seconds
from agent.config.options import Config
from agent.engine.commands import CommandError
from agent.store.reader import Reader
from agent.telemetry import log
from collectors.processes import ProcessOptions, WatchedProcess
from remediations.situation import Mode
from rules import rulefile
from rules.rulefile import RuleFile

_log = log.get("drill")
SERVICE = "paramedic-drill"
ALERT = "DrillServiceDown"
_RULES = f"""
groups:
  - name: drill
    rules:
      - alert: {ALERT}
        expr: paramedic_process_up{{name="{SERVICE}"}} == 0
        labels: {{severity: critical, drill: "true"}}
        annotations: {{summary: "Drill: the scratch service is down", article: process-down}}
"""
_START_SECONDS = 10.0
_LONGEST_SECONDS = 60.0
_LOOK_SECONDS = 0.02
_SETTLED_SECONDS = 0.3
"""The service must be known to the watch before it is killed."""


def prepared(config: Config, folder: Path) -> Config:
    """Return the configuration with what a drill needs: the watch over its service, the remediation that mends it."""
    watch = WatchedProcess(name=SERVICE, pidfile=folder / scratch_service.PIDFILE, only_with_pidfile=True)
    processes = config.collectors["processes"]
    options = processes.options or ProcessOptions()
    watched = replace(processes, options=replace(options, watch=(*options.watch, watch)))
    step = StepOptions(
        action="restart_command",
        timeout=Seconds(10.0),
        parameters={"name": SERVICE, "argv": [sys.executable, "-I", scratch_service.__file__, str(folder), "0"]},
    )
    remediation = RemediationOptions(
        name=SERVICE,
        match=(f'alertname="{ALERT}"', 'drill="true"'),
        mode=Mode.AUTO,
        steps=(step,),
        verify=VerifyOptions(hold=Seconds(1.0), timeout=Seconds(30.0)),
        limits=LimitOptions(cooldown=Seconds(0.0), attempts=100, runs=100),
        breaker=BreakerOptions(failures=100, of=100),
    )
    return replace(
        config,
        collectors={**config.collectors, "processes": watched},
        remediations=(remediation, *config.remediations),
    )


def rules(interval_seconds: float) -> RuleFile:
    """Return the rule that notices the drill's fault."""
    return rulefile.parse(_RULES, "drill", interval_seconds=interval_seconds)


@dataclass(slots=True)
class _Drill:
    id: str
    killed_at: float
    pid: int
    incident: str = ""
    at: dict[str, float] = field(default_factory=dict)
    failed: str = ""
    finished: bool = False


class DrillRoom:
    """Holds one drill at a time. `start` waits for the service to be up, so it is not for the engine's thread."""

    def __init__(self, folder: Path, reader: Reader) -> None:
        self._folder = folder
        self._reader = reader
        self._lock = threading.Lock()
        self._drill: _Drill | None = None
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._end_service()

    def start(self, actor: str) -> Mapping[str, Any]:
        """Start the service and kill it; return the drill's id and when that was. Raise CommandError."""
        with self._lock:
            if self._drill is not None and not self._drill.finished:
                raise CommandError(f"drill {self._drill.id} is not over yet")
            pid = self._start_service()
            self._closing.wait(_SETTLED_SECONDS)
            self._drill = drill = _Drill(id=secrets.token_hex(4), killed_at=time.time(), pid=pid)
            os.kill(pid, signal.SIGKILL)
            self._thread = threading.Thread(target=self._follow, args=(drill,), name="drill", daemon=True)
            self._thread.start()
        _log.info("drill started", drill=drill.id, actor=actor)
        return {"drill": drill.id, "killed_at": drill.killed_at}

    def progress(self, drill_id: str) -> Mapping[str, Any] | None:
        drill = self._drill
        if drill is None or drill.id != drill_id:
            return None
        seen = [{"name": name, "at": drill.at[name]} for name in phases.PHASES if name in drill.at]
        return {"id": drill.id, "finished": drill.finished, "failed": drill.failed or None, "phases": seen}

    def close(self) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join(1.0)
        self._end_service()

    def _follow(self, drill: _Drill) -> None:
        deadline = drill.killed_at + _LONGEST_SECONDS
        while not self._closing.wait(_LOOK_SECONDS):
            self._look(drill)
            if drill.failed or len(drill.at) == len(phases.PHASES):
                break
            if time.time() > deadline:
                drill.failed = f"not over after {_LONGEST_SECONDS:g} s"
                break
        self._end_service()
        drill.finished = True
        _log.info("drill over", drill=drill.id, failed=drill.failed, phases=len(drill.at))

    def _look(self, drill: _Drill) -> None:
        if "answering" not in drill.at and self._answers(drill.pid):
            drill.at["answering"] = time.time()
        drill.incident = drill.incident or self._incident_since(drill.killed_at)
        incident = self._reader.incident(drill.incident) if drill.incident else None
        if incident is not None:
            drill.at = phases.seen(incident) | drill.at
            drill.failed = phases.failure(incident)

    def _incident_since(self, killed_at: float) -> str:
        """Return the id of the incident that the kill has opened, "" while there is none."""
        known = self._reader.incidents((), 20)
        return next((str(i["id"]) for i in known if i["alertname"] == ALERT and i["opened_at"] >= killed_at - 1.0), "")

    def _start_service(self) -> int:
        self._end_service()
        command = [sys.executable, "-I", scratch_service.__file__, str(self._folder), "0"]
        try:
            subprocess.run(command, check=True, timeout=_START_SECONDS, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.SubprocessError) as error:
            raise CommandError(f"the scratch service does not start: {error}", 500) from error
        return int(self._pidfile.read_text())

    @property
    def _pidfile(self) -> Path:
        return self._folder / scratch_service.PIDFILE

    def _answers(self, killed: int) -> bool:
        """Return whether another process than the killed one answers."""
        try:
            port = int((self._folder / scratch_service.PORTFILE).read_text())
            with socket.create_connection(("127.0.0.1", port), 0.2) as connection:
                return int(connection.recv(32)) != killed
        except (OSError, ValueError):
            return False

    def _end_service(self) -> None:
        """End the service on purpose: without its pidfile nobody misses it."""
        try:
            pid = int(self._pidfile.read_text())
            self._pidfile.unlink()
            os.kill(pid, signal.SIGKILL)
        except (OSError, ValueError):
            return  # it is not there, or gone
