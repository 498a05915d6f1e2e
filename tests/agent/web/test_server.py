"""The server's life: addresses that are taken, stale sockets, slow clients, its end."""

import asyncio
import gzip
import socket
import stat
import subprocess
import sys
import threading
import tracemalloc

import pytest
from starlette.requests import Request

from agent.clock import SystemClock
from agent.web import caller, control, listening, request, serving
from agent.web.access import Access
from agent.web.exposition import Exposition
from agent.web.listening import ListenError
from agent.web.loop import LoopThread
from agent.web.server import Listeners, WebServer
from tests.agent.web.daemon import TOKEN, Backend, running
from tests.services.service import eventually

BEARER = f"Bearer {TOKEN}"


def connected(daemon):
    client = socket.create_connection(daemon.address, timeout=60)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def test_a_taken_port_is_named_with_its_setting_and_nothing_stays_open(tmp_path):

    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        free = f"127.0.0.1:{probe.getsockname()[1]}"
        probe.close()
        server = WebServer(
            listeners=Listeners(listen=free, metrics_listen=address, control_socket=tmp_path / "s"),
            access=Access(),
            backend=Backend(),
            exposition=Exposition(catalog=()),
            clock=SystemClock(),
        )
        thread = LoopThread()
        with pytest.raises(ListenError, match=rf"{address} \(\[web\] metrics_listen\): Address already in use"):
            server.start(thread)
        thread.close()
        listening.tcp(free, "x").close()
        assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("address", ["8911", "localhost:", "localhost:http", "localhost:70000", "[::1]"])
def test_an_odd_address_is_refused_in_words(address):
    with pytest.raises(ListenError, match="is not host:port"):
        listening.tcp(address, "[web] listen")


def test_an_unknown_host_is_refused_in_words():
    with pytest.raises(ListenError, match=r"cannot listen on 192\.0\.2\.1:0 \(\[web\] listen\)"):
        listening.tcp("192.0.2.1:0", "[web] listen")


def test_ipv6_addresses_are_understood():
    with listening.tcp("[::1]:0", "[web] listen") as listener:
        assert listener.family == socket.AF_INET6


def test_the_control_socket_is_for_its_group_only(tmp_path):
    with running(tmp_path) as daemon:
        assert stat.S_IMODE(daemon.path.stat().st_mode) == 0o660
    assert list(tmp_path.glob("*.sock*")) == []


def test_a_stale_socket_file_is_replaced(tmp_path):
    path = tmp_path / "paramedic.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with running(tmp_path) as daemon:
        assert daemon.unix("GET", "/-/healthy").status == 200


def test_a_socket_that_answers_is_left_alone(tmp_path):
    with running(tmp_path) as daemon:
        with pytest.raises(ListenError, match="another daemon answers there"):
            listening.unix(daemon.path)
        assert daemon.unix("GET", "/-/healthy").status == 200


def test_a_file_that_is_no_socket_is_left_alone(tmp_path):
    path = tmp_path / "paramedic.sock"
    path.write_text("precious")
    with pytest.raises(ListenError, match="no socket"):
        listening.unix(path)
    assert path.read_text() == "precious"


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ListenError, match="No such file"):
        listening.unix(tmp_path / "none" / "s")


def test_a_client_that_never_finishes_its_head_is_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "HEADER_SECONDS", 0.2)
    with running(tmp_path) as daemon, connected(daemon) as client:
        client.sendall(b"GET /-/healthy HTTP/1.1\r\nHost:")
        assert ended(client)


def test_a_client_that_stalls_after_its_first_request_is_cut_off(tmp_path, monkeypatch):
    with running(tmp_path) as daemon, connected(daemon) as client:
        client.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n")
        received = b""
        while b"healthy" not in received:
            received += client.recv(4096)
            assert received
        monkeypatch.setattr(serving, "HEADER_SECONDS", 0.2)
        client.sendall(b"GET /-/heal")
        assert ended(client)


def test_a_client_that_asks_nothing_more_is_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "KEEP_ALIVE_SECONDS", 0.2)
    with running(tmp_path) as daemon, connected(daemon) as client:
        client.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n")
        received = b""
        while b"healthy" not in received:
            received += client.recv(4096)
        assert ended(client)


def test_a_body_that_does_not_arrive_is_408(tmp_path, monkeypatch):
    monkeypatch.setattr(request, "BODY_SECONDS", 0.2)
    with running(tmp_path, open_ingest=True) as daemon, connected(daemon) as client:
        client.sendall(
            b"POST /api/v2/alerts HTTP/1.1\r\nHost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n["
        )
        assert b" 408 " in client.recv(4096)


