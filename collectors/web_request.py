"""One request over HTTP(S), with a deadline for the whole of it. Redirects are an answer like any other.

They are not followed, so that no header of ours reaches a host that nobody configured.
"""

import io
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import SplitResult, urlsplit

from collectors.probe_tcp import connect, seconds_left
from collectors.spec import CollectError

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from _typeshed import WriteableBuffer

PORTS = {"http": 80, "https": 443}


class NoAnswerError(Exception):
    """There was no answer that is HTTP, in time; the message says why."""


def check_url(text: str) -> None:
    """Raise ValueError if the text is not a URL that can be asked, and shown."""
    url = urlsplit(text)
    if url.scheme not in PORTS or not url.hostname:
        raise ValueError("the URL is not http(s)://host")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("the URL holds characters that must be percent-encoded")
    if url.username or url.password:
        raise ValueError("the URL must not hold a user or password, for it is shown")
    _ = url.port  # raises ValueError when it is not a port


@contextmanager
def answered(
    text: str,
    deadline: float,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    ca_file: Path | None = None,
) -> Iterator["HTTPResponse"]:
    """Give the answer, its body still to be read; `deadline` (monotonic) holds for that too.

    Raise NoAnswerError if anything fails, reading the body included, and CollectError if `ca_file` cannot be read.
    """
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415 -- heavy, and only needed by who asks

    url = urlsplit(text)
    request = HTTPConnection(url.hostname or "", url.port or PORTS[url.scheme])
    try:
        with _connected(url, ca_file, deadline) as connection:
            request.sock = cast("socket.socket", _Timed(connection, deadline))
            own = {"User-Agent": "paramedic", "Connection": "close"}
            request.request(method, _path(url), headers=own | dict(headers or {}))
            yield request.getresponse()
    except TimeoutError as error:
        raise NoAnswerError("no answer in time") from error
    except (OSError, HTTPException, UnicodeError) as error:
        raise NoAnswerError(getattr(error, "strerror", None) or type(error).__name__) from error


def _connected(url: SplitResult, ca_file: Path | None, deadline: float) -> socket.socket:
    if url.scheme == "http":
        return connect(url.hostname or "", url.port or PORTS[url.scheme], deadline)
    import ssl  # noqa: PLC0415 -- as above

    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise CollectError(f"cannot read the authorities in {ca_file}: {error}") from error
    connection = connect(url.hostname or "", url.port or PORTS[url.scheme], deadline)
    try:
        connection.settimeout(seconds_left(deadline))
        return context.wrap_socket(connection, server_hostname=url.hostname)
    except OSError:
        connection.close()
        raise


def _path(url: SplitResult) -> str:
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


class _Timed:
    """A connection as http.client uses one. A socket's time-out is for one call; here all calls end at the deadline."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def sendall(self, content: bytes) -> None:
        self._connection.settimeout(seconds_left(self._deadline))
        self._connection.sendall(content)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._connection, self._deadline))

    def close(self) -> None:
        """http.client closes before the body is read; whoever opened the connection closes it."""


class _TimedReader(io.RawIOBase):
    def __init__(self, connection: socket.socket, deadline: float) -> None:
        super().__init__()
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        self._connection.settimeout(seconds_left(self._deadline))
        return self._connection.recv_into(buffer)
