"""A real HTTP server on loopback whose answers a test's imitation of a vendor decides."""

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Message
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    def is_from(self, user: str, password: str) -> bool:
        expected = base64.b64encode(f"{user}:{password}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {expected}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def reply(status: int, document: object, **headers: str) -> Reply:
    return Reply(
        status=status, body=json.dumps(document).encode(), headers={"Content-Type": "application/json", **headers}
    )


Answering = Callable[[Request], Reply]


@contextmanager
def serving(answer: Answering, *, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve on an ephemeral port (with TLS if there is a context), one request at a time, and return the port."""
    turn = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_any(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            request = Request(method=self.command, path=parts.path, query=query, headers=self.headers, body=body)
            with turn:
                made = answer(request)
            with suppress(ConnectionError):  # a client that has given up
                self._send(made)

        def _send(self, made: Reply) -> None:
            self.send_response_only(made.status)
            for name, value in {"Content-Length": str(len(made.body)), **made.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(made.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = do_any  # noqa: N815 - the standard library's names

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