def test_an_exchange_that_takes_too_long_is_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "EXCHANGE_SECONDS", 0.3)
    with running(tmp_path, open_ingest=True) as daemon, connected(daemon) as client:
        daemon.backend.hold.clear()
        client.sendall(
            b"POST /api/v2/alerts HTTP/1.1\r\nHost: a\r\ncontent-type: application/json\r\ncontent-length: 37\r\n\r\n"
            b'[{"labels": {"alertname": "Down"}  }]'
        )
        assert ended(client)


def ended(client):
    try:
        return client.recv(4096) == b""
    except ConnectionResetError:
        return True


def test_a_head_that_is_too_large_is_refused(tmp_path):
    with running(tmp_path) as daemon, connected(daemon) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nx: " + b"a" * 100_000)
        assert client.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_garbage_is_400_and_the_daemon_goes_on(tmp_path):
    with running(tmp_path) as daemon:
        with connected(daemon) as client:
            client.sendall(b"\x00\xff garbage\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 400 ")
        assert daemon.tcp("GET", "/-/healthy").status == 200


def test_a_stuck_engine_leaves_health_and_metrics_alone_and_is_busy_for_the_rest(tmp_path, monkeypatch):
    monkeypatch.setattr(caller, "MAX_WAITING", 2)
    with running(tmp_path) as daemon:
        daemon.backend.hold.clear()
        waiting = [threading.Thread(target=daemon.unix, args=("POST", "/control/reload")) for _ in range(2)]
        for thread in waiting:
            thread.start()
        eventually(lambda: not daemon.server._caller._places._value)
        assert daemon.unix("POST", "/control/reload").status == 503
        assert daemon.tcp("GET", "/-/healthy").status == 200
        assert daemon.tcp("GET", "/metrics").status == 200
        daemon.backend.hold.set()
        for thread in waiting:
            thread.join(60)
        assert daemon.unix("POST", "/control/reload").status == 200


def test_an_engine_that_does_not_answer_is_504(tmp_path, monkeypatch):
    monkeypatch.setattr(caller, "CALL_SECONDS", -0.9)
    with running(tmp_path) as daemon:
        daemon.backend.hold.clear()
        assert daemon.unix("GET", "/control/status").status == 200
        assert daemon.unix("POST", "/control/reload").status == 504


def test_closing_waits_for_no_idle_slow_or_waiting_client(tmp_path, monkeypatch):
    monkeypatch.setattr(control, "CALL_SECONDS", 600.0)
    monkeypatch.setattr(caller, "CALL_SECONDS", 600.0)
    with running(tmp_path) as daemon:
        daemon.backend.hold.clear()
        idle, slow, waiting = (connected(daemon) for _ in range(3))
        slow.sendall(b"GET /-/hea")
        waiting.sendall(f"POST /control/reload HTTP/1.1\r\nHost: a\r\nauthorization: {BEARER}\r\n\r\n".encode())
        eventually(lambda: daemon.server._caller._places._value < caller.MAX_WAITING)
        closing = threading.Thread(target=daemon.server.close)
        closing.start()
        closing.join(60)
        assert not closing.is_alive()
        assert all(ended(client) for client in (idle, slow, waiting))
        with pytest.raises(ConnectionRefusedError):
            connected(daemon)
        for client in (idle, slow, waiting):
            client.close()


def test_uvicorn_and_starlette_are_not_loaded_before_the_start():
    code = "import sys, agent.web.server; sys.exit(bool({'uvicorn', 'starlette'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0


def test_an_idle_server_does_not_wake(tmp_path):
    with running(tmp_path) as daemon:
        loop = daemon.server._thread.loop
        daemon.tcp("GET", "/-/healthy")
        turns = []
        original = loop._run_once

        def counted():
            turns.append(1)
            original()

        loop._run_once = counted
        threading.Event().wait(0.6)
        del loop._run_once
    # One turn begins the wait, one may end a connection; the stock server makes six and more.
    assert len(turns) <= 4


def test_a_client_that_hangs_up_in_the_middle_of_a_body_is_no_error_of_ours():
    async def receive():
        return {"type": "http.disconnect"}

    head = {"type": "http", "method": "POST", "path": "/", "headers": []}
    with pytest.raises(request.RequestError, match="hung up"):
        asyncio.run(request.body_of(Request(head, receive)))


def test_a_bomb_is_not_unpacked_further_than_the_limit():
    bomb = gzip.compress(b" " * 50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(request.RequestError, match="larger than"):
            request._unpacked(bomb)
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < 5 * request.MAX_BODY
