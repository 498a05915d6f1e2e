"""Notices to a chat: an incoming webhook as Slack has them, and Mattermost, Rocket.Chat and others after it."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from agent.notify.contract import Notice
from agent.notify.posting import post, reach

_TEXT_LENGTH = 3000
_CALLING = "@\u200b"
"""An at sign that calls nobody: what is invisible behind it makes it no mention."""


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
        text = quoted(f"{notice.subject}\n\n{notice.text[:_TEXT_LENGTH]}")
        post(self._room.url(), json.dumps({"text": text}).encode(), {}, self._room.timeout_seconds)

    def check(self) -> None:
        """Raise NotifyError."""
        reach(self._room.url(), self._room.timeout_seconds)


def quoted(text: str) -> str:
    """Return a block of code: no links, images, formats or mentions, in Slack's markup and in Markdown."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"```\n{uncalling(escaped).replace('```', chr(39) * 3)}\n```"


def uncalling(text: str) -> str:
    """Return the text with at signs that call nobody."""
    return text.replace("@", _CALLING)
