"""A restart of the host that a person has approved: asked for through the helper, judged by the boot that follows."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.host.helped import Helped, helped
from tests.host.patient import PARAMEDIC

BOOT_ID = "/proc/sys/kernel/random/boot_id"
STUCK = """\
[Service]
ExecStart=/bin/false
"""
SEEING = """\
[Service]
PrivateTmp=no
PrivateDevices=no
PrivateMounts=no
ProtectSystem=no
ProtectHome=no
ProtectClock=no
ProtectHostname=no
ProtectControlGroups=no
ProtectKernelTunables=no
ProtectKernelLogs=no
ProtectKernelModules=no
ReadOnlyPaths=
InaccessiblePaths=
"""
REBOOT = """\
[approvals]
approvers = ["cli:root"]
[[remediations]]
name = "reboot"
match = ['alertname="SystemdUnitFailed"', 'name="stuck.service"']
mode = "auto"
steps = [{ action = "reboot_host", timeout = "60s" }]
verify = { hold = "1s", timeout = "5m" }
"""


@pytest.fixture
def own_host() -> Iterator[Helped]:
    """A host of its own: the others' must not go away under them."""
    with helped() as host:
        host.configure(lambda text: text.replace("[[remediations]]", f"{REBOOT}[[remediations]]", 1))
        host.machine.write("/etc/systemd/system/stuck.service", STUCK)
        # A container's boot id lies over the kernel's in /proc; a service with mounts of its own gets a fresh /proc.
        host.machine.write("/etc/systemd/system/paramedic.service.d/boot.conf", SEEING)
        host.machine.run("systemctl", "daemon-reload")
        host.machine.run(PARAMEDIC, "install", timeout=120)
        host.machine.run("systemctl", "restart", "paramedic")
        yield host


def test_an_approved_restart_of_the_host_is_verified_on_the_next_boot_and_not_repeated(own_host: Helped):
    host = own_host
    boot = host.machine.run("cat", BOOT_ID)
    host.machine.outcome("systemctl", "start", "stuck.service")
    incident = host.await_incident("stuck.service", "awaiting_approval")
    assert incident["awaiting"]["argv"][:3] == ["/usr/bin/python3", "-I", "-S"]
    planned = host.machine.json(PARAMEDIC, "remediation", "plan", "reboot", "--label", "name=stuck.service", "--json")
    assert planned["steps"][0]["run"]["by"] == "helper"
    host.machine.run(PARAMEDIC, "incident", "approve", incident["id"])

    host = replace(host, machine=host.machine.restarted())

    assert host.machine.run("cat", BOOT_ID) != boot
    incident = host.await_incident("stuck.service", "resolved", 120.0)
    (attempt,) = incident["attempts"]
    assert (attempt["outcome"], attempt["detail"]) == ("succeeded", "the host has restarted")
    assert (incident["resolution"], attempt["approval"]["by"]) == ("fixed", "root")
