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
    """Return what starts a server; it is waited for at the end."""
    threads = []

    def start(uid=None, idle_seconds=0.5, answer=lambda line: {"answer": "heard", "line": line.decode("latin-1")}):
        listener = socket.socket(socket.AF_UNIX)
        path = tmp_path / f"{len(threads)}.sock"
        listener.bind(str(path))
        listener.listen(64)
        server = Server(listener, os.geteuid() if uid is None else uid, answer)
        thread = threading.Thread(target=lambda: (server.serve(idle_seconds), listener.close()))
        thread.start()
        threads.append(thread)
        start.thread = thread
        return path

    yield start
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def connect(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
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
    monkeypatch.setattr(module, "SECONDS", 1.0)
    path = listening(answer=lambda _line: {"answer": "x" * 1_000_000})
    client = connect(path)
    client.sendall(b"hello\n")
    assert client.recv(1) == b"{", "it is let in"
    monkeypatch.setattr(module, "SECONDS", 60.0)
    assert json.loads(talk(path, b"again\n"))["answer"].startswith("xx")
    listening.thread.join(20)
    assert not listening.thread.is_alive()
    client.close()


def test_more_connections_than_it_keeps_are_not_let_in(listening):
    path = listening()
    clients = [connect(path) for _ in range(module.MOST_CONNECTIONS)]
    for client in clients:
        client.sendall(b"not yet")
    with connect(path) as client:
        assert client.recv(10) == b""
    for client in clients:
        client.close()


def test_it_ends_when_nobody_has_come_for_a_while(listening):
    began = time.monotonic()
    path = listening(idle_seconds=0.3)
    talk(path, b"hello\n")
    listening.thread.join(module.SECONDS)
    assert not listening.thread.is_alive()
    assert time.monotonic() - began >= 0.3


def test_what_is_said_in_the_journal_is_one_line_whatever_was_sent(listening, capsys):
    path = listening(answer=lambda _line: {"answer": "refused", "reason": "no"})
    talk(path, b"\x1b[2Jhe said\rroot: fine\n")
    listening.thread.join(5)
    assert capsys.readouterr().err == "refused: no b'\\x1b[2Jhe said\\rroot: fine'\n"
