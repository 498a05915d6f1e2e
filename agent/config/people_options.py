"""Options of how people are told: channels, and which incidents go where."""

# ruff: noqa: RUF009
# `option` returns a field.

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent.config.option import Seconds, option, required
from agent.config.values import GREATEST_PORT, check_name
from agent.itsm.priority import PRIORITIES


def check_mail_address(text: str) -> None:
    """Accept plain addresses; the empty text is no address."""
    if text and not re.fullmatch(r"[A-Za-z0-9._%+=/-]{1,64}@[A-Za-z0-9.-]{1,190}", text):
        raise ValueError(f'must be an address such as "ops@example.org", not {text!r}')


def check_priority(text: str) -> None:
    if text not in PRIORITIES:
        raise ValueError(f"priorities are {', '.join(PRIORITIES)}, not {text!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelOptions:
    """A way to tell people: e-mail, or a chat with incoming webhooks as Slack has them. Routes say of what."""

    name: str = required("Its name in routes, the outbox and metrics.", example="ops-mail", check=check_name)
    kind: Literal["email", "slack"] = option("email", "email or slack.")
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
        None, "slack: file holding the address of the incoming webhook.", example="/etc/paramedic/slack-url"
    )
    timeout: Seconds = option(Seconds(10.0), "How long one step of a delivery may take.")

    def __post_init__(self) -> None:
        if self.kind == "email" and not (self.host and self.sender and self.to):
            raise ValueError("an e-mail channel needs host, sender and to")
        if self.kind == "slack" and self.url_file is None:
            raise ValueError("a slack channel needs url_file")
        if self.user and self.password_file is None:
            raise ValueError("user needs password_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteOptions:
    """Which incidents a channel hears of: begin, escalation, broken promises, end. Every route that fits counts."""

    channels: tuple[str, ...] = required("Names of channels.", example=["ops-mail"], filled=True)
    services: tuple[str, ...] = option((), "Services of the catalogue; none: all.", example=["shop"])
    priorities: tuple[str, ...] = option((), "Priorities; none: all.", example=["P1", "P2"], check=check_priority)
    calendar: str = option(
        "", "A calendar, asked whenever something happens to an incident; none: at any time.", example="office"
    )
    within: bool = option(True, "In the calendar's hours; false: outside of them.")
