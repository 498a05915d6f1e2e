"""What a channel to people can do for us."""

from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec


class NotifyError(Exception):
    """A notice was not taken. `permanent`: repeating it cannot help; else not again before `retry_after` seconds."""

    def __init__(self, reason: str, *, permanent: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Plain text for people. `key` is unique: whoever gets the same one twice may drop the second."""

    key: str
    subject: str
    text: str
    priority: str = ""
    to: str = ""
    """The mail address of the one person it is for; empty: whoever the channel reaches."""
    person: str = ""
    """That person's name."""
    audience: Literal["technical", "business"] = "technical"
    incident: str = ""
    """Its id; empty: it is about more than one."""
    service: str = ""
    state: str = ""
    reason: str = ""
    """Why people are told."""
    page: str = ""
    """An HTML page that goes with it, where the channel can carry one."""


def document(notice: Notice) -> bytes:
    """Return the notice in JSON, for programs. The page and the mail address are not theirs."""
    fields = {name: getattr(notice, name) for name in Notice.__slots__ if name not in ("to", "page")}
    return msgspec.json.encode(fields)


class Channel(Protocol):
    """Has a time-out of its own."""

    def send(self, notice: Notice) -> None:
        """Deliver a notice, at least once. Raise NotifyError."""

    def check(self) -> None:
        """Raise NotifyError if it cannot be used, as far as that can be seen without telling anybody anything."""
