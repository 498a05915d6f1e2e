"""A web server over a backend that answers from memory, and a client for its listeners."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.clock import SystemClock
from agent.engine.commands import CommandError
from agent.engine.improvements import PublishReport
from agent.incidents.muting import Muting
from agent.web.access import EVERY_SCOPE, Access, Token
from agent.web.exposition import Exposition
from agent.web.loop import LoopThread
from agent.web.server import Listeners, WebServer
from collectors.sample import gauge
from rules.series import SeriesStore

TOKEN = "right-token"


class Backend:
    """Keeps the commands it gets. `hold`: calls wait for it, as they do for an engine that is busy."""

    def __init__(self) -> None:
        self.store = SeriesStore()
        self.muting = Muting()
        self.commands: list[Any] = []
        self.is_ready = (True, "")
        self.error: Exception | None = None
        self.listed: tuple[Any, ...] = ()
        self.asked: list[tuple[str, int]] = []
        self.hold = threading.Event()
        self.hold.set()
        self.rule_groups: tuple[Any, ...] = ()
        self.judgements: dict[str, Any] = {}
        self.collectors: tuple[Any, ...] = ()
        self.metrics: tuple[Any, ...] = ()

    def ready(self):
        return self.is_ready

    def call(self, command, timeout_seconds):
        assert self.hold.wait(timeout_seconds)
        if self.error:
            raise self.error
        self.commands.append(command)
        return {"done": type(command).__name__, "silenceID": "one"}

    def submit(self, command):
        future = Future()
        threading.Thread(target=self._answer, args=(future, command), daemon=True).start()
        return future

    def _answer(self, future, command):
        try:
            future.set_result(self.call(command, 60))
        except CommandError as error:
            future.set_exception(error)

    def repeats(self, _glances):
        return False

    def shown_alerts(self):
        return self.listed

    def incidents(self, state, limit):
        self.asked.append((state, limit))
        return [{"id": "one"}]

    def incident(self, incident_id):
        return {"id": incident_id} if incident_id == "one" else None

    def capacity(self):
        return []

    def services(self):
        return []

    def problems(self, *, closed):
        return [{"id": "one", "state": "closed"}] if closed else []

    def problem(self, problem_id):
        return {"id": problem_id} if problem_id == "one" else None

    def changes(self, state, limit):
        self.asked.append((state, limit))
        return [{"id": "CHG-1"}]

    def change(self, change_id):
        return {"id": change_id} if change_id == "one" else None

    def change_calendar(self, days):
        self.asked.append(days)
        return {"freezes": [], "changes": []}

    def articles(self, question, limit):
        self.asked.append((question, limit))
        return [{"name": "restart-web"}]

    def article(self, name):
        return {"name": name} if name == "restart-web" else None

    def drafted(self, incident_id):
        return {"name": "down", "text": "# Draft"} if incident_id == "one" else None

    @property
    def reports(self):
        return self

    def text(self, period, form):
        self.asked.append((period.start, period.end, form))
        return "# report\n"

    def publication(self, report_id, name, period, channels, actor):
        self.asked.append((report_id, name, period.zone, tuple(channels)))
        return PublishReport(actor=actor, report_id=report_id, name=name, start=period.start, end=period.end)

    def controls(self, start, end, form):
        return f"{start:g} {end:g} {form}"

    def published(self):
        return [{"id": "one"}]

    def recomputed(self, report_id, form):
        return {"form": form, "text": "# report\n", "same": True} if report_id == "one" else None

    def suggestions(self, *, closed):
        return [{"id": "one", "state": "closed"}] if closed else []

    def due(self, now, seconds):
        return [{"kind": "noise", "about": f"{now:g} {seconds:g}"}]

    def reviews(self):
        return [{"id": "one"}]

    def overrides(self):
        return [{"id": "one"}]

    def tickets(self, closed, limit):
        self.asked.append((closed, limit))
        return [{"id": 1}]

    def ticket(self, number):
        return {"id": number} if number == 1 else None

    def tickets_written(self):
        self.asked.append("tickets")
        return True

    def remediations(self):
        return [{"name": "restart-web"}]

    def record(self, seconds):
        self.asked.append(("record", seconds))
        return {"recording": "one"}

    def recorded(self, recording, *, stop):
        return {"text": f"stop: {stop}\n", "over": stop} if recording == "one" else None

    def status(self):
        return {"ok": True, "started_at": 1_800_000_000.0}

    def on_call(self, at):
        self.asked.append(at)
        return [{"rota": "web", "person": "ann"}]

    def drills(self):
        return [{"drill": "one"}]

    def drill(self, drill_id):
        return {"drill": drill_id} if drill_id == "one" else None

    def alerts(self):
        return self.listed

    def groups(self):
        return self.rule_groups

    def judgement(self, rule):
        return self.judgements.get(rule)

    def targets(self):
        return self.collectors

    def metadata(self):
        return self.metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(str(self._path))


@dataclass(slots=True, kw_only=True)
class Daemon:
    backend: Backend
    server: WebServer
    path: Path
    opened: list[http.client.HTTPConnection] = field(default_factory=list)

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.server.addresses[0].rpartition(":")
        return host, int(port)

    def tcp(self, method: str, path: str, body: Any = None, *, listener: int = 0, **headers: str) -> Answer:
        host, _, port = self.server.addresses[listener].rpartition(":")
        return ask(http.client.HTTPConnection(host, int(port), timeout=60), method, path, body, headers)

    def unix(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return ask(UnixConnection(self.path), method, path, body, headers)


def ask(connection, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        sent.setdefault("content-type", "application/json")
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        return Answer(status=response.status, body=response.read(), headers=dict(response.getheaders()))
    finally:
        connection.close()


@contextmanager
def running(
    directory: Path,
    *,
    open_ingest: bool = False,
    token: bool = True,
    access: Access | None = None,
    exposition: Exposition | None = None,
    **listeners: Any,
) -> Iterator[Daemon]:
    """Serve on free ports and on a socket in the directory."""
    token_file = directory / "token"
    token_file.write_text(f"{TOKEN}\n")
    tokens = (Token(name="token", scopes=EVERY_SCOPE, secret_file=token_file),) if token else ()
    backend = Backend()
    path = directory / "paramedic.sock"
    server = WebServer(
        listeners=Listeners(listen="127.0.0.1:0", metrics_listen="127.0.0.1:0", control_socket=path, **listeners),
        access=access or Access(tokens=tokens, open_ingest=open_ingest),
        backend=backend,
        exposition=exposition or Exposition(catalog=[gauge("node_load1", "Load.")]),
        clock=SystemClock(),
    )
    thread = LoopThread()
    thread.start()
    try:
        server.start(thread)
        yield Daemon(backend=backend, server=server, path=path)
    finally:
        backend.hold.set()
        server.close()
        thread.close()


async def asked(app, row, path, *, peer, query="", headers=(), body=b""):
    """Ask one route of an application, without a socket: the caller can come from anywhere. Return the status."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": row.method,
        "path": path,
        "raw_path": path.encode(errors="surrogateescape"),
        "query_string": query.encode(),
        "root_path": "",
        "scheme": "http",
        "headers": list(headers),
        "state": {"peer": peer},
        "server": None,
        "client": None,
    }
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"]
