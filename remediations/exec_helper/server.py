"""The helper's socket: one line in, one line out; small, bounded in time, and for one account only."""

from __future__ import annotations

# Not socket and selectors, which bring enum and collections: as long to load as all of ours.
import _socket as socket
import math
import select
import struct
import sys
import time

from remediations.exec_helper import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from remediations.exec_helper.answers import Answer

MOST_BYTES = 64 * 1024
MOST_CONNECTIONS = 32
SECONDS = 5.0
"""How long a connection may take for everything."""
IDLE_SECONDS = 60.0
_CREDENTIALS = struct.Struct("3i")


class _Connection:
    """Somebody who has been let in: what came, what is still to be sent, and when patience ends."""

    def __init__(self, client: socket.socket, deadline: float) -> None:
        self.client = client
        self.deadline = deadline
        self.received = b""
        self.unsent = b""


class Server:
    """Serves `uid` only. `answer` is called with a line and must not block for long."""

    def __init__(
        self,
        listener: socket.socket,
        uid: int,
        answer: Callable[[bytes], Answer],
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        self._listener = listener
        self._uid = uid
        self._answer = answer
        self._rest = rest
        self._poll = select.poll()
        self._open: dict[int, _Connection] = {}

    def serve(self, idle_seconds: float = IDLE_SECONDS) -> None:
        """Answer until nobody has come for so long."""
        self._listener.setblocking(False)
        self._poll.register(self._listener.fileno(), select.POLLIN)
        idle_at = time.monotonic() + idle_seconds
        while self._open or time.monotonic() < idle_at:
            nearest = min((each.deadline for each in self._open.values()), default=idle_at)
            for descriptor, _ in self._poll.poll(math.ceil(max(0.0, nearest - time.monotonic()) * 1000)):
                if descriptor == self._listener.fileno():
                    self._accept()
                else:
                    self._proceed(self._open[descriptor])
                idle_at = time.monotonic() + idle_seconds
            for connection in [each for each in self._open.values() if each.deadline <= time.monotonic()]:
                self._close(connection)
            if not self._open:
                self._rest()

    def _accept(self) -> None:
        try:
            descriptor, _ = self._listener._accept()  # type: ignore[attr-defined]  # noqa: SLF001 - socket has accept()
        except OSError:
            return
        client = socket.socket(fileno=descriptor)
        pid, uid, _ = _CREDENTIALS.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        if uid != self._uid or len(self._open) >= MOST_CONNECTIONS:
            _say(f"connection of user {uid} (process {pid}) refused")
            client.close()
            return
        client.setblocking(False)
        self._open[descriptor] = _Connection(client, time.monotonic() + SECONDS)
        self._poll.register(descriptor, select.POLLIN)

    def _proceed(self, connection: _Connection) -> None:
        """Read or write what can be without waiting."""
        try:
            if connection.unsent:
                sent = connection.client.send(connection.unsent)
                connection.unsent = connection.unsent[sent:]
                if not connection.unsent:
                    self._close(connection)
                return
            chunk = connection.client.recv(MOST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._close(connection)
            return
        connection.received += chunk
        line, newline, _ = connection.received.partition(b"\n")
        if newline or not chunk or len(line) > MOST_BYTES:
            self._reply(connection, line)

    def _reply(self, connection: _Connection, line: bytes) -> None:
        if len(line) > MOST_BYTES:
            answer: Answer = {"answer": "refused", "reason": f"malformed: longer than {MOST_BYTES} bytes"}
        else:
            answer = self._answer(line)
        if answer["answer"] in {"refused", "started", "busy"}:
            _say(f"{answer['answer']}: {answer.get('reason') or answer.get('policy') or ''} {line[:400]!a}")
        connection.unsent = wire.dumps(answer) + b"\n"
        self._poll.modify(connection.client.fileno(), select.POLLOUT)

    def _close(self, connection: _Connection) -> None:
        self._poll.unregister(connection.client.fileno())
        del self._open[connection.client.fileno()]
        connection.client.close()


def _say(text: str) -> None:
    """Write a line for the journal; whatever came from outside stands in it escaped. Without a reader it is lost."""
    try:
        sys.stderr.write(f"{text}\n")
    except OSError:
        return
