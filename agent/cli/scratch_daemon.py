"""A daemon with nothing to do but drills: in a temporary folder, which goes with it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from agent.app.drills import scratch_service, scratch_tickets
from agent.cli.client import Client, ControlError, over_socket
from agent.cli.failure import CommandFailedError
from agent.config import toml
from collectors.registry import SPECS

PREFIX = "paramedic-drill-"
SOCKET = "paramedic.sock"
_OWNER = "owner"
"""Who made the folder: process id and start time. Nobody else takes it away while that process lives."""
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_LOOK_SECONDS = 0.02
_FRESH_SECONDS = 60.0
_FOREIGN = ("PARAMEDIC_", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_")
"""Variables that are about another daemon."""


@contextmanager
def running() -> Iterator[tuple[Client, Path]]:
    """Start a daemon; end it and delete its folder, however that ends. Raise CommandFailedError."""
    sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    (folder / _OWNER).write_text(_born(os.getpid()))
    daemon = None
    try:
        (folder / "paramedic.toml").write_text(configuration(folder))
        daemon = _start(folder)
        yield _reached(daemon, folder), folder
    finally:
        if daemon:
            _end(daemon)
        _clear(folder)


def configuration(folder: Path) -> str:
    """Return the daemon's configuration, in TOML."""
    tables: dict[str, dict[str, object]] = {
        "state": {"directory": folder},
        "web": {"listen": ""},
        "rules": {"packs": [], "interval": "1s"},
        "incidents": {"settle": "0s"},
        "drill": {"enabled": True},
    }
    tables |= {f"collectors.{spec.name}": {"enabled": False} for spec in SPECS}
    tables["collectors.processes"] = {"interval": "1s"}
    return "\n".join(f"[{name}]\n{_lines(table)}" for name, table in tables.items())


def _lines(table: Mapping[str, object]) -> str:
    return "".join(f"{name} = {toml.render(value)}\n" for name, value in table.items())


def sweep(parent: Path) -> None:
    """End and delete what drills have left that were killed themselves."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            found = folder.lstat()
            if found.st_uid != os.getuid() or not folder.is_dir() or folder.is_symlink():
                continue
            owner = folder / _OWNER
            said = owner.read_text() if owner.exists() else ""
            if said and said == _born(int(said.split()[0])):
                continue
            if not said and time.time() - found.st_mtime < _FRESH_SECONDS:
                continue
            _clear(folder)


def _clear(folder: Path) -> None:
    """End what still runs in the folder, and delete it."""
    scratch_service.end_process(folder / "paramedic.toml", folder / "daemon.pid")
    for pidfile in (scratch_service.PIDFILE, scratch_tickets.PIDFILE):
        scratch_service.end(folder / "drill", pidfile)
    shutil.rmtree(folder, ignore_errors=True)


def _born(pid: int) -> str:
    """Return what tells a process from others that had its id before; empty: there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return f"{pid} {fields[19]}"


def _start(folder: Path) -> subprocess.Popen[bytes]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    command = [sys.executable, "-P", "-m", "agent.cli.main", "run", "--config", str(folder / "paramedic.toml")]
    if dies_with_us := shutil.which("setpriv"):
        command = [dies_with_us, "--pdeathsig", "TERM", "--", *command]
    with (folder / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    (folder / "daemon.pid").write_text(f"{daemon.pid}\n")
    return daemon


def _reached(daemon: subprocess.Popen[bytes], folder: Path) -> Client:
    """Return a client of the daemon once every collector has run."""
    deadline = time.monotonic() + _START_SECONDS
    reason = "it did not say why"
    while time.monotonic() < deadline and daemon.poll() is None:
        try:
            client = over_socket([folder / SOCKET])
            if client.get("status")["ready"]:
                return client
            reason = "not every collector has run"
        except ControlError as error:
            reason = str(error)
        time.sleep(_LOOK_SECONDS)
    log = (folder / "daemon.log").read_text(errors="backslashreplace").strip().splitlines()
    raise CommandFailedError(f"the drill's daemon does not start: {log[-1] if log else reason}")


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
