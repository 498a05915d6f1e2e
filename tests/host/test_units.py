"""Services of a real systemd that fail, flap, are given up or stopped by hand: each is told for what it is."""

import re

import pytest

from tests.services.service import eventually

SERVICE = """\
[Unit]
StartLimitIntervalSec={interval}
[Service]
ExecStart=/bin/sh -c '{command}'
{more}
[Install]
WantedBy=multi-user.target
"""
STUBBORN = "trap 'exit 7' TERM; echo listens; while :; do sleep 0.1; done"


@pytest.fixture
def service(patient):
    """Return what starts a service of a test's own; it is gone after the test."""
    made = []

    def make(name, command, *, more="", interval=10, enabled=True):
        unit = f"{name}.service"
        text = SERVICE.format(command=command.replace("'", '"'), more=more, interval=interval)
        patient.machine.write(f"/etc/systemd/system/{unit}", text)
        patient.machine.run("systemctl", "daemon-reload")
        if enabled:
            patient.machine.run("systemctl", "enable", unit)
        patient.machine.outcome("systemctl", "start", unit)
        made.append(unit)
        return unit

    yield make
    for unit in made:
        patient.machine.outcome("systemctl", "disable", "--now", unit)
        patient.machine.outcome("systemctl", "reset-failed", unit)
        (patient.machine.root / "etc/systemd/system" / unit).unlink()
    patient.machine.run("systemctl", "daemon-reload")


def stubborn(patient, service, name):
    """Return a service that is asked to stop and fails; a shell that is asked before it listens just stops."""
    unit = service(name, STUBBORN)
    eventually(lambda: "listens" in patient.machine.journal(unit), 60.0, patient.journal)
    return unit


def cause(patient, unit):
    """Return why the service ended, as the daemon sees it."""
    ended = rf'^paramedic_systemd_service_ended{{cause="(\w+)",name="{re.escape(unit)}"}} 1\b'
    return "".join(re.findall(ended, patient.metrics(), re.MULTILINE))


def await_cause(patient, unit, wanted, seconds=60.0):
    eventually(
        lambda: cause(patient, unit) == wanted, seconds, lambda: f"{unit}: {cause(patient, unit)!r}, not {wanted!r}"
    )


def alerts(patient, unit):
    return {dict(map(tuple, each["labels"]))["alertname"] for each in patient.incidents(unit)}


def test_a_service_that_fails_is_an_incident(patient, service):
    unit = service("fails", "sleep 1; exit 3")
    eventually(lambda: alerts(patient, unit) == {"SystemdUnitFailed"}, 60.0, patient.journal)
    assert cause(patient, unit) == "failure"


def test_a_service_that_is_killed_is_an_incident(patient, service):
    unit = service("killed", "sleep infinity")
    patient.fail(unit)
    eventually(lambda: alerts(patient, unit) == {"SystemdUnitFailed"}, 60.0, patient.journal)
    assert cause(patient, unit) == "failure"


def test_a_service_that_is_stopped_by_hand_stays_stopped(patient, service):
    unit = service("stopped", "sleep infinity")
    patient.machine.run("systemctl", "stop", unit)
    await_cause(patient, unit, "request")
    patient.fail("web.service")
    patient.await_incident("web.service", "resolved")  # what came after has been dealt with
    assert alerts(patient, unit) == set()
    assert patient.machine.show(unit, "ActiveState") == "inactive"
    patient.machine.run("systemctl", "start", unit)
    await_cause(patient, unit, "")


def test_a_service_that_fails_to_stop_well_stays_stopped_even_across_a_restart_of_the_daemon(patient, service):
    unit = stubborn(patient, service, "stubborn")
    patient.machine.run("systemctl", "stop", unit)
    assert patient.machine.show(unit, "ActiveState") == "failed"
    await_cause(patient, unit, "request")
    before = patient.pid()
    patient.machine.run("systemctl", "restart", "paramedic")
    patient.await_running(before)
    patient.await_ready()
    await_cause(patient, unit, "request")
    assert alerts(patient, unit) == set()
    assert patient.machine.show(unit, "ActiveState") == "failed"


