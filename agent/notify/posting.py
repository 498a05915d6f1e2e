"""One HTTP POST to where people are told. The address is a secret: whoever knows it may post; no error shows it."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

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
    with _asked("POST", url, timeout_seconds, data=body, headers={"Content-Type": "application/json", **headers}) as it:
        judge(it.status_code, it.headers.get("Retry-After", ""))


def reach(url: str, timeout_seconds: float) -> None:
    """Raise NotifyError unless somebody answers there, whatever the answer."""
    with _asked("HEAD", url, timeout_seconds):
        pass


@contextmanager
def _asked(method: str, url: str, timeout_seconds: float, **more: Any) -> Iterator["Response"]:  # noqa: ANN401 - of requests
    import requests  # noqa: PLC0415 - loaded only where somebody is told so

    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", url):
        raise NotifyError("url_file holds no address that begins with https://", retry_after=RETRY_SECONDS)
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.request(
                method, url, timeout=timeout_seconds, allow_redirects=False, stream=True, **more
            ) as answer:
                yield answer
    except requests.RequestException as error:
        raise NotifyError(f"not reached ({type(error).__name__})", retry_after=RETRY_SECONDS) from None


def judge(status: int, retry_after: str = "") -> None:
    """Raise NotifyError for what an HTTP status says, unless it is that all is well."""
    if _OK <= status < _REDIRECT:
        return
    asked = float(retry_after) if re.fullmatch(r"\d{1,6}", retry_after) else RETRY_SECONDS
    permanent = _REDIRECT <= status < _GONE and status not in _PATIENT
    raise NotifyError(f"answered {status}", permanent=permanent, retry_after=min(asked, LONGEST_WAIT_SECONDS))
