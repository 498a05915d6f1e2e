"""Whether a web service answers as it should. Each configured URL is a target.

Redirects are an answer like any other and are not followed: no header of ours reaches a host that nobody configured.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from collectors import web_request
from collectors.probe_tcp import DURATION, SUCCESS, refuse_twins
from collectors.sample import Sample, gauge
from collectors.spec import CollectError, TargetedSpec

STATUS = gauge("probe_http_status_code", "Status of the answer, or 0 if there was none.")
METHODS = ("GET", "HEAD")


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
        try:
            web_request.check_url(self.url)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from error
        if self.method not in METHODS:
            raise ValueError(f"{self.name}: the method must be one of {', '.join(METHODS)}")


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
    try:
        with web_request.answered(target.url, deadline, method=target.method, ca_file=target.ca_file) as answer:
            return answer.status, answer.read(options.max_body_bytes)
    except web_request.NoAnswerError:
        return 0, b""


SPEC = TargetedSpec(
    name="probe_http", options=HttpOptions, targets=targets, collect=collect, metrics=(SUCCESS, DURATION, STATUS)
)
