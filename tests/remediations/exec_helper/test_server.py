"""The helper's socket: for one account, one line each way, bounded in size and time."""

import json
import os
import select
import socket
import threading
import time
from contextlib import suppress

import pytest

from remediations.exec_helper import server as module
from remediations.exec_helper.server import Server


@pytest.fixture
def listening(tmp_path):
    """Return what starts a server, which goes on to the end of the test, or until it is ended."""
    over, threads = threading.Event(), []

    def serve(listener):
        with listener:
            while not over.is_set():
                start.server.serve(0.05)

    def start(uid=None, answer=lambda line: {"answer": "heard", "line": line.decode("latin-1")}):
        path, listener = listener_in(tmp_path)
        start.server = Server(listener, os.geteuid() if uid is None else uid, answer)
        threads.append(threading.Thread(target=serve, args=(listener,)))
        threads[-1].start()
        return path

    def end():
        over.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()

    start.end = end
    yield start
    end()


def listener_in(folder):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "sock"))
    listener.listen(64)
    return folder / "sock", listener


def connect(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(60)
    client.connect(str(path))
    return client


def talk(path, *parts):
    with connect(path) as client:
        for part in parts:
            client.sendall(part)
        received = b""
        while chunk := client.recv(65536):
            received += chunk
    return received


def test_a_line_is_answered_with_a_line(listening):
    path = listening()
    assert json.loads(talk(path, b"hello\n")) == {"answer": "heard", "line": "hello"}
    assert json.loads(talk(path, b"hel", b"lo\nand more")) == {"answer": "heard", "line": "hello"}


def test_an_account_that_is_not_the_daemons_is_not_heard(listening):
    heard = []
    path = listening(uid=os.geteuid() + 1, answer=heard.append)
    with connect(path) as client:
        assert client.recv(10) == b""
    assert heard == []


def test_what_is_too_long_is_refused_without_being_read_to_its_end(listening):
    path = listening()
    with connect(path) as client:
        with suppress(OSError):  # it may have hung up already
            client.sendall(b"x" * 1_000_000)
        answer = client.recv(65536)
    assert json.loads(answer)["reason"].startswith("malformed: longer than")


def test_whoever_says_nothing_is_hung_up_on(listening, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.2)
    path = listening()
    silent = [connect(path) for _ in range(10)]
    assert [client.recv(10) for client in silent] == [b""] * 10
    for client in silent:
        client.close()


def test_whoever_says_nothing_holds_nobody_else_up(listening, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 60.0)
    path = listening()
    silent = [connect(path) for _ in range(10)]
    assert json.loads(talk(path, b"hello\n"))["answer"] == "heard"
    assert select.select(silent, [], [], 0)[0] == [], "they are waited for still"
    for client in silent:
        client.close()


def test_whoever_does_not_read_is_hung_up_on(listening, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 60.0)
    path = listening(answer=lambda _line: {"answer": "x" * 1_000_000})
    with connect(path) as client:
        client.sendall(b"hello\n")
        assert client.recv(1) == b"{", "it is let in"
        (connection,) = listening.server._open.values()
        connection.deadline = time.monotonic()
        assert json.loads(talk(path, b"again\n"))["answer"].startswith("xx")
        poll = select.poll()
        poll.register(client, 0)
        assert poll.poll(60_000) == [(client.fileno(), select.POLLHUP)]


def test_more_connections_than_it_keeps_are_not_let_in(listening):
    path = listening()
    clients = [connect(path) for _ in range(module.MOST_CONNECTIONS)]
    for client in clients:
        client.sendall(b"not yet")
    with connect(path) as client:
        assert client.recv(10) == b""
    for client in clients:
        client.close()


def test_it_ends_when_nobody_has_come_for_a_while(tmp_path):
    path, listener = listener_in(tmp_path)
    with listener, connect(path) as client:
        client.sendall(b"hello\n")
        began = time.monotonic()
        Server(listener, os.geteuid(), lambda _line: {"answer": "heard"}).serve(0.3)
        assert time.monotonic() - began >= 0.3
        assert json.loads(client.recv(100)) == {"answer": "heard"}


def test_what_is_said_in_the_journal_is_one_line_whatever_was_sent(listening, capsys):
    path = listening(answer=lambda _line: {"answer": "refused", "reason": "no"})
    talk(path, b"\x1b[2Jhe said\rroot: fine\n")
    listening.end()
    assert capsys.readouterr().err == "refused: no b'\\x1b[2Jhe said\\rroot: fine'\n"
