"""One HTTP POST to where people are told. The address is a secret: whoever knows it may post; no error shows it."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.notify.contract import NotifyError

if TYPE_CHECKING:
    from requests import Response

RETRY_SECONDS = 30.0
LONGEST_WAIT_SECONDS = 3600.0
_OK, _REDIRECT, _GONE = 200, 300, 500
_PATIENT = frozenset({408, 425, 429})
"""Answers of the 4xx that waiting can mend."""


def post(url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float) -> None:
    """Post JSON. Raise NotifyError unless it was taken."""
    sent = {"Content-Type": "application/json", **headers}
    with _asked("POST", url, timeout_seconds, headers=sent, body=body) as answer:
        judge(answer.status_code, answer.headers.get("Retry-After", ""))


def reach(url: str, timeout_seconds: float) -> None:
    """Raise NotifyError unless somebody answers there, whatever the answer."""
    with _asked("HEAD", url, timeout_seconds):
        pass


@contextmanager
def _asked(
    method: str, url: str, timeout_seconds: float, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Iterator["Response"]:
    from agent import outgoing  # noqa: PLC0415 - loaded only where somebody is told so

    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", url):
        raise NotifyError("url_file holds no address that begins with https://", retry_after=RETRY_SECONDS)
    try:
        with (
            outgoing.session() as session,
            outgoing.answered(
                session, method, url, timeout_seconds=timeout_seconds, headers=headers, body=body
            ) as answer,
        ):
            yield answer
    except outgoing.UnansweredError as error:
        raise NotifyError(str(error), retry_after=RETRY_SECONDS) from None


def judge(status: int, retry_after: str = "") -> None:
    """Raise NotifyError for what an HTTP status says, unless it is that all is well."""
    if _OK <= status < _REDIRECT:
        return
    asked = float(retry_after) if re.fullmatch(r"\d{1,6}", retry_after) else RETRY_SECONDS
    permanent = _REDIRECT <= status < _GONE and status not in _PATIENT
    raise NotifyError(f"answered {status}", permanent=permanent, retry_after=min(asked, LONGEST_WAIT_SECONDS))
