"""Time from an event to its incident: processes killed (pidfd), and units of a systemd host killed (D-Bus).

Two figures of each kill: from just before the kill until the incident was opened, and from the event as heard until it
was committed to disk (paramedic_detection_seconds). D-Bus needs root, systemd-nspawn and the test extra.
"""

import argparse
import contextlib
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).parents[1]
SECONDS = 30.0
SETTINGS = """
[state]
directory = "{folder}/state"
[web]
listen = "127.0.0.1:{port}"
[incidents]
settle = "0s"
{watches}
"""
WATCH = """
[[collectors.processes.watch]]
name = "bench-{number}"
pidfile = "{folder}/{number}.pid"
"""
UNIT = "[Service]\nExecStart=/bin/sleep infinity\n"
KILL = "import os, sys, time; at = time.time(); os.kill(int(sys.argv[1]), 9); print(at)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=15, help="of each kind; more than 20 within 10 s are a storm")
    kills = parser.parse_args().kills
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="paramedic-bench-")))
        processes = [stack.enter_context(sleeper(folder / f"{number}.pid")) for number in range(kills)]
        units = stack.enter_context(host(kills))
        daemon = stack.enter_context(paramedic(folder, kills, units.address if units else ""))
        told("pidfd", [daemon.measured(f"bench-{number}", process.kill) for number, process in enumerate(processes)])
        if units:
            told("D-Bus", [daemon.measured(unit, lambda pid=pid: units.kill(pid)) for unit, pid in units.pids.items()])


def told(kind: str, measured: list[tuple[float, float]]) -> None:
    for what, seconds in zip(("kill to incident", "heard to committed"), zip(*measured, strict=True), strict=True):
        times = sorted(1000 * each for each in seconds)
        middle = statistics.median(times)
        print(f"{kind}, {what}: median {middle:.1f} ms, best {times[0]:.1f}, worst {times[-1]:.1f}, of {len(times)}")


@contextlib.contextmanager
def sleeper(pidfile: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(("sleep", "infinity")) as process:
        pidfile.write_text(str(process.pid))
        yield process
        process.kill()


class Units:
    """Services of a systemd host, by name with the pid that they have there."""

    def __init__(self, machine, count: int) -> None:  # type: ignore[no-untyped-def]
        self._machine = machine
        self.address = f"unix:path=/proc/{machine.leader}/root/run/dbus/system_bus_socket"
        machine.write("/etc/systemd/system/bench@.service", UNIT)
        machine.run("systemctl", "daemon-reload")
        names = [f"bench@{number}.service" for number in range(count)]
        machine.run("systemctl", "start", *names)
        self.pids = {name: machine.show(name, "MainPID") for name in names}

    def kill(self, pid: str) -> float:
        """Kill a process of the host; return when."""
        return float(self._machine.run("python3", "-IS", "-c", KILL, pid))


@contextlib.contextmanager
def host(count: int) -> Iterator[Units | None]:
    """Boot a systemd host with so many services; None, and the reason, where that cannot be done."""
    try:
        import pytest  # noqa: PLC0415 -- only of the test extra

        from tests.host.machine import booted  # noqa: PLC0415 -- needs it
    except ImportError as error:
        print(f"D-Bus is not measured: {error}")
        yield None
        return
    with contextlib.ExitStack() as stack:
        try:
            machine = stack.enter_context(booted())
        except pytest.skip.Exception as reason:
            print(f"D-Bus is not measured: it {reason}")
            yield None
            return
        yield Units(machine, count)


class Daemon:
    """The running daemon."""

    def __init__(self, port: int, socket_path: Path) -> None:
        self.port = port
        self._socket = socket_path

    def measured(self, name: str, kill: Callable[[], float | None]) -> tuple[float, float]:
        """Kill what has this name; return the seconds to its incident, and from heard to committed."""
        heard = self._detection()
        before = time.time()
        at = kill() or before
        deadline = time.monotonic() + SECONDS
        while (incident := self._incident(name)) is None:
            if time.monotonic() > deadline:
                sys.exit(f"no incident of {name} within {SECONDS:g} s")
            time.sleep(0.02)
        now = self._detection()
        return incident["opened_at"] - at, (now[0] - heard[0]) / max(1.0, now[1] - heard[1])

    def ready(self) -> bool:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5).close()
            return True
        return False

    def _incident(self, name: str) -> "dict[str, float] | None":
        from agent.cli.client import over_socket  # noqa: PLC0415 -- the rest needs nothing of the daemon's code

        found = over_socket([self._socket]).get("incidents", state="", limit=200)
        return next((each for each in found if ["name", name] in [list(pair) for pair in each["labels"]]), None)

    def _detection(self) -> tuple[float, float]:
        """Return the sum, in seconds, and the count of what was detected."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        found = dict(re.findall(r"^paramedic_detection_seconds_(sum|count) (\S+)", text, re.MULTILINE))
        return float(found["sum"]), float(found["count"])


@contextlib.contextmanager
def paramedic(folder: Path, count: int, address: str) -> Iterator[Daemon]:
    """Run the daemon with a watch on each process, and on the bus at the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    watches = "".join(WATCH.format(folder=folder, number=number) for number in range(count))
    (folder / "paramedic.toml").write_text(SETTINGS.format(folder=folder, port=port, watches=watches))
    argv = (sys.executable, "-P", "-m", "agent.cli.main", "run", "--config", str(folder / "paramedic.toml"))
    environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": address or "unix:path=/nonexistent"}
    with (folder / "log").open("wb") as log, subprocess.Popen(argv, cwd=HERE, env=environment, stderr=log) as process:
        try:
            daemon = Daemon(port, folder / "state/paramedic.sock")
            deadline = time.monotonic() + SECONDS
            while not daemon.ready():
                if time.monotonic() > deadline or process.poll() is not None:
                    sys.exit(f"paramedic does not start:\n{(folder / 'log').read_text()}")
                time.sleep(0.1)
            yield daemon
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    main()
