"""The real daemon as a process of its own, and services for it to watch: started, killed and started again at will."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.app.drills import scratch_service
from agent.app.drills.faults import answering_at
from agent.cli.client import Client, ControlError, over_socket
from agent.config import toml
from collectors.registry import SPECS
from tests.services.service import eventually, free_port, private_directory

READY_SECONDS = 60.0
RELOADED = re.compile('event="?reload')
PARAMEDIC = (sys.executable, "-P", "-m", "agent.cli.main")
GATED = """\
# Waits for a word at the gate, if there is one, and then becomes the program.
gate=$1
shift
if [ -p "$gate" ]; then read -r word < "$gate"; fi
exec "$@"
"""
Tables = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Watched:
    """A TCP service with a pid file, and the command that repairs it. A `gate` holds the repair until it is opened."""

    name: str
    folder: Path
    port: int = field(default_factory=free_port)
    killed: int = 0

    @property
    def pidfile(self) -> Path:
        return self.folder / scratch_service.PIDFILE

    @property
    def gate(self) -> Path:
        return self.folder / "gate"

    @property
    def start_command(self) -> list[str]:
        return [sys.executable, "-I", scratch_service.__file__, str(self.folder), str(self.port)]

    @property
    def repair_command(self) -> list[str]:
        return ["/bin/sh", str(self.folder / "gated.sh"), str(self.gate), *self.start_command]

    def prepare(self) -> "Watched":
        self.folder.mkdir()
        (self.folder / "gated.sh").write_text(GATED)
        self.start()
        return self

    def start(self) -> None:
        subprocess.run(self.start_command, check=True, timeout=30)

    def kill(self) -> None:
        """Kill it as hard as can be."""
        self.killed = int(self.pidfile.read_text())
        os.kill(self.killed, signal.SIGKILL)

    def answers(self) -> bool:
        """Whether it answers, and not as the process that was killed."""
        return answering_at(self.port) not in {None, self.killed}

    def close_gate(self) -> None:
        os.mkfifo(self.gate)

    def open_gate(self) -> None:
        """Let the repair that waits go on, and those after it."""
        with open_within(self.gate) as gate:
            gate.write(b"go\n")
        self.gate.unlink()

    def end(self) -> None:
        with suppress(OSError, ValueError):
            os.kill(int(self.pidfile.read_text()), signal.SIGKILL)


def open_within(fifo: Path, seconds: float = 60.0) -> Any:
    """Open a FIFO for writing once somebody reads it."""

    def opened() -> int | None:
        with suppress(OSError):
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        return None

    return os.fdopen(eventually(opened, seconds, lambda: f"nobody reads {fifo.name}"), "wb", buffering=0)


def rule(alert: str, expr: str, *, labels: Mapping[str, str] | None = None, **more: object) -> dict[str, Any]:
    return {"alert": alert, "expr": expr, "labels": {"severity": "critical"} | dict(labels or {}), **more}


def rule_file(*rules: Mapping[str, Any], interval: str = "1s") -> str:
    """Return a rule file of one group; JSON is YAML."""
    return json.dumps({"groups": [{"name": "test", "interval": interval, "rules": list(rules)}]})


def repair(alert: str, argv: Sequence[str], **more: Any) -> dict[str, Any]:
    """Return a remediation that runs one command and is quickly content."""
    return {
        "name": alert.lower(),
        "match": [f'alertname="{alert}"'],
        "mode": "auto",
        "steps": [{"action": "restart_command", "name": alert.lower(), "argv": list(argv), "timeout": "60s"}],
        "verify": {"hold": "1s", "timeout": "20s"},
        "limits": {"attempts": 10, "runs": 10, "cooldown": "0s"},
    } | more


def document(tables: Tables) -> str:
    """Return the configuration in TOML: plain tables, tables of collectors, lists of tables."""
    text = ""
    for name, table in tables.items():
        if isinstance(table, list):
            text += "".join(f"[[{name}]]\n{_lines(each)}\n" for each in table)
        elif name == "collectors":
            text += "".join(f"[collectors.{each}]\n{_lines(options)}\n" for each, options in table.items())
        else:
            text += f"[{name}]\n{_lines(table)}\n"
    return text


def _lines(table: Tables) -> str:
    return "".join(f"{name} = {toml.render(value)}\n" for name, value in table.items())


@dataclass(slots=True, kw_only=True)
class Daemon:
    """One daemon in one directory. It may be started, stopped and killed any number of times."""

    directory: Path
    port: int
    wrapper: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        return self.directory / "paramedic.toml"

    @property
    def rules(self) -> Path:
        return self.directory / "rules.yml"

    @property
    def scripts(self) -> Path:
        return self.directory / "scripts"

    def script(self, name: str, text: str) -> None:
        """Write a script that `run_script` may run."""
        path = self.scripts / name
        path.write_text(text)
        path.chmod(0o700)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> Client:
        return over_socket([self.directory / "state/paramedic.sock"])

    def configure(self, tables: Tables, rules: str) -> None:
        """Write configuration and rules, on top of what a test daemon needs: nothing of the host, no waiting."""
        off: dict[str, Any] = {spec.name: {"enabled": False} for spec in SPECS}
        base: dict[str, Any] = {
            "state": {"directory": self.directory / "state"},
            "web": {"listen": f"127.0.0.1:{self.port}"},
            "host": {"name": "test-host"},
            "rules": {"packs": [], "files": [self.rules], "interval": "1s"},
            "incidents": {"settle": "0s"},
            "guards": {
                "actions_per_hour": 1000,
                "script_dirs": [self.scripts],
                "operator_idle": "0s",
                "lock_files": [],
            },
            "actions": {"run_script": {"breaker": {"failures": 1000, "of": 1000}}},
            "drill": {"enabled": False},
        }
        merged = base | {
            name: (base.get(name, {}) | table if isinstance(table, Mapping) else table)
            for name, table in tables.items()
        }
        files = {"textfile": {"interval": "1s", "directories": [self.faults.parent]}}
        merged["collectors"] = off | files | dict(tables.get("collectors", {}))
        self.scripts.mkdir(exist_ok=True)
        self.faults.parent.mkdir(exist_ok=True)
        self.rules.write_text(rules)
        self.config.write_text(document(merged))

    @property
    def faults(self) -> Path:
        """The metrics file in which `tell` says what is broken."""
        return self.directory / "textfile/faults.prom"

    def tell(self, **broken: bool) -> None:
        """Say what is broken: `test_broken{name="..."}` is 1 or 0."""
        lines = "".join(f'test_broken{{name="{name}"}} {int(is_broken)}\n' for name, is_broken in broken.items())
        self.tell_anything(f"# HELP test_broken 1 if it is broken.\n# TYPE test_broken gauge\n{lines}")

    def tell_anything(self, text: str) -> None:
        fresh = self.faults.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.faults)

    def start(self) -> None:
        self.spawn()
        eventually(self._is_ready, READY_SECONDS, self.tail)

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start it without waiting."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PARAMEDIC_", "NOTIFY_"))}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                (*self.wrapper, *PARAMEDIC, "run", "--config", str(self.config)),
                env=own | dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self.process

    def stop(self, seconds: float = 60.0) -> int:
        """Send SIGTERM; return the exit code."""
        return self._end(signal.SIGTERM, seconds)

    def kill(self) -> None:
        self._end(signal.SIGKILL, 10.0)

    def reload(self) -> None:
        """Send SIGHUP and wait until the log tells how it went."""
        told = len(RELOADED.findall(self.log.read_text()))
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(RELOADED.findall(self.log.read_text())) > told, what=self.tail)

    @property
    def log(self) -> Path:
        return self.directory / "log.txt"

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="backslashreplace").splitlines()[-40:])

    def incidents(self, **query: str | int) -> list[dict[str, Any]]:
        return self.client.get("incidents", **({"limit": 1000} | query))

    def incident(self, alert: str, **labels: str) -> dict[str, Any] | None:
        """Return the newest incident of this alert and labels with all that was done; None if there is none."""
        for each in self.incidents(limit=10_000):
            if each["alertname"] == alert and labels.items() <= dict(each["labels"]).items():
                return self.client.get("incidents", each["id"])
        return None

    def await_incident(self, alert: str, seen: Callable[[Any], bool], seconds: float = 60.0, **labels: str) -> Any:
        """Return the incident of this alert once it is as wanted."""

        def look() -> Any:
            found = self.incident(alert, **labels)
            return found if found and seen(found) else None

        return eventually(look, seconds, lambda: f"{self.incident(alert, **labels)}\n{self.tail()}")

    def await_state(self, alert: str, state: str, seconds: float = 60.0, **labels: str) -> Any:
        return self.await_incident(alert, lambda incident: incident["state"] == state, seconds, **labels)

    def page(self) -> str:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{self.url}/metrics", timeout=60) as it:
            return it.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of this name that have these labels."""
        families = text_string_to_metric_families(self.page())
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            pytest.fail(f"the daemon ended with {self.process.returncode}:\n{self.tail()}")
        with suppress(ControlError):
            return bool(self.client.get("status")["ready"])
        return False

    def _end(self, number: signal.Signals, seconds: float) -> int:
        process, self.process = self.process, None
        assert process is not None
        process.send_signal(number)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(60)
            pytest.fail(f"the daemon did not end within {seconds:g} s:\n{self.tail()}")


