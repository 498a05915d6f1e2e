"""The words that systemd hears."""

import os
import socket
import time

import pytest

from agent.sdnotify import Notifier


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path):
    name = str(tmp_path / "notify") if request.param == "path" else f"@paramedic-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.settimeout(60)
        channel.bind(name.replace("@", "\0", 1))
        yield Notifier({"NOTIFY_SOCKET": name}), channel


def test_readiness_and_status_are_one_datagram(systemd):
    notifier, channel = systemd
    notifier.ready("watching 7 services")
    assert channel.recv(4096) == b"READY=1\nSTATUS=watching 7 services"


def test_a_line_end_in_a_status_starts_no_other_state(systemd):
    notifier, channel = systemd
    notifier.status("all well\nMAINPID=1")
    assert channel.recv(4096) == b"STATUS=all well MAINPID=1"


def test_a_reload_carries_the_monotonic_time(systemd):
    notifier, channel = systemd
    before = time.monotonic_ns() // 1000
    notifier.reloading()
    state, stamp = channel.recv(4096).decode().splitlines()
    assert state == "RELOADING=1"
    assert before <= int(stamp.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000


def test_watchdog_and_stop_are_said(systemd):
    notifier, channel = systemd
    notifier.watchdog()
    notifier.stopping()
    assert [channel.recv(4096), channel.recv(4096)] == [b"WATCHDOG=1", b"STOPPING=1"]


def test_without_a_socket_nothing_happens():
    Notifier({}).ready("hello")


def test_a_socket_that_is_gone_stops_nothing(tmp_path):
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).watchdog()


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid() + 1)}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_at_half_its_time(environment, seconds):
    assert Notifier(environment).watchdog_seconds == seconds
