"""JSON over HTTP with a ticket server: bounded in time and size, no redirects, and errors that say nothing secret."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.tickets.contract import TicketError
from agent.tickets.credentials import Login, LoginSource, nobody
from agent.tickets.plaintext import one_line

Json = Any

MAX_RETRY_AFTER_SECONDS = 3600.0
EXCERPT_LENGTH = 200

REMAINING = "X-RateLimit-Remaining"
TRANSIENT = frozenset({408, 409, 412, 423, 425, 429})
"""Client errors that time or repeating can mend. All other 4xx are permanent, all 5xx are transient."""
MOVED_FOR_GOOD = frozenset({301, 308})
"""A wrong address in our configuration. Other redirects are what a server under maintenance sends."""


def checked_url(url: str) -> str:
    """Return the URL without a slash at its end; raise ValueError unless it is plain http(s) without credentials."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("url must begin with http:// or https:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("url must not contain a user or password: use the options for them")
    if parts.query or parts.fragment:
        raise ValueError("url must not have a query or a fragment")
    return url.rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete answer below the size limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def document(self) -> Json:
        """Return the JSON document, None for an empty body; raise TicketError for anything else."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise TicketError(f"answered {self.status} with something that is not JSON") from None


def listed(document: Json) -> list[Any]:
    """Return the document if it is a list; raise TypeError. Anything else could pass for an empty one."""
    if not isinstance(document, list):
        raise TypeError("not a list")
    return document


@contextmanager
def understood(system: str) -> Iterator[None]:
    """Turn an answer of an unexpected shape into a TicketError: what a server sends is input like any other."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError):
        raise TicketError(f"the answer is not what {system} sends; is the url right?") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestClient:
    """Sends requests to one server. Safe to use from several threads: it keeps nothing between two requests."""

    url: str
    timeout_seconds: float
    ca_file: Path | None = None
    login: LoginSource = nobody
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self, method: str, path: str, *, query: Mapping[str, str] | None = None, document: object = None) -> Json:
        """Send and receive JSON. An empty answer is None."""
        body = None if document is None else json.dumps(document).encode()
        return self.send(method, path, query=query, body=body).document()

    def patch(self, path: str, document: object, *, etag: str, accept: frozenset[int]) -> Answer:
        """Change something unless it has changed since it had this etag."""
        return self.send("PATCH", path, body=json.dumps(document).encode(), headers={"If-Match": etag}, accept=accept)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        accept: frozenset[int] = frozenset(),
    ) -> Answer:
        """Return an answer of 2xx or a status in `accept`; raise TicketError for all others."""
        login = self.login()
        content = {"Content-Type": "application/json"} if body is not None else {}
        sent = {"Accept": "application/json", "Accept-Encoding": "identity", **content, **self.headers}
        sent |= {**(headers or {}), **login.headers}
        answer = self._exchange(method, self.url + path, query, body, sent)
        if 200 <= answer.status < 300 or answer.status in accept:  # noqa: PLR2004 - the class of status codes
            return answer
        raise refusal(answer, login)

    def _exchange(
        self, method: str, url: str, query: Mapping[str, str] | None, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        from agent import outgoing  # noqa: PLC0415 - 6 MiB that only a daemon with a ticket server needs

        try:
            with (
                outgoing.session() as session,
                outgoing.answered(
                    session,
                    method,
                    url,
                    timeout_seconds=self.timeout_seconds,
                    headers=headers,
                    query=query,
                    body=body,
                    ca_file=self.ca_file,
                ) as response,
            ):
                return Answer(status=response.status_code, headers=response.headers, body=outgoing.content(response))
        except outgoing.UnansweredError as error:
            raise TicketError(f"{urlsplit(self.url).netloc}: {error}") from None


def refusal(answer: Answer, login: Login) -> TicketError:
    """Return what an answer that is not a success means to us."""
    if 300 <= answer.status < 400:  # noqa: PLR2004 - the class of status codes
        target = urlsplit(answer.headers.get("Location", ""))
        place = one_line(f"{target.scheme}://{target.hostname}" if target.hostname else target.path, EXCERPT_LENGTH)
        reason = f"answered {answer.status}: redirects to {place}; redirects are not followed"
        return TicketError(reason, permanent=answer.status in MOVED_FOR_GOOD)
    # GitHub says 403 to those who have asked too often.
    limited = answer.status == 403 and ("Retry-After" in answer.headers or answer.headers.get(REMAINING) == "0")  # noqa: PLR2004 - same
    permanent = 400 <= answer.status < 500 and answer.status not in TRANSIENT and not limited  # noqa: PLR2004 - same
    said = excerpt(answer, login)
    reason = f"answered {answer.status}" + (f": {said}" if said else "")
    return TicketError(reason, permanent=permanent, retry_after=retry_after(answer.headers))


def excerpt(answer: Answer, login: Login) -> str:
    """Return the start of a JSON or text error message; an HTML page says nothing worth repeating."""
    if "html" in answer.headers.get("Content-Type", "").lower():
        return "an HTML page"
    return quoted(answer.body[: 16 * EXCERPT_LENGTH].decode(errors="replace"), login)


def quoted(text: str, login: Login) -> str:
    """Return the start of what a server says, on one line and without the secrets that we sent it."""
    for secret in login.secrets:
        text = text.replace(secret, "[secret]")
    return one_line(" ".join(text.split()), EXCERPT_LENGTH)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that Retry-After asks for: a number, or a date compared with the server's own clock."""
    asked = headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit():
        return min(float(asked[:9]), MAX_RETRY_AFTER_SECONDS)
    try:
        wait = (parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get("Date", ""))).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(wait, 0.0), MAX_RETRY_AFTER_SECONDS)
