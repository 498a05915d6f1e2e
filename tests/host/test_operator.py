"""Whoever is at work on a real host is left alone: a package manager, a login on a terminal, one on the console."""

import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.host.helped import Helped
from tests.services.service import eventually

UNIT = "attended.service"
SLOW = """\
set -e
mkdir -p /opt/slow/DEBIAN
cat > /opt/slow/DEBIAN/control << END
Package: slow
Version: 1
Architecture: all
Maintainer: a <a@b>
Description: slow
END
printf '#!/bin/sh\\nwhile [ -e /run/installing ]; do sleep 0.1; done\\n' > /opt/slow/DEBIAN/postinst
chmod 755 /opt/slow/DEBIAN/postinst
dpkg-deb --build /opt/slow /opt/slow.deb
touch /run/installing
systemd-run --unit=installing dpkg --install /opt/slow.deb
"""


@contextmanager
def installing(host: Helped) -> Iterator[str]:
    """Have dpkg at work on a package that takes its time."""
    host.machine.run("sh", "-c", SLOW)
    eventually(lambda: "postinst" in host.processes(), 60.0, host.processes)
    yield "/var/lib/dpkg/lock-frontend is locked"
    host.machine.run("rm", "/run/installing")


@contextmanager
def logged_in(host: Helped) -> Iterator[str]:
    """Log in on a terminal of the host, and type something."""
    enter = (
        "nsenter",
        f"--target={host.machine.leader}",
        "--all",
        "--",
        "script",
        "-qfc",
        "login -f root",
        "/dev/null",
    )
    with subprocess.Popen(enter, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as login:
        assert login.stdin

        def typed() -> bool:  # what is typed before there is a shell may be thrown away
            login.stdin.write(b"echo somebody > /run/typed\n")
            login.stdin.flush()
            return host.machine.outcome("test", "-s", "/run/typed").returncode == 0

        eventually(typed, 60.0, host.processes)
        recorded = host.machine.outcome("sh", "-c", "test -s /run/utmp || ls /run/systemd/sessions | grep -q .")
        if recorded.returncode:
            login.stdin.close()
            pytest.skip("nothing on this host records who is logged in: it has neither utmp nor logind's PAM module")
        yield "root on pts/"
        login.stdin.write(b"exit\n")
        login.stdin.close()


@contextmanager
def on_the_console(host: Helped) -> Iterator[str]:
    """Stand for a login on a virtual console, of which the host has none: its device and its record."""
    record = struct.pack("hi32s4s32s", 7, 1, b"tty9", b"tty9", b"ann")
    utmp = f"/proc/{host.machine.leader}/root/run/utmp"
    host.machine.run("mknod", "/dev/tty9", "c", "4", "9")
    with open(utmp, "ab") as file:  # noqa: PTH123
        file.write(record + bytes(384 - len(record)))
    yield "ann on tty9"
    host.machine.run("sh", "-c", "rm /dev/tty9; : > /run/utmp")


@pytest.mark.parametrize("at_work", [installing, logged_in, on_the_console])
def test_a_repair_waits_for_whoever_is_at_work_on_the_host(host: Helped, at_work):
    before = host.starts(UNIT)
    with at_work(host) as who:
        host.fail(UNIT)
        eventually(lambda: (host.incident(UNIT) or {}).get("refusals"), 60.0, host.journal)
        held = host.await_incident(UNIT, "open")
        assert [each.startswith(f"operator: somebody is at work here: {who}") for each in held["refusals"]] == [True]
        assert host.starts(UNIT) == before
    incident = host.await_incident(UNIT, "resolved")
    assert incident["resolution"] == "fixed"
    assert host.starts(UNIT) == before + 1
