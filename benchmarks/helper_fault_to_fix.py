"""Time from SIGKILL of a systemd unit until its port answers again: the direct runner beside the root helper.

Each on a booted systemd host of its own, all guards on, in one run, turn by turn, so that what else the machine does
befalls both. The direct runner is the daemon's own with polkit's leave. The helper is measured while it is up, and
cold: ended before the kill, as after a minute of quiet.

As root, from the top of the tree: .venv/bin/python -m benchmarks.helper_fault_to_fix [KILLS]
"""

import os
import signal
import socket
import statistics
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from tests.host.helped import helped
from tests.host.patient import PARAMEDIC
from tests.services.service import eventually, free_port, pause

UNIT = "bench.service"
SERVICE = """
import os, socket
listener = socket.create_server(("127.0.0.1", {port}))
while True:
    client, _ = listener.accept()
    client.sendall(str(os.getpid()).encode())
    client.close()
"""
LIMIT_SECONDS = 30.0
LOOK_SECONDS = 0.002
REST_LOOKS = 6


def answering(port):
    """Return the pid that answers on the port, 0 while none does."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as client:
            return int(client.recv(32) or 0)
    except OSError:
        return 0


def outside(host, inside):
    """Return the pid, as seen from here, of a process of the host's."""
    space = Path(f"/proc/{host.machine.leader}/ns/pid").readlink()
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            (line,) = (line for line in status.read_text().splitlines() if line.startswith("NSpid:"))
            if line.split()[1:][-1] == str(inside) and (status.parent / "ns/pid").readlink() == space:
                return int(status.parent.name)
        except OSError:
            continue
    raise SystemExit("the service is not to be found")


def kill(host, port):
    """Kill the service; return the seconds until it answers again."""
    before = eventually(lambda: answering(port), LIMIT_SECONDS, host.journal)
    pid = outside(host, before)
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    while answering(port) in {0, before}:
        if time.monotonic() - began > LIMIT_SECONDS:
            raise SystemExit(f"it does not come back:\n{host.journal()[-4000:]}")
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - began


def settled(host):
    """Wait until the incident is over, so that the next kill finds everything at rest."""

    def over():
        return (host.incident(UNIT) or {"state": ""})["state"] == "resolved"

    eventually(over, 60.0, host.journal)


def measured(host, port, *, cold=False):
    """Return the time of one kill; `cold`: the helper was ended a while ago, as after a minute of quiet."""
    if cold:
        host.machine.run("systemctl", "stop", "paramedic-exec.service")
    for _ in range(REST_LOOKS):
        pause()
    took = kill(host, port)
    settled(host)
    return took


@contextmanager
def watched(*options):
    """Boot a host with a service to kill and one way of acting; yield it and the service's port."""
    port = free_port()
    with helped() as host:
        host.configure(lambda text: text.replace("units = [", f'units = ["{UNIT}", '))
        host.machine.write("/opt/bench.py", SERVICE.format(port=port))
        unit = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/usr/bin/python3 -I -S /opt/bench.py\n"
        host.machine.write(f"/etc/systemd/system/{UNIT}", unit)
        host.machine.run("systemctl", "daemon-reload")
        before = host.pid()
        host.machine.run("sh", "-c", f"umask 022; {PARAMEDIC} install {' '.join(options)}")
        host.machine.run("systemctl", "restart", "paramedic")
        host.await_running(before)
        host.machine.run("systemctl", "restart", UNIT)
        eventually(
            lambda: "watching " in host.machine.journal("paramedic").rpartition("Stopped")[2], 60.0, host.journal
        )
        yield host, port


def tell(name, times, base=None):
    middle = statistics.median(times)
    ratio = f"  {middle / base:.2f} x direct" if base else ""
    print(f"{name:12} median {middle:.3f} s  least {min(times):.3f}  most {max(times):.3f}  n={len(times)}{ratio}")
    return middle


def main(kills):
    direct, warm, cold = [], [], []
    with watched("--without-helper") as plain, watched() as guarded:
        for _ in range(kills):
            direct.append(measured(*plain))
            cold.append(measured(*guarded, cold=True))
            warm.append(measured(*guarded))
    base = tell("direct", direct)
    tell("helper", warm, base)
    tell("helper, cold", cold, base)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
