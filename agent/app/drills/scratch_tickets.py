"""A ticket system to be broken in drills: it refuses everything while FOLDER/tickets.down exists.

`python -I scratch_tickets.py FOLDER` serves until the folder is gone, or ten minutes. FOLDER/tickets.port says where;
FOLDER/tickets.log has a line of JSON for each operation that it took. It speaks the webhook adapter's protocol.
Standard library only.
"""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

PIDFILE = "tickets.pid"
PORTFILE = "tickets.port"
DOWN = "tickets.down"
LOG = "tickets.log"
LIFETIME_SECONDS = 600
_LOOK_SECONDS = 1.0
_MOST_BYTES = 1024 * 1024


class Tickets(HTTPServer):
    """The tickets by their correlation, and the keys of operations that were taken."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.timeout = _LOOK_SECONDS
        self.folder = folder
        self.tickets: dict[str, str] = {}

    def take(self, key: str, said: dict[str, str]) -> None:
        """Carry an operation out, and write it down."""
        ticket = said.get("correlation") or said.get("id") or ""
        self.tickets[ticket] = "closed" if said["op"] == "close" else "open"
        with (self.folder / LOG).open("a") as log:
            log.write(json.dumps({"key": key, "op": said["op"], "ticket": ticket}) + "\n")


class _Handler(BaseHTTPRequestHandler):
    server: Tickets
    timeout = 5.0

    def do_GET(self) -> None:
        wanted = parse_qs(urlsplit(self.path).query).get("correlation", [""])[0]
        state = self.server.tickets.get(wanted)
        if (self.server.folder / DOWN).exists():
            self._answer(503)
        elif state is None:
            self._answer(204)
        else:
            self._answer(200, {"id": wanted, "url": "", "state": state})

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length") or 0), _MOST_BYTES)
        said = json.loads(self.rfile.read(length))
        if (self.server.folder / DOWN).exists():
            self._answer(503)
            return
        self.server.take(self.headers.get("Idempotency-Key") or "", said)
        self._answer(200, {"id": said.get("correlation") or said.get("id")})

    def _answer(self, status: int, document: object = None) -> None:
        body = json.dumps(document).encode() if document is not None else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_said: object) -> None:
        """Say nothing: there is no terminal."""


def serve(folder: Path) -> None:
    """Serve until the folder is gone."""
    signal.alarm(LIFETIME_SECONDS)
    server = Tickets(folder)
    (folder / PIDFILE).write_text(f"{os.getpid()}\n")
    fresh = folder / f"{PORTFILE}.new"
    fresh.write_text(f"{server.server_port}\n")
    fresh.replace(folder / PORTFILE)
    while folder.is_dir():
        server.handle_request()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