def test_a_service_that_is_stopped_while_nobody_listens_stays_stopped(patient, service):
    unit, dead = stubborn(patient, service, "unheard"), service("unheard-dead", "sleep infinity")
    before = patient.pid()
    patient.machine.run("systemctl", "stop", "paramedic")
    patient.machine.run("systemctl", "stop", unit)
    patient.fail(dead)
    patient.machine.run("systemctl", "start", "paramedic")
    patient.await_running(before)
    patient.await_ready()
    eventually(lambda: alerts(patient, dead) == {"SystemdUnitFailed"}, 60.0, patient.journal)
    assert (cause(patient, unit), alerts(patient, unit)) == ("request", set())


def test_a_restart_by_hand_is_no_alert(patient, service):
    unit = service("restarted", "sleep infinity")
    patient.machine.run("systemctl", "restart", unit)
    await_cause(patient, unit, "")
    assert alerts(patient, unit) == set()


def test_a_service_that_exhausts_its_start_limit_is_given_up(patient, service):
    unit = service("tired", "sleep 0.1; exit 1", more="Restart=on-failure\nRestartSec=100ms", interval=60)
    eventually(lambda: alerts(patient, unit) == {"SystemdServiceGivenUp"}, 60.0, lambda: str(alerts(patient, unit)))
    assert cause(patient, unit) == "given_up"
    before = patient.pid()
    patient.machine.run("systemctl", "restart", "paramedic")
    patient.await_running(before)
    patient.await_ready()
    await_cause(patient, unit, "given_up")
    assert alerts(patient, unit) == {"SystemdServiceGivenUp"}


def test_a_service_that_systemd_starts_again_and_again_is_flapping(patient, service):
    unit = service("flaps", "sleep 0.5; exit 1", more="Restart=always\nRestartSec=500ms", interval=0)
    await_cause(patient, unit, "restart")
    eventually(lambda: alerts(patient, unit) == {"SystemdServiceFlapping"}, 60.0, lambda: str(alerts(patient, unit)))
    patient.machine.run("systemctl", "stop", unit)
    await_cause(patient, unit, "request")


def test_a_service_that_waits_for_its_restart_can_be_stopped_by_hand(patient, service):
    unit = service("waits", "exit 1", more="Restart=always\nRestartSec=1h")
    await_cause(patient, unit, "restart")
    patient.machine.run("systemctl", "stop", unit)
    await_cause(patient, unit, "request")
    assert alerts(patient, unit) == set()


def test_an_enabled_service_that_ends_without_an_error_is_an_incident(patient, service):
    unit = service("leaves", "sleep 1")
    eventually(lambda: alerts(patient, unit) == {"SystemdServiceEnded"}, 60.0, patient.journal)
    allowed = service("allowed", "sleep 0.2", enabled=False)
    eventually(lambda: patient.machine.show(allowed, "ActiveState") == "inactive", 60.0, "it goes on")
    assert (cause(patient, allowed), alerts(patient, allowed)) == ("", set())


def test_connections_of_a_socket_are_counted(patient):
    patient.machine.write("/etc/systemd/system/echo.socket", "[Socket]\nListenStream=/run/echo.sock\nAccept=yes\n")
    patient.machine.write("/etc/systemd/system/echo@.service", "[Service]\nExecStart=/bin/cat\nStandardInput=socket\n")
    patient.machine.run("systemctl", "daemon-reload")
    patient.machine.run("systemctl", "start", "echo.socket")
    connect = "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/echo.sock'); s.send(b'x'); s.recv(1)"
    for _ in range(3):
        patient.machine.run("python3", "-c", connect)
    name = 'node_systemd_socket_accepted_connections_total{name="echo.socket"}'
    eventually(lambda: f"{name} 3" in patient.metrics(), 60.0, "three connections are not counted")
    assert 'node_systemd_socket_current_connections{name="echo.socket"}' in patient.metrics()
