"""Whether a web service answers as it should. Each configured URL is a target.

Redirects are an answer like any other and are not followed: no header of ours reaches a host that nobody configured.
"""

import io
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import SplitResult, urlsplit

from collectors.probe_tcp import DURATION, SUCCESS, connect, refuse_twins, seconds_left
from collectors.sample import Sample, gauge
from collectors.spec import CollectError, TargetedSpec

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

STATUS = gauge("probe_http_status_code", "Status of the answer, or 0 if there was none.")
METHODS = ("GET", "HEAD")
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTarget:
    """A service: a name for it, its URL, and what it must answer.

    Without `expected_status` any 2xx will do. `contains` is text that the first `max_body_bytes` of the body must
    hold. `ca_file` names the authorities to trust instead of the host's.
    """

    name: str
    url: str
    method: str = "GET"
    expected_status: tuple[int, ...] = ()
    contains: str = ""
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        url = urlsplit(self.url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"{self.name}: the URL is not http(s)://host")
        if not self.url.isascii() or not self.url.isprintable() or " " in self.url:
            raise ValueError(f"{self.name}: the URL holds characters that must be percent-encoded")
        if url.username or url.password:
            raise ValueError(f"{self.name}: the URL must not hold a user or password, for it is shown")
        if self.method not in METHODS:
            raise ValueError(f"{self.name}: the method must be one of {', '.join(METHODS)}")
        _ = url.port  # raises ValueError when it is not a port


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """What to ask, how long to wait for the answer and how much of it to read."""

    targets: tuple[HttpTarget, ...] = ()
    timeout_seconds: float = 5.0
    max_body_bytes: int = 1 << 16

    def __post_init__(self) -> None:
        refuse_twins([target.name for target in self.targets])


def targets(options: HttpOptions) -> Sequence[str]:
    return [target.name for target in options.targets]


def collect(options: HttpOptions, target: str) -> Iterator[Sample]:
    chosen = next((known for known in options.targets if known.name == target), None)
    if chosen is None:
        raise CollectError(f"no probe is named {target!r}")
    labels = (("probe", chosen.name), ("target", _shown(urlsplit(chosen.url))))
    started = time.monotonic()
    status, body = _answer(chosen, options, started + options.timeout_seconds)
    yield Sample(SUCCESS.name, float(_as_expected(chosen, status, body)), labels)
    yield Sample(DURATION.name, time.monotonic() - started, labels)
    yield Sample(STATUS.name, float(status), labels)


def _shown(url: SplitResult) -> str:
    """A query often holds a token, so it does not become a label."""
    return f"{url.scheme}://{url.netloc}{url.path}"


def _as_expected(target: HttpTarget, status: int, body: bytes) -> bool:
    right_status = status in target.expected_status if target.expected_status else status // 100 == 2  # noqa: PLR2004
    return right_status and target.contains.encode() in body


def _answer(target: HttpTarget, options: HttpOptions, deadline: float) -> tuple[int, bytes]:
    """Return status and beginning of the body; status 0 means no answer that is HTTP, in time."""
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415 -- heavy, and only needed by a probe

    url = urlsplit(target.url)
    request = HTTPConnection(url.hostname or "", url.port or PORTS[url.scheme])
    try:
        with _connected(target, url, deadline) as connection:
            request.sock = cast("socket.socket", _Timed(connection, deadline))
            request.request(target.method, _path(url), headers={"User-Agent": "paramedic", "Connection": "close"})
            response = request.getresponse()
            return response.status, response.read(options.max_body_bytes)
    except (OSError, HTTPException, UnicodeError):
        return 0, b""


def _connected(target: HttpTarget, url: SplitResult, deadline: float) -> socket.socket:
    if url.scheme == "http":
        return connect(url.hostname or "", url.port or PORTS[url.scheme], deadline)
    import ssl  # noqa: PLC0415 -- see _answer

    try:
        context = ssl.create_default_context(cafile=target.ca_file)
    except OSError as error:
        raise CollectError(f"cannot read the authorities in {target.ca_file}: {error}") from error
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


SPEC = TargetedSpec(
    name="probe_http", options=HttpOptions, targets=targets, collect=collect, metrics=(SUCCESS, DURATION, STATUS)
)
