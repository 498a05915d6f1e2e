"""uvicorn, with a main loop that sleeps, deadlines for slow clients, and the caller's identity."""

import asyncio
import logging
import pwd
import socket
import struct
from collections.abc import Callable
from email.utils import formatdate
from typing import cast

from starlette.applications import Starlette
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import Server as UvicornServer

from agent.web.access import Peer, tcp_peer

HEADER_SECONDS = 10.0
"""How long a connection may take to send a whole request head."""
EXCHANGE_SECONDS = 60.0
"""How long one request and its answer may take: a client that does not read is cut off."""
MAX_HEADERS = 32 * 1024
MAX_CONNECTIONS = 256
GRACE_SECONDS = 1

_CREDENTIALS = struct.Struct("3i")


class Protocol(H11Protocol):
    """One connection."""

    _deadline: asyncio.TimerHandle | None = None
    _served: object = None
    """The exchange that the deadline is for; None while a request head is awaited."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {"peer": _peer(transport)}
        self._set_deadline(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._set_deadline(None)

    def data_received(self, data: bytes) -> None:
        # The stock main loop refreshes the date each second; ours is asleep.
        self.server_state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        if self._deadline is None:
            self._set_deadline(HEADER_SECONDS)
        super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        if self.cycle is not None and self.cycle is not self._served:
            self._served = self.cycle
            self._set_deadline(EXCHANGE_SECONDS)

    def on_response_complete(self) -> None:
        self._set_deadline(None)
        super().on_response_complete()

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)


class Server(UvicornServer):
    """A server that wakes for requests only: the stock one wakes ten times a second."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self._stop = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    async def main_loop(self) -> None:
        await self._stop.wait()

    def stop(self) -> None:
        """Begin the shutdown. Called on the loop."""
        self.should_exit = True
        self._stop.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
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


def make_server(app: Starlette) -> Server:
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
        limit_concurrency=MAX_CONNECTIONS,
        h11_max_incomplete_event_size=MAX_HEADERS,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    config.load()
    return Server(config)


def _peer(transport: asyncio.Transport) -> Peer:
    connection: socket.socket = transport.get_extra_info("socket")
    if connection.family != socket.AF_UNIX:
        name = transport.get_extra_info("peername") or ("",)
        return tcp_peer(name[0])
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(raw)
    return Peer(actor=f"{_user_name(uid)} (uid {uid})", loopback=True, socket=True)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "unknown user"
