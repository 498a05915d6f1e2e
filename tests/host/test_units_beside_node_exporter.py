"""The daemon's series of systemd units beside those of a real node_exporter on the same host."""

import shutil
import urllib.error
import urllib.request
from contextlib import suppress

import pytest

from collectors import systemd_units
from collectors.exposition import Exposition, parse
from tests.services.service import eventually, free_port, need

EXPORTER = "/usr/local/bin/node_exporter"
NAMES = {metric.name for metric in systemd_units.SPEC.metrics if metric.name.startswith("node_")}
FLAPS = """\
[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/bin/sh -c 'test -e /run/calm || exit 3; sleep infinity'
Restart=always
RestartSec=100ms
"""
SOCKET = "[Socket]\nListenStream=/run/beside.sock\nAccept=yes\n"
ANSWERS = "[Service]\nExecStart=/bin/sleep 3600\nStandardInput=socket\n"


@pytest.fixture
def address(patient):
    """Where node_exporter answers; it runs in the host and takes the units that we take."""
    machine = patient.machine
    shutil.copy(need("prometheus-node-exporter", "prometheus-node-exporter"), machine.root / EXPORTER.lstrip("/"))
    options = systemd_units.UnitOptions()
    address = f"127.0.0.1:{free_port()}"
    machine.run(
        *("systemd-run", "--unit=exporter.service", EXPORTER, f"--web.listen-address={address}"),
        *("--collector.disable-defaults", "--collector.systemd", "--collector.systemd.enable-restarts-metrics"),
        f"--collector.systemd.unit-include={options.unit_include}",
        f"--collector.systemd.unit-exclude={options.unit_exclude}",
    )
    yield address
    machine.run("systemctl", "stop", "exporter.service")
    (machine.root / EXPORTER.lstrip("/")).unlink()


@pytest.fixture
def busy(patient):
    """A service that was restarted a few times, and a socket with one open connection of three."""
    machine = patient.machine
    units = {"flaps.service": FLAPS, "beside.socket": SOCKET, "beside@.service": ANSWERS}
    for name, text in units.items():
        machine.write(f"/etc/systemd/system/{name}", text)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "--no-block", "flaps.service")
    machine.run("systemctl", "start", "beside.socket")
    connect = "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/beside.sock')"
    for _ in range(3):
        machine.run("python3", "-c", connect)
    eventually(lambda: int(machine.show("flaps.service", "NRestarts")) >= 2, 60.0, "flaps.service was not restarted")
    machine.write("/run/calm", "")
    machine.run("touch", "/run/calm")
    yield
    machine.outcome("systemctl", "stop", "flaps.service", "beside.socket", "beside@*.service")
    machine.run("rm", "-f", "/run/calm")
    for name in units:
        (machine.root / "etc/systemd/system" / name).unlink()
    machine.run("systemctl", "daemon-reload")
    machine.outcome("systemctl", "reset-failed")


def series(exposition: Exposition):
    # A label without a value is none.
    return {
        (one.name, tuple(pair for pair in one.labels if pair[1])): one.value
        for one in exposition.samples
        if one.name in NAMES
    }


def exported(address) -> Exposition:
    with suppress(urllib.error.URLError), urllib.request.urlopen(f"http://{address}/metrics", timeout=60) as answer:
        return parse(answer.read().decode())
    return parse("")


@pytest.mark.usefixtures("busy")
def test_units_are_told_of_the_same(patient, address):
    def differing():
        ours, theirs = series(parse(patient.metrics())), series(exported(address))
        assert {name for name, _ in ours} == NAMES
        return ours.items() ^ theirs.items()

    eventually(lambda: not differing(), 60.0, lambda: f"the same series: {sorted(differing())}")
    theirs = exported(address)
    counted = series(theirs)
    assert len(counted) > 200
    assert counted["node_systemd_socket_accepted_connections_total", (("name", "beside.socket"),)] == 3
    assert counted["node_systemd_service_restart_total", (("name", "flaps.service"),)] >= 2
    assert {metric for metric in theirs.metrics if metric.name in NAMES} == {
        metric for metric in systemd_units.SPEC.metrics if metric.name in NAMES
    }
