"""A systemd host on which `paramedic install` has set up everything, the root helper too; and what to break there."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest

from agent.cli.client import ControlError
from tests.host.hosted import STARTS, Hosted
from tests.host.machine import SUITE, booted
from tests.host.patient import CONFIG, PARAMEDIC, UNIT, install_program
from tests.services.service import eventually, free_port

SOCKET = "/run/paramedic-exec.sock"
RUNS = "/var/lib/paramedic-exec/runs"
ACTIONS = "/etc/paramedic/actions.d"
UNITS = ("web.service", "spoilt.service", "scripted.service", "crashed.service", "stopped.service", "attended.service")
SETTINGS = """\
[web]
listen = "127.0.0.1:{port}"
[incidents]
settle = "0s"
[guards]
units = ["web.service", "spoilt.service", "attended.service"]
actions_per_hour = 1000
script_dirs = ["/etc/paramedic/scripts"]
[[remediations]]
name = "by-script"
match = ['alertname="SystemdUnitFailed"', 'name=~"(scripted|crashed|stopped).service"']
mode = "auto"
{limits}
[[remediations.steps]]
action = "run_script"
script = "mend.sh"
arguments = ["{{{{ $labels.name }}}}"]
user = "root"
timeout = "20s"
[[remediations]]
name = "restart"
match = ['alertname="SystemdUnitFailed"']
mode = "auto"
steps = [{{ action = "restart_unit", unit = "{{{{ $labels.name }}}}" }}]
{limits}
"""
LIMITS = """\
verify = { hold = "1s", timeout = "45s" }
limits = { attempts = 50, runs = 1000, cooldown = "0s" }"""
MEND = """\
#!/bin/sh
echo "mending $1 as $(id -un)"
[ "$1" = scripted.service ] || sleep 2
systemctl restart -- "$1"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Helped(Hosted):
    """The host, its daemon and the root helper."""

    def uid(self) -> int:
        return int(self.machine.run("id", "--user", "paramedic"))

    def helper_pid(self) -> int:
        return int(self.machine.show("paramedic-exec.service", "MainPID"))

    def incident(self, unit: str) -> dict | None:
        """Return the newest incident of the unit; None while there is none, or the daemon cannot be asked."""
        with suppress(ControlError):
            for each in self.client.get("incidents", state="", limit=100):
                named = ["name", unit] in [list(pair) for pair in each["labels"]]
                if named and each["alertname"] == "SystemdUnitFailed":
                    return self.client.get("incidents", each["id"])
        return None

    def await_incident(self, unit: str, state: str, seconds: float = 60.0) -> dict:
        def look():
            found = self.incident(unit)
            return found if found and found["state"] == state else None

        return eventually(look, seconds, lambda: f"{unit} {state}: {self.incident(unit)}\n{self.journal()}")

    def await_calm(self) -> None:
        """Return once nothing serious goes on: what others broke is forgotten, and so is what failed at boot."""
        self.machine.run("systemctl", "reset-failed")

        def look():
            with suppress(ControlError):
                return not [
                    each["id"]
                    for each in self.client.get("incidents", state="active", limit=200)
                    if each["priority"] == "P1"
                ]

        eventually(look, 60.0, self.journal)

    def journal(self) -> str:
        names = ("paramedic", "paramedic-exec.service", "paramedic-exec.socket", "paramedic-run-*")
        return "\n".join(self.machine.journal(name) for name in names)

    def ask(self, request: dict, *, uid: int | None = None) -> dict:
        """Ask the helper as the daemon's account, from inside of the host."""
        return json.loads(self.send(json.dumps(request) + "\n", uid=uid))

    def send(self, text: str, *, uid: int | None = None) -> str:
        code = (
            "import socket,sys\n"
            f"s=socket.socket(socket.AF_UNIX);s.settimeout(60);s.connect({SOCKET!r})\n"
            "try:\n"
            " s.sendall(sys.argv[1].encode());s.shutdown(1)\n"
            " while c:=s.recv(65536): sys.stdout.buffer.write(c)\n"
            "except (BrokenPipeError, ConnectionResetError): pass\n"
        )
        uid = self.uid() if uid is None else uid
        argv = ("setpriv", f"--reuid={uid}", "--clear-groups", f"--regid={uid}", "python3", "-I", "-c", code, text)
        return self.machine.run(*argv)

    def await_finished(self, run_id: str, seconds: float = 60.0) -> dict:
        def look():
            answer = self.ask({"op": "status", "run": run_id})
            return answer if answer["answer"] == "finished" else None

        return eventually(look, seconds, self.journal)

    def allow(self, name: str, text: str, mode: int = 0o644) -> None:
        """Put a policy of the administrator's there."""
        self.machine.write(f"{ACTIONS}/{name}.toml", text, mode)

    def configure(self, change=lambda text: text) -> None:
        self.machine.write(CONFIG, change(SETTINGS.format(port=self.port, limits=LIMITS)))

    def processes(self) -> str:
        return self.machine.run("ps", "-eo", "user:20,pid,args")


@contextmanager
def helped(suite: str = SUITE) -> Iterator[Helped]:
    """Boot a host, install paramedic from its wheel, and let it set itself up."""
    with booted(suite) as machine:
        install_program(machine)
        found = Helped(machine=machine, port=free_port())
        found.configure()
        machine.write("/etc/paramedic/scripts/mend.sh", MEND, 0o755)
        for unit in UNITS:
            machine.write(f"/etc/systemd/system/{unit}", UNIT.format(starts=STARTS, seconds=0))
        (machine.root / STARTS.lstrip("/")).mkdir()
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "start", *UNITS)
        done = machine.outcome(PARAMEDIC, "install", timeout=120)
        if done.returncode:
            pytest.fail(f"{done.stdout}\n{found.journal()}")
        eventually(lambda: re.search(r"watching ", machine.journal("paramedic")), 60.0, found.journal)
        yield found
