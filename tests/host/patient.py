"""A systemd host with paramedic installed as its documentation says, and what a test wants to know of it."""

import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from agent.cli.client import ControlError
from agent.config import toml
from tests.host import wheels
from tests.host.hosted import STARTS, Hosted
from tests.host.machine import Machine, booted
from tests.services.service import Server, eventually, free_port

VENV = "/opt/paramedic/venv"
PARAMEDIC = f"{VENV}/bin/paramedic"
SHARE = VENV + "/lib/python{}/site-packages/agent/share"
CONFIG = "/etc/paramedic/paramedic.toml"
RULES = "/etc/polkit-1/rules.d/50-paramedic.rules"
SLOW = ("slow-killed.service", "slow-restarted.service")
"""Units whose start takes three seconds."""
LISTED = ("web.service", "quick-killed.service", "quick-restarted.service", "still.service", *SLOW)
LATE = "late.service"
"""A unit that a step names literally, in a remediation that only observes."""
STRANGER = "stranger.service"
"""A unit that nobody listed."""
SCRIPTED = "scripted.service"
"""A unit that a script is to mend."""

UNIT = """\
[Service]
Restart=no
ExecStartPre=/bin/sh -c 'echo started >> {starts}/%n; sleep {seconds}'
ExecStart=/bin/sleep infinity
"""
SETTINGS = """\
[web]
listen = "127.0.0.1:{port}"
[incidents]
settle = "0s"
[guards]
units = {units}
actions_per_hour = 1000
operator_idle = "0s"
lock_files = []
script_dirs = ["/etc/paramedic/scripts"]
[[tickets]]
system = "rt"
url = "{rt_url}"
user = "{rt_user}"
password_file = "${{CREDENTIALS_DIRECTORY}}/rt"
[[remediations]]
name = "by-script"
match = ['alertname="SystemdUnitFailed"', 'name="scripted.service"']
mode = "auto"
steps = [{{ action = "run_script", script = "mend.sh" }}]
{limits}
[[remediations]]
name = "late"
match = ['alertname="SystemdUnitFailed"', 'name="late.service"']
mode = "observe"
steps = [{{ action = "restart_unit", unit = "late.service" }}]
{limits}
[[remediations]]
name = "restart"
match = ['alertname="SystemdUnitFailed"']
mode = "auto"
steps = [{{ action = "restart_unit", unit = "{{{{ $labels.name }}}}" }}]
{limits}
"""
LIMITS = """\
verify = { hold = "2s", timeout = "45s" }
limits = { attempts = 50, runs = 1000, cooldown = "0s" }"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient(Hosted):
    """The host, its daemon, and the ticket system that the daemon writes to."""

    rt: Server

    def engine_thread(self) -> int:
        """Return the thread id, as seen from here, of the daemon's engine: the first that it starts."""
        inside = str(self.pid())
        for status in Path("/proc").glob("[0-9]*/status"):
            with suppress(OSError):
                spaces = re.search(r"^NSpid:(.*)$", status.read_text(), re.MULTILINE)
                if spaces and spaces[1].split()[1:] == [inside] and self._is_mine(status.parent):
                    return sorted(int(task.name) for task in (status.parent / "task").iterdir())[1]
        return pytest.fail("the daemon is not to be found from outside")

    def _is_mine(self, process: Path) -> bool:
        return (process / "ns/pid").readlink() == Path(f"/proc/{self.machine.leader}/ns/pid").readlink()

    def incidents(self, unit: str) -> list[dict]:
        """Return the incidents of a unit, newest first; none while the daemon cannot be asked."""
        with suppress(ControlError):
            found = self.client.get("incidents", state="", limit=200)
            return [each for each in found if ["name", unit] in [list(pair) for pair in each["labels"]]]
        return []

    def await_incident(self, unit: str, state: str, seconds: float = 60.0) -> dict:
        """Return the unit's newest incident once it is in this state, with everything that was done."""

        def look():
            return next((each for each in self.incidents(unit) if each["state"] == state), None)

        found = eventually(look, seconds, lambda: f"{unit} {state}: {self.incidents(unit)}\n{self.journal()}")
        return self.client.get("incidents", found["id"])

    def tickets(self, unit: str) -> list[dict]:
        """Return every ticket about the unit that Request Tracker has."""
        query = {"query": f"Queue = 'General' AND Subject LIKE '{unit}'", "fields": "Subject,Status"}
        account = (self.rt.user, self.rt.password)
        answer = requests.get(f"{self.rt.url}/REST/2.0/tickets", params=query, auth=account, timeout=60)
        answer.raise_for_status()
        return answer.json()["items"]

    def await_closed_ticket(self, unit: str) -> None:
        """Return once there is one ticket about the unit, and it is resolved; fail if there are more."""
        eventually(lambda: [each["Status"] for each in self.tickets(unit)] == ["resolved"], 60.0, self.journal)

    def await_ready(self) -> None:
        """Return once every collector has been run."""

        def look():
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=60).close()
                return True
            return False

        eventually(look, 60.0, self.journal)

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as answer:
            return answer.read().decode()

    def metric(self, name: str) -> float:
        (line,) = re.findall(rf"^{re.escape(name)} (\S+)$", self.metrics(), re.MULTILINE)
        return float(line)

    def configure(self, change=lambda text: text) -> None:
        """Write the configuration, changed by the test, or as it was."""
        units = toml.render([*LISTED, "ghost.service"])
        rt = {"rt_url": self.rt.url, "rt_user": self.rt.user}
        self.machine.write(CONFIG, change(SETTINGS.format(port=self.port, units=units, limits=LIMITS, **rt)))


