"""A daemon with nothing to do but one drill: in a temporary folder, with a scratch service of its own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent.app import phases, scratch_service
from agent.app.phases import Progress
from agent.cli.client import Client, ControlError, over_socket
from agent.cli.failure import CommandFailedError
from agent.config import toml
from collectors.registry import SPECS

_ALERT = "DrillServiceDown"
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_LOOK_SECONDS = 0.02
_PROBE_SECONDS = 0.2
_FOREIGN = ("PARAMEDIC_", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_")
"""Variables that are about another daemon."""


@dataclass(slots=True, kw_only=True)
class ScratchDaemon:
    """The running pair of daemon and scratch service."""

    folder: Path
    port: int
    client: Client
    killed_at: float = 0.0
    killed: int = 0
    incident: str = ""
    """Its id, once there is one."""
    seen: dict[str, float] = field(default_factory=dict)
    """Phases and when they were first seen."""

    def kill(self) -> None:
        """Kill the service, as hard as can be."""
        self.killed = _pid(self.folder)
        self.killed_at = time.time()
        os.kill(self.killed, signal.SIGKILL)

    def progress(self) -> Progress:
        """Return how far the daemon is."""
        if "answering" not in self.seen and answering(self.port) not in (None, self.killed):
            self.seen["answering"] = time.time()
        if not self.incident:
            incidents = self.client.get("incidents", limit=10)
            self.incident = next((each["id"] for each in incidents if each["alertname"] == _ALERT), "")
        incident = self.client.get("incidents", self.incident) if self.incident else None
        failed = ""
        if incident:
            self.seen = phases.seen(incident) | self.seen
            failed = phases.failure(incident)
        return Progress(drill=self.incident, killed_at=self.killed_at, at=dict(self.seen), failed=failed)


@contextmanager
def running() -> Iterator[ScratchDaemon]:
    """Start service and daemon; end both and delete their folder, however the drill ends. Raise CommandFailedError."""
    folder = Path(tempfile.mkdtemp(prefix="paramedic-drill-"))
    daemon = None
    try:
        port = _free_port()
        command = service_command(folder, port)
        if subprocess.run(command, check=False, timeout=_START_SECONDS).returncode:
            raise CommandFailedError("the scratch service does not start")
        (folder / "drill.yml").write_text(rules())
        (folder / "paramedic.toml").write_text(configuration(folder, command))
        daemon = _start(folder)
        yield ScratchDaemon(folder=folder, port=port, client=_reached(daemon, folder))
    finally:
        if daemon:
            _end(daemon)
        _end_service(folder)
        shutil.rmtree(folder, ignore_errors=True)


def service_command(folder: Path, port: int) -> list[str]:
    """Return what starts the scratch service: for us at first, then for the daemon as its repair."""
    return [sys.executable, "-I", scratch_service.__file__, str(folder), str(port)]


def rules() -> str:
    """Return the one rule: in JSON, which is YAML."""
    rule = {
        "alert": _ALERT,
        "expr": "paramedic_process_up == 0",
        "labels": {"severity": "critical", "drill": "true"},
        "annotations": {"summary": "Drill: the scratch service is down", "article": "process-down"},
    }
    return json.dumps({"groups": [{"name": "drill", "rules": [rule]}]})


def configuration(folder: Path, command: list[str]) -> str:
    """Return the daemon's configuration, in TOML."""
    tables: dict[str, dict[str, object]] = {
        "state": {"directory": folder},
        "web": {"listen": ""},
        "rules": {"packs": [], "files": [folder / "drill.yml"], "interval": "1s"},
        "incidents": {"settle": "0s"},
        "drill": {"enabled": False},
    }
    tables |= {f"collectors.{spec.name}": {"enabled": False} for spec in SPECS}
    watch = [{"name": "drill", "pidfile": folder / scratch_service.PIDFILE}]
    tables["collectors.processes"] = {"interval": "1s", "watch": watch}
    remediation = {
        "name": "drill",
        "match": [f'alertname="{_ALERT}"'],
        "mode": "auto",
        "steps": [{"action": "restart_command", "name": "drill", "argv": command, "timeout": "10s"}],
        "verify": {"hold": "1s", "timeout": "20s"},
        "limits": {"cooldown": "0s"},
    }
    blocks = [f"[{name}]\n{_lines(table)}" for name, table in tables.items()]
    return "\n".join([*blocks, f"[[remediations]]\n{_lines(remediation)}"])


def _lines(table: Mapping[str, object]) -> str:
    return "".join(f"{name} = {toml.render(value)}\n" for name, value in table.items())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _start(folder: Path) -> subprocess.Popen[bytes]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    command = [sys.executable, "-P", "-m", "agent.cli.main", "run", "--config", str(folder / "paramedic.toml")]
    with (folder / "daemon.log").open("wb") as log:
        return subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _reached(daemon: subprocess.Popen[bytes], folder: Path) -> Client:
    """Return a client of the daemon once every collector has run."""
    deadline = time.monotonic() + _START_SECONDS
    reason = "it did not say why"
    while time.monotonic() < deadline and daemon.poll() is None:
        try:
            client = over_socket([folder / "paramedic.sock"])
            if client.get("status")["ready"]:
                return client
            reason = "not every collector has run"
        except ControlError as error:
            reason = str(error)
        time.sleep(_LOOK_SECONDS)
    log = (folder / "daemon.log").read_text(errors="backslashreplace").strip().splitlines()
    raise CommandFailedError(f"the drill's daemon does not start: {log[-1] if log else reason}")


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _end_service(folder: Path) -> None:
    try:
        os.kill(_pid(folder), signal.SIGKILL)
    except (OSError, ValueError):
        return  # it never started, or is gone


def _pid(folder: Path) -> int:
    return int((folder / scratch_service.PIDFILE).read_text())


def answering(port: int) -> int | None:
    """Return the process id that the service on this port answers with, None if nothing does."""
    try:
        with socket.create_connection(("127.0.0.1", port), _PROBE_SECONDS) as connection:
            return int(connection.recv(32))
    except (OSError, ValueError):
        return None
