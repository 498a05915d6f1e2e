"""Notices as JSON to a program: one POST each, with a key that is the same for a repetition, and signed.

The body is an object: `key`, `subject`, `text`, `priority`, `person` (empty: whoever the channel reaches), `audience`,
`incident`, `service`, `state`, `reason`. Headers: `Idempotency-Key` is the key; `X-Paramedic-Signature`, with a
secret, is `sha256=` and the HMAC-SHA256 of the body in hexadecimal. An answer of 2xx takes it; 3xx, and 4xx other than
408, 425 and 429, refuse it for good; after anything else it comes again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from agent.notify.contract import Notice, document
from agent.notify.posting import post, reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Where to post. `sign` returns the signature of a body; None: nobody asks for one."""

    url: Callable[[], str]
    sign: Callable[[bytes], str] | None = None
    timeout_seconds: float = 10.0


class Hook:
    """A channel to a program."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def send(self, notice: Notice) -> None:
        """Raise NotifyError, which never shows the address."""
        body = document(notice)
        headers = {"Idempotency-Key": notice.key}
        if self._receiver.sign is not None:
            headers["X-Paramedic-Signature"] = self._receiver.sign(body)
        post(self._receiver.url(), body, headers, self._receiver.timeout_seconds)

    def check(self) -> None:
        """Raise NotifyError."""
        if self._receiver.sign is not None:
            self._receiver.sign(b"")
        reach(self._receiver.url(), self._receiver.timeout_seconds)