@contextmanager
def installed(rt: Server) -> Iterator[Patient]:
    """Boot a host, install paramedic into it from its wheel, and start the service."""
    with booted() as machine:
        install_program(machine)
        _install_service(machine)
        patient = Patient(machine=machine, port=free_port(), rt=rt)
        patient.configure()
        _install_units(machine)
        machine.write("/etc/paramedic/credentials/rt", f"{rt.password}\n", 0o600)
        credential = "[Service]\nLoadCredential=rt:/etc/paramedic/credentials/rt\n"
        machine.write("/etc/systemd/system/paramedic.service.d/credentials.conf", credential)
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "start", *LISTED, LATE, STRANGER, SCRIPTED)
        machine.outcome("sh", "-c", f"umask 022; {PARAMEDIC} polkit > {RULES}")
        if machine.outcome("systemctl", "enable", "--now", "paramedic").returncode:
            pytest.fail(patient.journal())
        patient.await_ready()
        yield patient


def install_program(machine: Machine) -> None:
    """Make a venv with the host's own Python and install the wheels into it, as pip does offline."""
    wheel = wheels.built()
    place = machine.root / "opt/wheels"
    place.mkdir(parents=True)
    for each in (wheel, *wheels.dependencies(machine.python()).iterdir()):
        (place / each.name).write_bytes(each.read_bytes())
    (pip,) = place.glob("pip-*.whl")
    machine.run("python3", "-m", "venv", "--without-pip", VENV)
    install = ("install", "--quiet", "--no-index", "--find-links=/opt/wheels", "--root-user-action=ignore")
    machine.run(f"{VENV}/bin/python", f"/opt/wheels/{pip.name}/pip", *install, f"/opt/wheels/{wheel.name}", timeout=120)


def _install_service(machine: Machine) -> None:
    """Put the files of the wheel where systemd/README.md says."""
    for source, target in (
        ("paramedic.service", "/etc/systemd/system/paramedic.service"),
        ("sysusers.d/paramedic.conf", "/etc/sysusers.d/paramedic.conf"),
        ("tmpfiles.d/paramedic.conf", "/etc/tmpfiles.d/paramedic.conf"),
    ):
        machine.run("install", "-Dm644", f"{SHARE.format(machine.python())}/systemd/{source}", target)
    machine.run("systemd-sysusers", "paramedic.conf")
    machine.run("systemd-tmpfiles", "--create", "paramedic.conf")


def _install_units(machine: Machine) -> None:
    for unit in (*LISTED, LATE, STRANGER, SCRIPTED):
        seconds = 3 if unit in SLOW else 0
        machine.write(f"/etc/systemd/system/{unit}", UNIT.format(starts=STARTS, seconds=seconds))
    machine.write("/etc/paramedic/scripts/mend.sh", "#!/bin/sh\ntouch /run/mended\n", 0o755)
    (machine.root / STARTS.lstrip("/")).mkdir()
