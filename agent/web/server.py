"""The web server: its listeners and its life on the asyncio thread. uvicorn and Starlette are imported at its start."""

import asyncio
import logging
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.clock import Clock
from agent.telemetry import log
from agent.web import listening
from agent.web.access import Access
from agent.web.backend import Backend
from agent.web.caller import Caller
from agent.web.exposition import Exposition
from agent.web.loop import LoopThread
from agent.web.query_thread import QueryThread

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from agent.web.serving import Server
    from agent.web.tls import Tls

CLOSE_SECONDS = 1.8
_log = log.get("web")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Where to listen; "" or None for not at all."""

    listen: str = ""
    metrics_listen: str = ""
    control_socket: Path | None = None
    tls: "Tls | None" = None
    """For the addresses; the socket needs none."""
    closed_metrics: bool = False
    """Whether `metrics_listen`, too, asks for the scope read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Listening sockets by what they serve."""

    full: tuple[socket.socket, ...]
    metrics: tuple[socket.socket, ...]
    control: tuple[socket.socket, ...]


class WebServer:
    """Serves on the loop of a thread until closed."""

    def __init__(
        self, *, listeners: Listeners, access: Access, backend: Backend, exposition: Exposition, clock: Clock
    ) -> None:
        self._listeners = listeners
        self._access = access
        self._backend = backend
        self._exposition = exposition
        self._clock = clock
        self._caller = Caller()
        self._queries = QueryThread()
        self._thread: LoopThread | None = None
        self._running: list[tuple[Server, asyncio.Task[None]]] = []
        self.addresses: tuple[str, ...] = ()
        """Once started: where `listen` and `metrics_listen` are, with the ports they really got."""

    def start(self, thread: LoopThread) -> None:
        """Listen, and serve on the thread's loop. Raise ListenError."""
        bound = _bind(self._listeners)
        self.addresses = tuple(_name(one) for one in (*bound.full, *bound.metrics))
        self._thread = thread
        thread.run(self._serve(bound), 30.0)

    def close(self) -> None:
        """Stop listening; running requests have a second to end. Takes two seconds at most."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            thread.run(self._stop(), CLOSE_SECONDS)
        except TimeoutError:
            _log.warning("requests did not end in time")
        self._caller.close()
        self._queries.close()
        if self._listeners.control_socket is not None:
            with suppress(OSError):  # on a disk that became read-only it stays, and the next daemon takes it over
                self._listeners.control_socket.unlink()

    async def _serve(self, bound: Bound) -> None:
        from agent.web import serving  # noqa: PLC0415 - uvicorn is loaded only where something listens

        logger = logging.getLogger("uvicorn.error")
        logger.handlers = [serving.LogErrors(_report)]
        logger.propagate = False
        for app, sockets, tls in self._sites(bound):
            server = serving.make_server(app, tls)
            task = asyncio.create_task(server.serve(sockets))
            self._running.append((server, task))
            up = asyncio.create_task(server.up.wait())
            await asyncio.wait({task, up}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                up.cancel()
                task.result()

    def _sites(self, bound: Bound) -> list[tuple["ASGIApp", list[socket.socket], "Tls | None"]]:
        from agent.web import app  # noqa: PLC0415 - Starlette is loaded only where something listens

        full = app.full_rows(
            backend=self._backend,
            exposition=self._exposition,
            caller=self._caller,
            queries=self._queries,
            clock=self._clock,
        )
        metrics = app.metrics_rows(
            backend=self._backend,
            exposition=self._exposition,
            clock=self._clock,
            is_open=not self._listeners.closed_metrics,
        )
        whole, tls = app.application(full, self._access), self._listeners.tls
        sites = [
            (whole, list(bound.full), tls),
            (app.application(metrics, self._access), list(bound.metrics), tls),
            (whole, list(bound.control), None),
        ]
        return [site for site in sites if site[1]]

    async def _stop(self) -> None:
        for server, _ in self._running:
            server.stop()
        await asyncio.gather(*(task for _, task in self._running), return_exceptions=True)
        self._running.clear()


def _bind(listeners: Listeners) -> Bound:
    """Open every listener, or none."""
    full: list[socket.socket] = []
    metrics: list[socket.socket] = []
    control: list[socket.socket] = []
    try:
        if listeners.listen:
            full.append(listening.tcp(listeners.listen, "[web] listen"))
        if listeners.metrics_listen:
            metrics.append(listening.tcp(listeners.metrics_listen, "[web] metrics_listen"))
        if listeners.control_socket is not None:
            control.append(listening.unix(listeners.control_socket))
    except listening.ListenError:
        for opened in (*full, *metrics, *control):
            opened.close()
        raise
    return Bound(full=tuple(full), metrics=tuple(metrics), control=tuple(control))


def _name(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _report(message: str, error: BaseException | None) -> None:
    _log.error("a request failed", message=message, exc_info=error)
