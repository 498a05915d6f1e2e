"""A systemd host with a daemon in it, and what any test wants to know of it, however it was installed."""

from dataclasses import dataclass
from pathlib import Path

from agent.cli.client import Client, over_socket
from tests.host.machine import Machine
from tests.services.service import eventually

STARTS = "/var/lib/starts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted:
    """The host and its daemon."""

    machine: Machine
    port: int

    @property
    def client(self) -> Client:
        """Talk to the daemon as the host's root does, from outside."""
        return over_socket([Path(f"/proc/{self.machine.leader}/root/run/paramedic/paramedic.sock")])

    def pid(self) -> int:
        return int(self.machine.show("paramedic", "MainPID"))

    def fail(self, unit: str) -> float:
        """Kill the unit's process as a crash would; return when (wall seconds)."""
        eventually(lambda: int(self.machine.show(unit, "MainPID")), 60.0, f"a process of {unit}")
        kill = 'pid=$(systemctl show -P MainPID -- "$1"); date +%s.%N; [ "$pid" != 0 ] && kill -KILL "$pid"'
        return float(self.machine.run("sh", "-c", kill, "sh", unit))

    def starts(self, unit: str) -> int:
        return self.machine.read(f"{STARTS}/{unit}").count("started")

    def await_running(self, previous: int, seconds: float = 60.0) -> int:
        """Return the daemon's new pid once it is ready."""

        def look():
            state = self.machine.show("paramedic", "ActiveState")
            return state == "active" and self.pid() not in {0, previous} and self.pid()

        return eventually(look, seconds, self.journal)

    def journal(self) -> str:
        return self.machine.journal("paramedic")
