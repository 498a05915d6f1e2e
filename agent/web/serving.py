"""uvicorn, with a main loop that sleeps, deadlines for slow clients, and the caller's identity."""

import asyncio
import logging
import math
import pwd
import socket
import struct
import time
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import Server as UvicornServer
from uvicorn.server import ServerState

from agent.web.access import Peer, tcp_peer
from agent.web.cork import Corked
from agent.web.door import Door, Guest

if TYPE_CHECKING:
    from agent.web.tls import Tls

vars(uvicorn)["Config"] = Config  # its modules look for it there; see agent/cli/lean.py

HEADER_SECONDS = 10.0
"""How long a connection may take to send a whole request head."""
EXCHANGE_SECONDS = 60.0
"""How long one request and its answer may take: a client that does not read is cut off."""
KEEP_ALIVE_SECONDS = 75.0
"""How long a connection may wait for its next request."""
MAX_HEADERS = 32 * 1024
GRACE_SECONDS = 1

_CREDENTIALS = struct.Struct("3i")


class Protocol(H11Protocol, Guest):
    """One connection."""

    _timer: asyncio.TimerHandle | None = None
    _deadline: float = math.inf
    """When the client is cut off (loop time). The timer may be early: then it looks again."""
    _is_idle = False
    _served: object = None
    """The exchange that the deadline is for; None while a request head is awaited."""

    def __init__(self, config: Config, server_state: ServerState, door: Door, tls: "Tls | None") -> None:
        super().__init__(config, server_state, {}, asyncio.get_running_loop())
        self._door = door
        self._tls = tls
        self._since = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        peer = _peer(transport, self._tls)
        if peer is None:
            transport.abort()
            return
        self.transport = cast("asyncio.Transport", Corked(transport, self.loop))
        self.app_state = {"peer": peer}
        self._set_deadline(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.left(self)
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def dawdles_since(self) -> float | None:
        ours = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        return None if ours and not self.transport.get_write_buffer_size() else self._since

    def show_out(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self.server_state.default_headers = _date(int(time.time()))
        if self._is_idle:
            self._is_idle = False
            self._set_deadline(HEADER_SECONDS)
        super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        if self.cycle is not None and self.cycle is not self._served:
            self._served = self.cycle
            self._since = self.loop.time()
            self._set_deadline(EXCHANGE_SECONDS)

    def on_response_complete(self) -> None:
        """Wait for the next request. The stock method makes a timer for that each time."""
        self._since = self.loop.time()
        self._is_idle = True
        self._set_deadline(KEEP_ALIVE_SECONDS)
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.conn.our_state is h11.DONE and self.conn.their_state is h11.DONE:
            self.conn.start_next_cycle()
            self.handle_events()

    def _set_deadline(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(self._deadline, self._check_deadline)

    def _check_deadline(self) -> None:
        self._timer = None
        if self.loop.time() >= self._deadline:
            self.transport.abort()
        else:
            self._set_timer()


class Server(UvicornServer):
    """A server that wakes for requests only: the stock one wakes ten times a second."""

    def __init__(self, config: Config, tls: "Tls | None") -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self._stop = asyncio.Event()
        self._tls = tls
        self._door: Door | None = None
        self.servers = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept with a door of our own: asyncio's has no limit and does not know who dawdles."""
        self._door = Door(sockets or [], self._protocol, self._tls)
        self.started = True
        self.up.set()

    def _protocol(self, door: Door) -> Protocol:
        return Protocol(self.config, self.server_state, door, self._tls)

    async def main_loop(self) -> None:
        await self._stop.wait()

    def stop(self) -> None:
        """Begin the shutdown. Called on the loop."""
        self.should_exit = True
        self._stop.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._door is not None:
            self._door.close()
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            cast("Protocol", connection).transport.abort()


class LogErrors(logging.Handler):
    """Hands uvicorn's errors to our own log; what clients do wrong (its warnings) stays out."""

    def __init__(self, report: Callable[[str, BaseException | None], None]) -> None:
        super().__init__(level=logging.ERROR)
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        self._report(record.getMessage(), record.exc_info[1] if record.exc_info else None)


@lru_cache(maxsize=1)
def _date(second: int) -> list[tuple[bytes, bytes]]:
    """Return the date header. The stock main loop makes it each second; ours is asleep."""
    return [(b"date", formatdate(second, usegmt=True).encode())]


def make_server(app: ASGIApp, tls: "Tls | None" = None) -> Server:
    """Return a server for the ASGI application; give its sockets to `serve`."""
    config = Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        h11_max_incomplete_event_size=MAX_HEADERS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    config.load()
    return Server(config, tls)


def _peer(transport: asyncio.Transport, tls: "Tls | None") -> Peer | None:
    """Return who is there; None for one whose certificate is not welcome."""
    connection: socket.socket = transport.get_extra_info("socket")
    if connection.family != socket.AF_UNIX:
        name = transport.get_extra_info("peername") or ("",)
        certificate = tls.client(transport.get_extra_info("peercert")) if tls is not None else ""
        return None if certificate is None else tcp_peer(name[0], certificate)
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(raw)
    return Peer(actor=f"{_user_name(uid)} (uid {uid})", loopback=True, socket=True)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "unknown user"
