"""A server that is never silent for long and never ready: it drips its answer, or takes a request sip by sip."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
ENDLESS = {
    "in its status line": (b"HTTP/1.1 200 ", b"O"),
    "in its headers": (HEADERS + b"X-Slow: ", b"x"),
    "in headers without end": (HEADERS, b"X-Slow: x\r\n"),
    "in interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "in its body": (HEADERS + b"Content-Length: 1000000\r\n\r\n", b"x"),
    "in a body of unknown length": (HEADERS + b"\r\n", b"x"),
    "in its chunks": (HEADERS + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "in the length of a chunk": (HEADERS + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
}
"""What a server that does not come to an end begins with, and what it goes on with."""
WAIT_SECONDS = 0.05
MOST_DRIPS = 400


@contextmanager
def dripping(beginning: bytes, drip: bytes, *, speaks_first: bool = False) -> Iterator[int]:
    """Serve one client, giving its port: the beginning at once, then a drip each 50 ms, for 20 s at most."""

    def answer(connection: socket.socket, ended: threading.Event) -> None:
        if not speaks_first:
            connection.recv(65536)
        connection.sendall(beginning)
        for _ in range(MOST_DRIPS):
            if ended.wait(WAIT_SECONDS):
                return
            connection.sendall(drip)

    with _serving(answer) as port:
        yield port


@contextmanager
def sipping(context: ssl.SSLContext) -> Iterator[int]:
    """Serve one client over TLS, giving the port: reads 4 KiB of its request each 50 ms, for 20 s at most."""

    def take(connection: socket.socket, ended: threading.Event) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            for _ in range(MOST_DRIPS):
                if ended.wait(WAIT_SECONDS) or not secured.recv(4096):
                    return

    with _serving(take) as port:
        yield port


@contextmanager
def _serving(handle) -> Iterator[int]:
    ended = threading.Event()

    def serve() -> None:
        with suppress(OSError):  # the client, or the test, has given up
            connection, _ = listener.accept()
            with connection:
                handle(connection, ended)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # for whoever still waits for a client
            thread.join()
