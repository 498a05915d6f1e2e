"""Talks to a running daemon: HTTP over its control socket, or over TCP with a token."""

import http.client
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from agent.cli.failure import CommandFailedError

TIMEOUT_SECONDS = 15.0
_MAX_ANSWER = 64 * 1024 * 1024
_START = "start it (`systemctl start paramedic`, or `paramedic run`), or name its socket with --socket"


class ControlError(CommandFailedError):
    """The daemon cannot be reached, or refuses; the message says what to do. `status` is 0 without an answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One daemon. `where` is for messages."""

    connect: Callable[[], http.client.HTTPConnection]
    where: str
    token: str = ""

    def get(self, *path: str, **query: str | int) -> Any:  # noqa: ANN401 - JSON
        """Return the answer to GET /control/PATH. Raise ControlError."""
        return self._ask("GET", ("control", *path), query=urlencode(query))

    def api(self, *path: str, **query: str) -> Any:  # noqa: ANN401 - JSON
        """Return the answer of the query API, as Prometheus gives it, to GET /api/v1/PATH. Raise ControlError."""
        return self._ask("GET", ("api", "v1", *path), query=urlencode(query))

    def post(self, *path: str, **fields: object) -> Any:  # noqa: ANN401 - JSON
        """Return the answer to POST /control/PATH with these fields. Raise ControlError."""
        return self._ask("POST", ("control", *path), body=json.dumps(fields).encode())

    def alertmanager(self, method: str, *path: str, body: object = None, **query: Sequence[str]) -> Any:  # noqa: ANN401 - JSON
        """Return the answer to a request for /api/v2/PATH, Alertmanager's API. Raise ControlError."""
        content = json.dumps(body).encode() if body is not None else None
        return self._ask(method, ("api", "v2", *path), query=urlencode(query, doseq=True), body=content)

    def _ask(self, method: str, path: Sequence[str], *, query: str = "", body: bytes | None = None) -> Any:  # noqa: ANN401
        target = "/" + "/".join(quote(part, safe="") for part in path) + (f"?{query}" if query else "")
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        connection = self.connect()
        try:
            connection.request(method, target, body, headers | {"Content-Type": "application/json"})
            response = connection.getresponse()
            return _understood(response.status, response.read(_MAX_ANSWER))
        except (OSError, http.client.HTTPException) as error:
            raise ControlError(f"the daemon at {self.where} does not answer ({_reason(error)}): {_START}") from error
        except ValueError as error:
            raise ControlError("the token, or the address, has characters that HTTP cannot carry") from error
        finally:
            connection.close()


def _understood(status: int, content: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        answer = json.loads(content or b"null")
    except ValueError as error:
        told = "there is nothing of this name" if status == http.client.NOT_FOUND else "its answer is not JSON"
        raise ControlError(f"{told} (the daemon answers {status})", status) from error
    if status >= http.client.BAD_REQUEST:
        reason = answer.get("error") if isinstance(answer, Mapping) else answer
        raise ControlError(str(reason or f"the daemon answers {status}"), status)
    return answer


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def over_socket(paths: Sequence[Path], timeout: float = TIMEOUT_SECONDS) -> Client:
    """Return a client of the first of these control sockets at which somebody listens. Raise ControlError if none."""
    reasons = []
    for path in paths:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(timeout)
                probe.connect(str(path))
        except OSError as error:
            reasons.append(f"{path}: {_reason(error)}")
        else:
            return Client(connect=lambda: _SocketConnection(path, timeout), where=str(path))  # noqa: B023 - returned at once
    raise ControlError(f"no daemon is running here ({'; '.join(reasons)}): {_START}")


def over_http(url: str, token: str = "", timeout: float = TIMEOUT_SECONDS) -> Client:
    """Return a client of a daemon's TCP address. Raise ControlError for what is no URL."""
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    try:
        parts = urlsplit(url)
        kind, host, port = kinds.get(parts.scheme), parts.hostname, parts.port
    except ValueError:  # half a bracket, a port that is none
        kind = host = port = None
    if kind is None or not host:
        raise ControlError(f"{url!r} is no address: write http://HOST:PORT, or the path of a control socket")
    return Client(connect=lambda: kind(host, port, timeout=timeout), where=url, token=token)
