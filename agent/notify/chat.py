"""Notices to a chat: an incoming webhook as Slack has them, and Mattermost, Rocket.Chat and others after it."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from agent.notify.contract import Notice, NotifyError

RETRY_SECONDS = 30.0
LONGEST_WAIT_SECONDS = 3600.0
_TEXT_LENGTH = 3000
_OK, _REDIRECT, _GONE = 200, 300, 500
_PATIENT = frozenset({408, 425, 429})
"""Answers of the 4xx that waiting can mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Where to post. The address is a secret: whoever knows it may post. `url` raises what `Chat` hands on."""

    url: Callable[[], str]
    timeout_seconds: float = 10.0


class Chat:
    """A channel by an incoming webhook."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def send(self, notice: Notice) -> None:
        """Raise NotifyError, which never shows the address."""
        import requests  # noqa: PLC0415 - loaded only where a chat is told something

        url = self._room.url()
        if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", url):
            raise NotifyError("url_file holds no address that begins with https://", retry_after=RETRY_SECONDS)
        body = json.dumps({"text": f"*{_escaped(notice.subject)}*\n{_escaped(notice.text[:_TEXT_LENGTH])}"})
        headers = {"Content-Type": "application/json"}
        try:
            with requests.Session() as session:
                session.trust_env = False
                with session.post(
                    url,
                    data=body.encode(),
                    headers=headers,
                    timeout=self._room.timeout_seconds,
                    allow_redirects=False,
                    stream=True,
                ) as answer:
                    _judge(answer.status_code, answer.headers.get("Retry-After", ""))
        except requests.RequestException as error:
            raise NotifyError(f"not reached ({type(error).__name__})", retry_after=RETRY_SECONDS) from None


def _judge(status: int, retry_after: str) -> None:
    if _OK <= status < _REDIRECT:
        return
    asked = float(retry_after) if re.fullmatch(r"\d{1,6}", retry_after) else RETRY_SECONDS
    permanent = _REDIRECT <= status < _GONE and status not in _PATIENT
    raise NotifyError(f"answered {status}", permanent=permanent, retry_after=min(asked, LONGEST_WAIT_SECONDS))


def _escaped(text: str) -> str:
    """Without the three characters that mentions and links are made of; what is quoted calls nobody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
