"""Talking to systemd: what we write, others read as it was meant; and whatever comes back, the call ends."""

import socket
import threading
from contextlib import contextmanager, suppress

import pytest
from dbus_fast._private.unmarshaller import Unmarshaller
from hypothesis import given
from hypothesis import strategies as st

from remediations.exec_helper import bus

WORDS = st.text(st.characters(min_codepoint=1, max_codepoint=0x2FFF), max_size=12)
VALUES = st.one_of(
    st.tuples(st.just("s"), WORDS),
    st.tuples(st.just("b"), st.booleans()),
    st.tuples(st.just("u"), st.integers(0, 2**32 - 1)),
    st.tuples(st.just("t"), st.integers(0, 2**64 - 1)),
    st.tuples(st.just("as"), st.lists(WORDS, max_size=3)),
    st.tuples(st.just("(bas)"), st.tuples(st.booleans(), st.lists(WORDS, max_size=3))),
    st.tuples(st.just("a(sasb)"), st.lists(st.tuples(WORDS, st.lists(WORDS, max_size=2), st.booleans()), max_size=2)),
)


def plain(value):
    """Return the value with lists for what was a tuple, as the other side reads it."""
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


@given(st.lists(st.tuples(WORDS, VALUES), max_size=5))
def test_another_implementation_reads_what_we_write(settings):
    read = Unmarshaller(
        _Stream(bus.message("Start", "ssa(sv)a(sa(sv))", "a.service", "fail", settings, ()))
    ).unmarshall()
    assert (read.member, read.path, read.interface) == (
        "Start",
        "/org/freedesktop/systemd1",
        "org.freedesktop.systemd1.Manager",
    )
    name, mode, found, more = read.body
    assert (name, mode, more) == ("a.service", "fail", [])
    read = [[key, (variant.signature, plain(variant.value))] for key, variant in found]
    assert read == [[key, (signature, plain(value))] for key, (signature, value) in settings]


class _Stream:
    """What the other implementation reads from."""

    def __init__(self, content):
        self._content = memoryview(content)

    def read(self, size):
        taken, self._content = bytes(self._content[:size]), self._content[size:]
        return taken


def answer(kind, body=b""):
    fields = b"\x05\x01u\0\x01\0\0\0"
    head = b"l" + bytes([kind, 0, 1]) + len(body).to_bytes(4, "little") + (7).to_bytes(4, "little")
    return head + len(fields).to_bytes(4, "little") + fields + body


def text(word):
    return len(word).to_bytes(4, "little") + word.encode() + b"\0"


@contextmanager
def systemd(tmp_path, *parts, greeting=b"OK 0123456789abcdef\r\n"):
    """Play systemd's part: greet, hear the call, send the parts one by one, hang up."""
    path = str(tmp_path / "private")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(60)

        def play():
            client, _ = listener.accept()
            with client:
                client.settimeout(60)
                assert client.recv(256).endswith(b"\r\nBEGIN\r\n")
                client.sendall(greeting)
                if client.recv(65536):
                    with suppress(BrokenPipeError):  # it hears no more than it wants to
                        for part in parts:
                            client.sendall(part)

        thread = threading.Thread(target=play)
        thread.start()
        try:
            yield path
        finally:
            thread.join(30)


def test_the_answer_is_found_between_signals_and_however_it_is_cut(tmp_path):
    whole = answer(4, text("a signal")) + answer(2, text("the answer")) + answer(4)
    with systemd(tmp_path, *(bytes([each]) for each in whole)) as path:
        assert bus.strings(bus.call("Get", "s", "x", path=path), 0, 1) == ["the answer"]


def test_an_answer_may_come_with_the_greeting(tmp_path):
    with systemd(tmp_path, greeting=b"OK 0\r\n" + answer(2, text("soon"))) as path:
        assert bus.strings(bus.call("Get", "", path=path), 0, 1) == ["soon"]


@pytest.mark.parametrize(
    ("parts", "greeting", "why"),
    [
        ((answer(3, text("Unit already exists")),), b"OK 0\r\n", "Unit already exists"),
        ((answer(3),), b"OK 0\r\n", "refused"),
        ((), b"OK 0\r\n", "hung up"),
        ((answer(2)[:20],), b"OK 0\r\n", "hung up"),
        ((b"B" + answer(2)[1:],), b"OK 0\r\n", "cannot be read"),
        ((b"l\2\0\1\xff\xff\xff\xff" + bytes(8),), b"OK 0\r\n", "cannot be read"),
        ((), b"REJECTED EXTERNAL\r\n", "does not know us"),
    ],
)
def test_what_is_no_answer_is_an_error_with_its_reason(tmp_path, parts, greeting, why):
    with systemd(tmp_path, *parts, greeting=greeting) as path, pytest.raises(bus.BusError, match=why):
        bus.call("Get", "", path=path)


def test_one_who_does_not_answer_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(bus, "SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "private"))
        listener.listen(1)
        with pytest.raises(bus.BusError, match="timed out"):
            bus.call("Get", "", path=str(tmp_path / "private"))


def test_where_systemd_is_not_the_place_is_named(tmp_path):
    with pytest.raises(bus.BusError, match="private: No such file"):
        bus.call("Get", "", path=str(tmp_path / "private"))
