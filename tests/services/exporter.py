"""An exporter on a loopback port that says what the test puts into it."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Exporter(http.server.ThreadingHTTPServer):
    """Answers every request with `body`, `status` and `headers`; remembers paths and headers of what it was asked."""

    daemon_threads = True

    def __init__(self, body: bytes, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.body, self.status = body, 200
        self.headers: dict[str, str] = {}
        self.length: int | None = None
        """What it says is the length of the body, if not the truth."""
        self.seen: list[tuple[str, dict[str, str]]] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Exporter

    def do_GET(self) -> None:
        exporter = self.server
        exporter.seen.append((self.path, dict(self.headers)))
        body = exporter.body
        self.send_response(exporter.status)
        for name, value in exporter.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if exporter.length is None else exporter.length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running_exporter(body: bytes, port: int = 0) -> Iterator[Exporter]:
    exporter = Exporter(body, port)
    thread = threading.Thread(target=exporter.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield exporter
    finally:
        exporter.shutdown()
        thread.join(60)
        exporter.server_close()