@contextmanager
def prepared_daemon(
    tables: Tables, rules: str, *, wrapper: tuple[str, ...] = (), environment: Mapping[str, str] | None = None
) -> Iterator[Daemon]:
    """A daemon that is configured and not started yet. However the block ends, the daemon does."""
    with TemporaryDirectory(prefix="paramedic-daemon-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        daemon = Daemon(directory=Path(folder), port=free_port(), wrapper=wrapper, environment=environment or {})
        daemon.configure(tables, rules)
        try:
            yield daemon
        except BaseException:
            sys.stderr.write(f"--- log of the daemon:\n{daemon.tail() if daemon.log.exists() else ''}\n")
            raise
        finally:
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.kill()


@contextmanager
def running_daemon(tables: Tables, rules: str, **more: Any) -> Iterator[Daemon]:
    """A daemon that is ready."""
    with prepared_daemon(tables, rules, **more) as daemon:
        daemon.start()
        yield daemon


@contextmanager
def watched_services(*names: str) -> Iterator[dict[str, Watched]]:
    """Services that run and answer, by name."""
    with private_directory("watched") as directory:
        services = {name: Watched(name=name, folder=directory / name) for name in names}
        try:
            for service in services.values():
                service.prepare()
            yield services
        finally:
            for service in services.values():
                service.end()


def watching(services: Mapping[str, Watched]) -> dict[str, Any]:
    """The collectors that watch these services: their processes, as events, and their ports."""
    processes = [{"name": name, "pidfile": service.pidfile} for name, service in services.items()]
    ports = [{"name": name, "address": f"127.0.0.1:{service.port}"} for name, service in services.items()]
    return {
        "processes": {"interval": "1s", "watch": processes},
        "probe_tcp": {"interval": "1s", "timeout": "1s", "targets": ports},
    }


def down_rule(service: Watched) -> dict[str, Any]:
    """The rule for one service, named after it: `Down<name>`."""
    return rule(f"Down{service.name}", f'paramedic_process_up{{name="{service.name}"}} == 0')


def repairs(services: Mapping[str, Watched]) -> list[dict[str, Any]]:
    return [repair(f"Down{name}", service.repair_command) for name, service in services.items()]
