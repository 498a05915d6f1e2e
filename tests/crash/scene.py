"""One scene: a service that can be struck down, a daemon that repairs it, a ticket system that is told."""

import json
import os
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.cli.client import Client, ControlError, over_socket
from agent.config import toml
from agent.store.reader import Reader
from collectors.registry import SPECS
from tests.crash.outside import TicketDesk, ticket_desk

PATIENT_SECONDS = 120
# Only the first run takes its time: what comes after an interrupted one is over at once.
REPAIR = f"""\
[ -s "$1/effects" ] || long=$2
printf '%s\\n' "$PARAMEDIC_RUN" >> "$1/effects"
[ -z "$long" ] || sleep "$long"
sleep {PATIENT_SECONDS} < /dev/null > /dev/null 2>&1 &
printf '%s\\n' $! > "$1/patient.new" && mv "$1/patient.new" "$1/patient.pid"
"""
DEADLINE_SECONDS = 60.0
_LOOK_SECONDS = 0.004


def wait_for(condition: Callable[[], Any], what: str, seconds: float = DEADLINE_SECONDS) -> Any:
    """Return what the condition returns once it is true; fail when the time is over."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain: {what}")
        pause.wait(_LOOK_SECONDS)
    return found


class Nursery:
    """Forks daemons; see nursery.py."""

    def __init__(self) -> None:
        root = str(Path(__file__).parents[2])
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("PARAMEDIC_", "NOTIFY_", "WATCHDOG_"))}
        environ["PYTHONDONTWRITEBYTECODE"] = "1"  # each life makes the same system calls
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery"],
            cwd=root,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._turn = threading.Lock()

    def fork(self, config: Path, log: Path, mutant: str = "") -> "Life":
        with self._turn:
            self._process.stdin.write(json.dumps([str(config), str(log), mutant]) + "\n")
            pid = int(self._process.stdout.readline())
        return Life(pid)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


class Life:
    """One process, from its fork to its end."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._alive: int | None = os.pidfd_open(pid)

    def begin(self) -> None:
        os.kill(self.pid, signal.SIGUSR1)

    def ended(self, seconds: float = 0.0) -> bool:
        """Return whether it has ended, after waiting for it so long."""
        if self._alive is None:
            return True
        poll = select.poll()
        poll.register(self._alive, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return False
        os.close(self._alive)
        self._alive = None
        return True

    def kill(self, number: int = signal.SIGKILL) -> None:
        if not self.ended():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._alive, number)

    def end(self, number: int = signal.SIGKILL) -> None:
        """End it, unless it has ended."""
        self.kill(number)
        assert self.ended(60), "it does not end"


