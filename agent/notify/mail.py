"""Notices by e-mail: one SMTP conversation each, encrypted unless that is switched off."""

import hashlib
import smtplib
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import Literal

from agent.notify.contract import Notice, NotifyError

RETRY_SECONDS = 30.0
LOGIN_RETRY_SECONDS = 300.0
"""A wrong password that is tried too often locks an account."""
_REJECTED = 500
_URGENT = "P1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A mail server, and the people who get mail through it. `password` raises what `Mail` hands on."""

    host: str
    port: int
    tls: Literal["starttls", "tls", "off"]
    sender: str
    to: tuple[str, ...]
    user: str = ""
    password: Callable[[], str] = str
    ca_file: Path | None = None
    timeout_seconds: float = 10.0


class Mail:
    """A channel by SMTP."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def send(self, notice: Notice) -> None:
        """Raise NotifyError. Addresses that the server refuses keep no others from getting it."""
        to = (notice.to,) if notice.to else self._post.to
        message = _message(self._post, notice, to)
        self._speak(lambda server: server.send_message(message, from_addr=self._post.sender, to_addrs=to))

    def check(self) -> None:
        """Log in, and out again."""
        self._speak(lambda server: server.noop())

    def _speak(self, say: Callable[[smtplib.SMTP], object]) -> None:
        try:
            with self._connected() as server:
                if self._post.user:
                    server.login(self._post.user, self._post.password())
                say(server)
        except smtplib.SMTPAuthenticationError as error:
            raise NotifyError(f"login refused ({error.smtp_code})", retry_after=LOGIN_RETRY_SECONDS) from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise _refused("all addresses", min(codes)) from None
        except smtplib.SMTPResponseException as error:
            raise _refused("the message", error.smtp_code) from None
        except (smtplib.SMTPException, OSError) as error:
            raise NotifyError(f"{type(error).__name__}: {error}", retry_after=RETRY_SECONDS) from None

    def _connected(self) -> smtplib.SMTP:
        post, seconds = self._post, self._post.timeout_seconds
        if post.tls == "off":
            return smtplib.SMTP(post.host, post.port, timeout=seconds)
        context = ssl.create_default_context(cafile=post.ca_file)
        if post.tls == "tls":
            return smtplib.SMTP_SSL(post.host, post.port, timeout=seconds, context=context)
        with ExitStack() as failing:
            server = smtplib.SMTP(post.host, post.port, timeout=seconds)
            failing.callback(server.close)
            server.starttls(context=context)
            failing.pop_all()
        return server


def _message(post: Post, notice: Notice, to: tuple[str, ...]) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = " ".join(notice.subject.split())
    message["From"] = post.sender
    message["To"] = ", ".join(to)
    message["Date"] = formatdate()
    # A repetition carries the same id, so that mail programs show it once.
    digest = hashlib.sha256(notice.key.encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{digest}@{post.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    if notice.priority == _URGENT:
        message["X-Priority"] = "1"
    message.set_content(notice.text)
    if notice.page:
        message.add_attachment(notice.page, subtype="html", filename="report.html")
    return message


def _refused(what: str, code: int) -> NotifyError:
    permanent = code >= _REJECTED
    return NotifyError(f"{what} refused ({code})", permanent=permanent, retry_after=RETRY_SECONDS)
