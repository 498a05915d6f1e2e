"""Options of how people are told: channels."""

# ruff: noqa: RUF009
# `option` returns a field.

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent.config.option import Seconds, option, required
from agent.config.values import GREATEST_PORT, check_mail_address, check_name


def check_topic(text: str) -> None:
    """Accept a topic to publish on, and nothing at all."""
    if not re.fullmatch(r"[^+#\0]{0,200}", text) or text.startswith("$"):
        raise ValueError(f"must be a topic without + and #, not {text!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelOptions:
    """A way to tell people. Routes, chains, hand-overs and digests say of what."""

    name: str = required("Its name in routes, the outbox and metrics.", example="ops-mail", check=check_name)
    kind: Literal["email", "slack", "webhook", "mqtt", "apprise"] = option(
        "email",
        "email; slack: a chat with incoming webhooks as Slack has them; webhook: JSON to programs; mqtt: JSON on"
        " a topic of the broker in [mqtt]; apprise: what the package apprise knows (the extra `notify`).",
    )
    audience: Literal["technical", "business"] = option(
        "technical", "business leaves out everything but what it means for those who are served."
    )
    host: str = option("", "email: the mail server.", example="mail.example.org")
    port: int = option(587, "email: its port.", most=GREATEST_PORT)
    tls: Literal["starttls", "tls", "off"] = option("starttls", "email: how the connection is encrypted.")
    user: str = option("", "email: whom to log in as; none: nobody.")
    password_file: Path | None = option(None, "email: file holding the password.", example="/etc/paramedic/mail")
    ca_file: Path | None = option(
        None, "email: certificates to trust instead of the system's.", example="/etc/paramedic/ca.pem"
    )
    sender: str = option("", "email: who it comes from.", example="paramedic@example.org", check=check_mail_address)
    to: tuple[str, ...] = option((), "email: who gets it.", example=["ops@example.org"], check=check_mail_address)
    url_file: Path | None = option(
        None, "slack, webhook, apprise: file holding the address, a secret.", example="/etc/paramedic/slack-url"
    )
    secret_file: Path | None = option(
        None, "webhook: file holding the key of the signature.", example="/etc/paramedic/webhook-key"
    )
    topic: str = option(
        "", "mqtt: the topic; default: PREFIX/HOST/notices/NAME.", example="ops/alerts", check=check_topic
    )
    timeout: Seconds = option(
        Seconds(10.0),
        "How long a delivery may take; by e-mail and Apprise: a step of one, and six times as long the whole.",
    )

    def __post_init__(self) -> None:
        if self.kind == "email" and not (self.host and self.sender and self.to):
            raise ValueError("an e-mail channel needs host, sender and to")
        if self.kind in {"slack", "webhook", "apprise"} and self.url_file is None:
            raise ValueError(f"{'an' if self.kind == 'apprise' else 'a'} {self.kind} channel needs url_file")
        if self.user and self.password_file is None:
            raise ValueError("user needs password_file")
