"""HTTP that leaves this process: one deadline for a whole exchange, an end to every answer, no redirects, no proxies.

What `requests` calls a time-out is for one read: a server that sends a byte every few seconds is waited for as long as
it likes. Here connecting, sending, headers and body share one deadline, and all that is read is counted.
Brings `requests`, 6 MiB: imported where somebody is asked, not before.
"""

import io
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.client import HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from collectors.probe_tcp import connect, seconds_left

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_ANSWER_BYTES = 1024 * 1024
"""Headers, body and what frames it."""
_PIECE_BYTES = 16 * 1024


class UnansweredError(Exception):
    """There is no whole answer. The message says why, and shows neither address nor header: they hold secrets."""


class _TooLongError(ValueError):
    """More than we read."""


class _Span:
    """When the exchange that is under way must be over."""

    deadline = 0.0

    def seconds_left(self) -> float:
        """Return them; raise TimeoutError when there are none."""
        return seconds_left(self.deadline)


@contextmanager
def session() -> Iterator[requests.Session]:
    """Give a session for one thread. Neither proxies nor passwords come from the environment or ~/.netrc."""
    with requests.Session() as opened:
        opened.trust_env = False
        opened.headers["Accept-Encoding"] = "identity"
        for scheme in ("http://", "https://"):
            opened.mount(scheme, _OneDeadline())
        yield opened


@contextmanager
def answered(
    opened: requests.Session,
    method: str,
    url: str,
    *,
    timeout_seconds: float,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    body: bytes | None = None,
    ca_file: Path | None = None,
) -> Iterator[requests.Response]:
    """Give an answer, its body still to be read by `content`. Raise UnansweredError, inside the block too."""
    try:
        with opened.request(
            method,
            url,
            params=query,
            data=body,
            headers=dict(headers or {}),
            timeout=timeout_seconds,
            verify=str(ca_file) if ca_file else True,
            allow_redirects=False,
            stream=True,
        ) as response:
            yield response
    except _TooLongError:
        raise UnansweredError(f"the answer is longer than {MAX_ANSWER_BYTES >> 20} MiB") from None
    except (OSError, ValueError, HTTPError) as error:
        # requests quotes headers and addresses in its messages, so only the kind of error is told.
        raise UnansweredError(_reason(error, timeout_seconds)) from None


def content(response: requests.Response) -> bytes:
    """Return the body. Raises what `answered` turns into UnansweredError."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        # A megabyte can hold a thousand.
        raise UnansweredError("the answer is packed, which nobody asked for")
    return cast("bytes", response.raw.read(decode_content=False))


def _reason(error: Exception, timeout_seconds: float) -> str:
    if isinstance(error, requests.Timeout) or _timed_out(error):
        return f"no answer within {timeout_seconds:g} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted, or TLS failed"
    return f"not reached ({type(error).__name__})"


def _timed_out(error: BaseException | None) -> bool:
    """Return whether a time-out is at the root of it: each layer wraps it anew."""
    return error is not None and (isinstance(error, TimeoutError) or _timed_out(error.__cause__ or error.__context__))


class _OneDeadline(HTTPAdapter):
    """Sets the deadline anew for each request; its connections keep it."""

    def __init__(self) -> None:
        self._span = _Span()
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - of requests
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(_pool, HTTPConnectionPool, partial(_Timed, self._span)),
            "https": partial(_pool, HTTPSConnectionPool, partial(_TimedTls, self._span)),
        }

    def send(self, *arguments: Any, **options: Any) -> requests.Response:  # noqa: ANN401 - same
        self._span.deadline = time.monotonic() + options["timeout"]
        return super().send(*arguments, **options)


def _pool(kind: Any, connection: Any, *arguments: Any, **options: Any) -> HTTPConnectionPool:  # noqa: ANN401 - of urllib3
    made: HTTPConnectionPool = kind(*arguments, **options)
    made.ConnectionCls = connection
    return made


class _Timed(HTTPConnection):
    """A connection on which each step may take what the deadline leaves it."""

    def __init__(self, span: _Span, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - of urllib3
        super().__init__(*arguments, **options)
        self._span = span
        self.response_class = cast("Any", partial(_Answer, span))

    def _new_conn(self) -> socket.socket:
        try:
            made = connect(self.host, self.port or 0, self._span.deadline)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # For TLS, which is agreed on next.
            made.settimeout(self._span.seconds_left())
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no connection in time") from error
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, f"no connection: {error}") from error
        return made

    def send(self, data: Any) -> None:  # noqa: ANN401 - of http.client; what we send is bytes
        view = memoryview(data)
        for start in range(0, len(view), _PIECE_BYTES):
            if self.sock is not None:
                self.sock.settimeout(self._span.seconds_left())
            super().send(view[start : start + _PIECE_BYTES])


class _TimedTls(_Timed, HTTPSConnection):
    """The same, with TLS."""


class _Answer(HTTPResponse):
    """An answer that is read before the deadline or not at all."""

    def __init__(self, span: _Span, connection: socket.socket, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - of http.client
        super().__init__(connection, *arguments, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_TimedReader(connection, span))


class _TimedReader(io.RawIOBase):
    """Reads from a socket and keeps it open, as its own files do."""

    def __init__(self, connection: socket.socket, span: _Span) -> None:
        super().__init__()
        self._file = connection.makefile("rb", buffering=0)
        self._connection = connection
        self._span = span
        self._left = MAX_ANSWER_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        self._connection.settimeout(self._span.seconds_left())
        size = self._file.readinto(buffer) or 0
        self._left -= size
        if self._left < 0:
            raise _TooLongError
        return size

    def close(self) -> None:
        self._file.close()
        super().close()
