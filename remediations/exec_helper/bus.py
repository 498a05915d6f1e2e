"""Asking systemd itself, over the socket that is for root alone: one call in D-Bus' words, one answer."""

from __future__ import annotations

# Not socket itself, which brings enum and selectors: as long to load as all of ours.
import _socket as socket
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SOCKET = "/run/systemd/private"
SECONDS = 10.0
_MOST_BYTES = 1024 * 1024
_FIXED = {"y": "<B", "b": "<I", "u": "<I", "t": "<Q"}
_HEAD_BYTES = 16
"""Of a message, up to its fields."""
_CALL, _ANSWER, _ERROR = 1, 2, 3


class BusError(Exception):
    """Systemd could not be asked, or refused; the message says why."""


def call(member: str, signature: str, *arguments: Any, path: str = SOCKET) -> bytes:  # noqa: ANN401 - any D-Bus value
    """Call a method of systemd's manager; return the answer's body. Raise BusError.

    A process that starts `systemd-run` does the same for three times as long, while something is down.
    """
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        client.settimeout(SECONDS)
        client.connect(path)
        # BEGIN goes along: a call that came in one piece with it, systemd would leave unread until more comes.
        client.sendall(f"\0AUTH EXTERNAL {str(os.geteuid()).encode().hex()}\r\nBEGIN\r\n".encode())
        received = _more(client, b"")
        while b"\r\n" not in received:
            received = _more(client, received)
        word, _, received = received.partition(b"\r\n")
        if not word.startswith(b"OK "):
            raise BusError("it does not know us")
        client.sendall(message(member, signature, *arguments))
        return _answer(client, received)
    except OSError as error:
        raise BusError(f"{path}: {error.strerror or error}") from error
    finally:
        client.close()


def message(member: str, signature: str, *arguments: Any) -> bytes:  # noqa: ANN401 - any D-Bus value
    """Return the call as bytes."""
    body = bytearray()
    for one, argument in zip(_types(signature), arguments, strict=True):
        _put(body, one, argument)
    where = (
        (1, ("o", "/org/freedesktop/systemd1")),
        (2, ("s", "org.freedesktop.systemd1.Manager")),
        (3, ("s", member)),
        (6, ("s", "org.freedesktop.systemd1")),
        (8, ("g", signature)),
    )
    head = bytearray(struct.pack("<cBBBII", b"l", _CALL, 0, 1, len(body), 1))
    _put(head, "a(yv)", where)
    _align(head, 8)
    return bytes(head + body)


def strings(body: bytes, at: int, count: int) -> list[str]:
    """Return strings that follow each other from here on."""
    found = []
    for _ in range(count):
        at += -at % 4
        (length,) = struct.unpack_from("<I", body, at)
        found.append(body[at + 4 : at + 4 + length].decode(errors="replace"))
        at += 4 + length + 1
    return found


def _answer(client: socket.socket, received: bytes) -> bytes:
    """Return the body of the first message that is no signal: systemd tells everybody here what happens."""
    while True:
        while len(received) < _HEAD_BYTES:
            received = _more(client, received)
        kind, size, fields = struct.unpack_from("<xB2xI4xI", received)
        start = _HEAD_BYTES + fields + -fields % 8
        if received[:1] != b"l" or start + size > _MOST_BYTES:
            raise BusError("its answer cannot be read")
        while len(received) < start + size:
            received = _more(client, received)
        body, received = received[start : start + size], received[start + size :]
        if kind == _ERROR:
            raise BusError(strings(body, 0, 1)[0] if body else "refused")
        if kind == _ANSWER:
            return body


def _more(client: socket.socket, received: bytes) -> bytes:
    chunk = client.recv(65536)
    if not chunk:
        raise BusError("it hung up")
    return received + chunk


def _put(out: bytearray, signature: str, value: Any) -> None:  # noqa: ANN401 - any D-Bus value
    """Append one value. A variant is a pair: its signature and its value."""
    kind = signature[0]
    if kind in _FIXED:
        _align(out, struct.calcsize(_FIXED[kind]))
        out += struct.pack(_FIXED[kind], value)
    elif kind in "so":
        _align(out, 4)
        text = value.encode()
        out += struct.pack("<I", len(text)) + text + b"\0"
    elif kind == "g":
        out += bytes([len(value)]) + value.encode() + b"\0"
    elif kind == "v":
        _put(out, "g", value[0])
        _put(out, *value)
    elif kind == "(":
        _align(out, 8)
        for one, each in zip(_types(signature[1:-1]), value, strict=True):
            _put(out, one, each)
    else:
        _put_array(out, signature[1:], value)


def _put_array(out: bytearray, element: str, values: Any) -> None:  # noqa: ANN401 - any D-Bus values
    _align(out, 4)
    length_at = len(out)
    out += bytes(4)
    _align(out, 8 if element[0] in "(t" else 4 if element[0] in "asoub" else 1)
    began = len(out)
    for each in values:
        _put(out, element, each)
    struct.pack_into("<I", out, length_at, len(out) - began)


def _types(signature: str) -> list[str]:
    """Split a signature into its single complete types."""
    found, begin, depth = [], 0, 0
    for index, letter in enumerate(signature):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and letter != "a":
            found.append(signature[begin : index + 1])
            begin = index + 1
    return found


def _align(out: bytearray, size: int) -> None:
    out += bytes(-len(out) % size)
