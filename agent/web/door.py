"""The door of a listener: who comes in is counted, and when the house is full the guest that dawdles longest goes."""

import asyncio
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol

from agent.telemetry import log, metrics

MAX_CONNECTIONS = 256
MAX_PER_ADDRESS = 128
HANDSHAKE_SECONDS = 10.0
_AT_ONCE = 16
"""Guests let in before those that are in are looked after again."""
_PAUSE_SECONDS = 1.0
"""How long nobody is let in when the process is out of file descriptors."""
_log = log.get("web")


class Guest(asyncio.Protocol, ABC):
    """A connection."""

    @abstractmethod
    def dawdles_since(self) -> float | None:
        """Return since when the client is waited for (loop time); None while it waits for us."""

    @abstractmethod
    def show_out(self) -> None:
        """End the connection at once."""


class Security(Protocol):
    """What makes connections secure."""

    def context(self) -> ssl.SSLContext: ...


class Door:
    """Accepts on the sockets until closed. Belongs to the event loop."""

    def __init__(
        self, sockets: Sequence[socket.socket], make_guest: Callable[["Door"], Guest], security: Security | None
    ) -> None:
        self._sockets = sockets
        self._make_guest = make_guest
        self._security = security
        self._loop = asyncio.get_running_loop()
        self._inside: dict[Guest, str] = {}
        self._greeted: dict[Guest, asyncio.Task[None]] = {}
        """Those whose connection is being made."""
        for listener in sockets:
            listener.setblocking(False)
            self._loop.add_reader(listener, self._accept, listener)

    def close(self) -> None:
        """Let nobody in any more."""
        for listener in self._sockets:
            self._loop.remove_reader(listener)
            listener.close()
        for task in self._greeted.values():
            task.cancel()

    def left(self, guest: Guest) -> None:
        self._inside.pop(guest, None)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                _log.error("connections cannot be accepted", error=str(error))
                self._loop.remove_reader(listener)
                self._loop.call_later(_PAUSE_SECONDS, self._resume, listener)
                return
            self._welcome(connection, address[0] if isinstance(address, tuple) else "")

    def _resume(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self._loop.add_reader(listener, self._accept, listener)

    def _welcome(self, connection: socket.socket, address: str) -> None:
        if not self._has_room(address):
            metrics.HTTP_REFUSED.labels("full").inc()
            connection.close()
            return
        connection.setblocking(False)
        guest = self._make_guest(self)
        self._inside[guest] = address
        self._greeted[guest] = self._loop.create_task(self._greet(guest, connection))

    async def _greet(self, guest: Guest, connection: socket.socket) -> None:
        try:
            secure = self._security.context() if self._security is not None else None
            seconds = HANDSHAKE_SECONDS if secure is not None else None
            await self._loop.connect_accepted_socket(
                lambda: guest, connection, ssl=secure, ssl_handshake_timeout=seconds
            )
        except (OSError, asyncio.CancelledError):
            self.left(guest)
            connection.close()
        finally:
            self._greeted.pop(guest, None)

    def _has_room(self, address: str) -> bool:
        """Tell whether one more may come in; if need be, by showing out who has dawdled longest."""
        alike = [guest for guest, theirs in self._inside.items() if theirs == address]
        if len(alike) >= MAX_PER_ADDRESS:
            return self._show_out(alike)
        return len(self._inside) < MAX_CONNECTIONS or self._show_out(list(self._inside))

    def _show_out(self, guests: Sequence[Guest]) -> bool:
        since = {guest: at for guest in guests if (at := guest.dawdles_since()) is not None}
        if not since:
            return False
        slowest = min(since, key=since.__getitem__)
        metrics.HTTP_REFUSED.labels("slow").inc()
        self.left(slowest)
        greeted = self._greeted.get(slowest)
        if greeted is not None:
            greeted.cancel()
        slowest.show_out()
        return True
