"""Checks of single values that a type cannot express. Each raises ValueError with the fix."""

import re
from collections.abc import Mapping

from agent.itsm.priority import PRIORITIES
from remediations.kinds import UNIT

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_LISTEN = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:\s]*):(?P<port>\d{1,5})")
GREATEST_PORT = 65535
RESERVED = "paramedic-drill"
"""Begins the names of what drills bring with them."""


def check_name(text: str) -> None:
    """Names become label values, topics and file names, so they are plain."""
    if not _NAME.fullmatch(text):
        raise ValueError(f"must be 1 to 64 letters, digits, dots, dashes or underscores, not {text!r}")
    if text.startswith(RESERVED):
        raise ValueError(f"names that begin with {RESERVED} are the drills' own: choose another than {text!r}")


def check_listen(text: str) -> None:
    """Accept "host:port" and "[v6]:port"; the empty text means that nothing listens."""
    if text:
        address(text)


def address(text: str) -> tuple[str, int]:
    """Return host and port of a listen address; no host means all of them."""
    found = _LISTEN.fullmatch(text)
    if not found or int(found["port"]) > GREATEST_PORT:
        raise ValueError(f'must be "host:port", such as "127.0.0.1:8911" or "[::1]:8911", not {text!r}')
    return found["host"].strip("[]"), int(found["port"])


def check_url(text: str) -> None:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", text):
        raise ValueError(f"must be an address that begins with http:// or https://, not {text!r}")


def check_optional_url(text: str) -> None:
    if text:
        check_url(text)


def check_labels(pairs: Mapping[str, str]) -> None:
    """Accept labels as Prometheus' external labels may be named; those that begin with `__` are its own."""
    for name in pairs:
        if not _LABEL.fullmatch(name) or name.startswith("__"):
            raise ValueError(f"label names have letters, digits and underscores and do not begin with `__`: {name!r}")


def check_sha256(text: str) -> None:
    """Accept a hash in hexadecimal, and nothing at all."""
    if text and not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise ValueError("must be 64 hexadecimal digits: printf %s TOKEN | sha256sum")


def check_unit(text: str) -> None:
    """Accept the names of units that an action can be told, and no pattern."""
    if text.startswith("-") or not re.fullmatch(UNIT.pattern, text, re.ASCII):
        raise ValueError(f"must be {UNIT.says}, not {text!r}")
    UNIT.convert(text)


def check_approver(text: str) -> None:
    """Accept a name, or a channel and a name."""
    if not re.fullmatch(r"(?:(?:cli|api|mqtt|rt|roundup|redmine|jira|github|gitlab):)?[^\s:]{1,64}", text):
        raise ValueError(f'must be a name such as "ann", or one on a channel such as "rt:ann", not {text!r}')


def check_mail_address(text: str) -> None:
    """Accept plain addresses; the empty text is no address."""
    if text and not re.fullmatch(r"[A-Za-z0-9._%+=/-]{1,64}@[A-Za-z0-9.-]{1,190}", text):
        raise ValueError(f'must be an address such as "ops@example.org", not {text!r}')


def check_priority(text: str) -> None:
    if text not in PRIORITIES:
        raise ValueError(f"priorities are {', '.join(PRIORITIES)}, not {text!r}")