@dataclass(slots=True, kw_only=True)
class Scene:
    """A folder with everything in it."""

    folder: Path
    desk: TicketDesk
    nursery: Nursery
    mutant: str = ""
    helped: bool = False
    """The root helper runs the repair, and nothing but that."""
    expr: str = "paramedic_process_up == 0"
    """What the one rule asks."""
    step: dict[str, Any] = field(default_factory=dict)
    """What is done about it, if not reviving the patient."""
    verify: dict[str, str] = field(default_factory=lambda: {"hold": "200ms", "timeout": "1s"})
    options: dict[str, Any] = field(default_factory=lambda: {"limits": {"cooldown": "0s"}})
    """More about the one remediation."""
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    """More tables of the configuration."""
    lives: list[Life] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def database(self) -> Path:
        return self.state / "paramedic.db"

    def write(self, *, repair_seconds: float = 0.0, listen: str = "") -> None:
        rule = {"alert": "Trouble", "expr": self.expr, "labels": {"severity": "critical"}}
        rules = {"groups": [{"name": "crash", "rules": [rule]}]}
        (self.folder / "rules.json").write_text(json.dumps(rules))
        (self.folder / "repair.sh").write_text(f"#!/bin/sh\n{REPAIR}")
        (self.folder / "repair.sh").chmod(0o755)
        (self.folder / "effects").touch()
        (self.folder / "paramedic.toml").write_text(self._configuration(repair_seconds, listen))

    def _configuration(self, repair_seconds: float, listen: str) -> str:
        if self.helped:
            step = {"action": "run_script", "script": "repair.sh", "timeout": "60s"}
            step["arguments"] = [str(self.folder), f"{repair_seconds:g}"]
        else:
            step = self._direct(repair_seconds)
        tables: dict[str, dict[str, Any]] = {
            "state": {"directory": self.state},
            "log": {"level": "error"},
            "web": {"listen": listen, "open_ingest": bool(listen)},
            "rules": {"packs": [], "files": [self.folder / "rules.json"], "interval": "1s"},
            "incidents": {"settle": "0s"},
            "guards": {
                "stop_file": self.folder / "stop",
                "free_space_roots": [self.folder],
                "operator_idle": "0s",
                "lock_files": [],
                "script_dirs": [self.folder],
                "helper": self.folder / "helper.sock",
            },
            "drill": {"enabled": False},
        }
        tables |= {f"collectors.{spec.name}": {"enabled": False} for spec in SPECS}
        watch = [{"name": "patient", "pidfile": self.folder / "patient.pid"}]
        tables["collectors.processes"] = {"interval": "1s", "watch": watch}
        tables["collectors.filesystem"] = {"interval": "1s"}
        tables |= self.tables
        remediation = {
            "name": "restart-patient",
            "match": ['alertname="Trouble"'],
            "mode": "auto",
            "steps": [step, step],
            "verify": self.verify,
            **self.options,
        }
        url = f"http://127.0.0.1:{self.desk.port}/tickets"
        ticket = {"name": "desk", "system": "webhook", "url": url, "find_url": url, "timeout": "60s"}
        blocks = [f"[{name}]\n{_lines(table)}" for name, table in tables.items()]
        blocks += [f"[[remediations]]\n{_lines(remediation)}", f"[[tickets]]\n{_lines(ticket)}"]
        return "\n".join(blocks)

    def _direct(self, repair_seconds: float) -> dict[str, Any]:
        return self.step or {
            "action": "restart_command",
            "name": "patient",
            "argv": ["/bin/sh", self.folder / "repair.sh", self.folder, f"{repair_seconds:g}"],
            "timeout": "60s",
        }

    # -- the patient

    def patient(self) -> int | None:
        """Return the pid of the service, None if it does not run."""
        try:
            pid = int((self.folder / "patient.pid").read_text())
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (OSError, ValueError):
            return None
        return None if stat.rpartition(")")[2].split()[0] == "Z" else pid

    def strike(self) -> None:
        """Kill the service, and see it dead; nobody but the daemon brings it back."""
        if pid := self.patient():
            with suppress(ProcessLookupError):
                Life(pid).end()

    def revive(self) -> None:
        command = ["/bin/sh", self.folder / "repair.sh", self.folder, "0"]
        subprocess.run(command, check=True, env={"PARAMEDIC_RUN": ""})
        (self.folder / "effects").write_text("")

    # -- the daemon

    def fork(self) -> Life:
        """Return a daemon that has not begun."""
        mutant = "helped" if self.helped else self.mutant
        life = self.nursery.fork(self.folder / "paramedic.toml", self.folder / "log", mutant)
        self.lives.append(life)
        return life

    def start(self) -> Life:
        """Return a daemon that runs and has looked at the patient."""
        life = self.fork()
        life.begin()
        wait_for(lambda: life.ended() or self._ready(), "a daemon that is ready")
        assert not life.ended(), self.log()
        return life

    def ask(self) -> Client:
        """Return a client of the running daemon."""
        return over_socket([self.state / "paramedic.sock"])

    def _ready(self) -> bool:
        try:
            return bool(self.ask().get("status")["ready"])
        except ControlError:
            return False

    def effects(self) -> list[str]:
        """Return the ids of the runs that did something, in order."""
        return (self.folder / "effects").read_text().split()

    def incidents(self) -> list[dict[str, Any]]:
        try:
            reader = Reader(self.database)
            return [reader.incident(each["id"]) for each in reader.incidents((), 10)]
        except sqlite3.OperationalError:  # there is no database yet
            return []

    def settled(self) -> bool:
        """Return whether there is an incident, every one is over or a person's, and nobody is owed anything."""
        incidents = self.incidents()
        over = all(self._over(each["state"]) for each in incidents)
        owed = [e for each in incidents for e in each["effects"] if e["state"] in ("pending", "running")]
        return bool(incidents) and over and not owed

    def story(self) -> list[object]:
        """Return what the record says happened, for a reader who wants to know why a test failed."""
        return [
            (
                each["state"],
                each["refusals"],
                [(entry["reason"], entry["detail"]) for entry in each["timeline"]],
                [(effect["key"], effect["state"]) for effect in each["effects"]],
            )
            for each in self.incidents()
        ]

    def _over(self, state: str) -> bool:
        """An escalated incident is over only while the patient is down: else it resolves by itself in a moment."""
        return state in ("resolved", "closed") or (state == "escalated" and self.patient() is None)

    def repairing(self) -> list[int]:
        """Return the pids of repairs that run, whoever started them."""
        script = str(self.folder / "repair.sh").encode()
        return [int(each.name) for each in Path("/proc").glob("[0-9]*") if script in _command(each)]

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def clear(self) -> None:
        """End whatever still runs."""
        for pid in self.repairing():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for life in self.lives:
            life.end()
        self.strike()


def _command(process: Path) -> list[bytes]:
    try:
        return (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _lines(table: dict[str, Any]) -> str:
    return "".join(f"{name} = {toml.render(value)}\n" for name, value in table.items())


@contextmanager
def scene(
    folder: Path, nursery: Nursery, *, mutant: str = "", repair_seconds: float = 0.0, helped: bool = False
) -> Iterator[Scene]:
    """Set a scene with a patient that is well and a daemon that has yet to be started; leave nothing of it."""
    folder.mkdir(parents=True)
    with ticket_desk() as desk:
        made = Scene(folder=folder, desk=desk, nursery=nursery, mutant=mutant, helped=helped)
        made.write(repair_seconds=repair_seconds)
        made.revive()
        with root_helper(folder, repair_seconds) if helped else nullcontext():
            try:
                yield made
            finally:
                made.clear()
        shutil.rmtree(folder)


@contextmanager
def root_helper(folder: Path, repair_seconds: float) -> Iterator[None]:
    """Run the root helper beside the daemon, with a policy for the one repair."""
    folder.chmod(0o755)
    (folder / "actions.d").mkdir(mode=0o755)
    argv = toml.render([folder / "repair.sh", folder, f"{repair_seconds:g}"])
    (folder / "actions.d/repair.toml").write_text(f"argv = {argv}\n")
    (folder / "actions.d/repair.toml").chmod(0o644)
    command = (sys.executable, "-m", "tests.crash.local_helper", str(folder), str(folder / "helper.sock"))
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL) as process:
        try:
            wait_for((folder / "helper.sock").exists, "the root helper")
            yield
        finally:
            process.kill()
