"""Crowds at the door: slow clients make room for others, and those who hurry are told to slow down."""

import asyncio
import hashlib
import os
import socket
import statistics
import threading
import time
from contextlib import ExitStack, suppress

import pytest

from agent.web import door
from agent.web.access import EVERY_SCOPE, Access, AccessError, Need, Token, tcp_peer
from agent.web.rates import Rates
from collectors.sample import Reading, Sample, Source
from tests.agent.web.daemon import running
from tests.services.service import eventually

SLOW = 500
HONEST = 200
BODY = b"POST /control/stop HTTP/1.1\r\nHost: a\r\nauthorization: Bearer right-token\r\ncontent-length: 9\r\n\r\n{"
HEAD = b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n"


def connect(daemon):
    client = socket.create_connection(daemon.address, timeout=60)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def seconds_of_an_honest_request(daemon):
    began = time.perf_counter()
    eventually(lambda: comes_and_is_answered(daemon), what="an answer; one shown out for being slow has come again")
    return time.perf_counter() - began


def comes_and_is_answered(daemon):
    with connect(daemon) as client:
        return is_answered(client)


def is_answered(client):
    received = b""
    with suppress(ConnectionError):
        client.sendall(HEAD + b"\r\n")
        while b"healthy.\n" not in received and (came := client.recv(4096)):
            received += came
    return received.startswith(b"HTTP/1.1 200 ") and received.endswith(b"healthy.\n")


class Crowd(threading.Thread):
    """Keeps many heads unfinished: those that are cut off come again."""

    def __init__(self, daemon):
        super().__init__()
        self._daemon = daemon
        self._clients = [None] * SLOW
        self.stop = threading.Event()
        self.everybody_came = threading.Event()

    def run(self):
        while not self.stop.is_set():
            for number in range(SLOW):
                if not self.stop.is_set():
                    self._one_more_line(number)
            self.everybody_came.set()
        self._leave(range(SLOW))

    def _one_more_line(self, number):
        try:
            if self._clients[number] is None:
                self._clients[number] = connect(self._daemon)
                self._clients[number].sendall(HEAD)
            self._clients[number].sendall(b"x: y\r\n")
        except OSError:
            self._leave([number])

    def _leave(self, numbers):
        for number in numbers:
            if self._clients[number] is not None:
                self._clients[number].close()
                self._clients[number] = None


def test_five_hundred_slow_clients_keep_no_honest_one_out(tmp_path, record_property):
    with running(tmp_path) as daemon, ExitStack() as stack:
        crowd = Crowd(daemon)
        crowd.start()
        stack.callback(crowd.join, 120)
        stack.callback(crowd.stop.set)
        assert crowd.everybody_came.wait(120)
        seconds = [seconds_of_an_honest_request(daemon) for _ in range(HONEST)]
        inside = len(daemon.server._running[0][0]._door._inside)
    # How long it takes depends on who else uses the machine: it is judged in `make soak`, which has one to itself.
    p99 = statistics.quantiles(seconds, n=100)[98]
    record_property(f"p99 of an honest request beside {SLOW} slow clients", f"{1000 * p99:.0f} ms")
    assert p99 < 0.1 or "JUDGE_SECONDS" not in os.environ
    assert inside <= door.MAX_PER_ADDRESS


def test_clients_that_wait_for_us_are_not_shown_out_and_one_too_many_is_turned_away(tmp_path, monkeypatch):
    monkeypatch.setattr(door, "MAX_PER_ADDRESS", 2)
    request = b"POST /control/reload HTTP/1.1\r\nHost: a\r\nauthorization: Bearer right-token\r\n\r\n"
    with running(tmp_path) as daemon:
        daemon.backend.hold.clear()
        waiting = [connect(daemon) for _ in range(2)]
        for client in waiting:
            client.sendall(request)
        places = daemon.server._caller._places
        eventually(lambda: places._value <= 30)
        with connect(daemon) as third:
            assert third.recv(10) == b""
        assert daemon.unix("GET", "/-/healthy").status == 200, "the socket has a door of its own"
        daemon.backend.hold.set()
        assert all(client.recv(4096).startswith(b"HTTP/1.1 200 ") for client in waiting)
        for client in waiting:
            client.close()


@pytest.mark.parametrize("unfinished", [b"", HEAD, BODY])
def test_whoever_keeps_us_waiting_longest_makes_room(tmp_path, monkeypatch, unfinished):
    monkeypatch.setattr(door, "MAX_CONNECTIONS", 2)
    with running(tmp_path) as daemon, connect(daemon) as slow, connect(daemon) as other:
        slow.sendall(unfinished)
        assert is_answered(other)
        assert comes_and_is_answered(daemon)
        with suppress(ConnectionResetError):
            assert slow.recv(10) == b""
        assert is_answered(other)


def test_whoever_does_not_read_its_answer_makes_room(tmp_path, monkeypatch):
    monkeypatch.setattr(door, "MAX_CONNECTIONS", 1)
    many = [Sample("crowd", 1.0, (("n", f"{number:0100}"),)) for number in range(50_000)]
    with running(tmp_path) as daemon, socket.socket() as deaf:
        daemon.backend.store.append(Reading(source=Source("crowd"), at=time.time(), samples=many))
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(daemon.address)
        deaf.sendall(2 * b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        assert deaf.recv(9) == b"HTTP/1.1 "
        with connect(daemon) as other:
            is_answered(other)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_an_address_that_asks_too_often_is_told_when_to_come_again():
    clock = Clock()
    rates = Rates(2, clock)
    assert [rates.wait("a") for _ in range(20)] == [0] * 20
    assert rates.wait("a") == 1
    assert rates.wait("b") == 0
    clock.now += 0.5
    assert (rates.wait("a"), rates.wait("a")) == (0, 1)
    clock.now += 1000
    assert [rates.wait("a") for _ in range(20)] == [0] * 20


def test_whoever_asks_from_many_addresses_with_one_token_is_slowed_down():
    token = Token(name="farm", scopes=EVERY_SCOPE, sha256=hashlib.sha256(b"secret").hexdigest())
    access = Access(tokens=[token], rates=Rates(1, Clock()))

    async def ask():
        for number in range(100):
            await access.admit(Need.READ, tcp_peer(f"192.0.2.{number}"), "Bearer secret")

    with pytest.raises(AccessError, match="too many requests"):
        asyncio.run(ask())


def test_others_are_slowed_down_and_loopback_is_not():
    access = Access(rates=Rates(1, Clock()))

    async def ask(address, times):
        for _ in range(times):
            await access.admit(Need.NOTHING, tcp_peer(address), "")

    asyncio.run(ask("127.0.0.1", 100))
    with pytest.raises(AccessError, match="too many requests") as caught:
        asyncio.run(ask("192.0.2.1", 100))
    assert (caught.value.status, caught.value.headers) == (429, {"retry-after": "1"})
