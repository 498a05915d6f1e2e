"""A TCP proxy that breaks connections where a test wants it to."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: closing sends a reset."""


class FaultProxy:
    """Passes bytes to the target port until told otherwise. Settings hold for connections made afterwards."""

    def __init__(self) -> None:
        self.target_port = 0
        self.refuse = False
        """Reset every connection at once: the server is down."""
        self.swallow = False
        """Take everything and never answer."""
        self.cut_requests = b""
        """Answers to requests that begin so never arrive: the target has done its work, the client sees a reset."""
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: set[socket.socket] = {self._listener}
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def start(self) -> None:
        self._threads[0].start()

    def stop(self) -> None:
        for opened in list(self._sockets):
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()
        for thread in self._threads:
            thread.join(60)

    def heal(self) -> None:
        self.refuse = self.swallow = False
        self.cut_requests = b""

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.add(client)
                self._spawn(self._serve, client)

    def _spawn(self, work, *arguments) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self.refuse:
                _reset(client)
                return
            request = client.recv(65536)
            if self.swallow:
                client.recv(1)
                return
            with socket.create_connection(("127.0.0.1", self.target_port), timeout=30) as target:
                self._sockets.add(target)
                target.sendall(request)
                self._spawn(_pump, client, target)
                if self.cut_requests and request.startswith(self.cut_requests):
                    target.recv(1)
                    self.cuts += 1
                    _reset(client)
                else:
                    _pump(target, client)
        client.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)


def _reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    # Wakes the thread that reads from it; while one does, closing would send nothing.
    client.shutdown(socket.SHUT_RD)
    client.close()


@contextmanager
def fault_proxy(target_port: int = 0) -> Iterator[FaultProxy]:
    """Run a proxy in front of the target; `target_port` may be set later."""
    proxy = FaultProxy()
    proxy.target_port = target_port
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
