"""Secrets from files, and the headers that carry them."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.tickets.contract import TicketError
from agent.tickets.spec import Secrets

MAX_SECRET_BYTES = 64 * 1024


def read_secret(path: Path) -> str:
    """Return the file's text without the line end; raise TicketError, which never shows the content."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_SECRET_BYTES).decode()
    except OSError as error:
        raise TicketError(f"cannot read the secret in {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TicketError(f"the secret in {path} is not UTF-8 text") from None
    secret = text.rstrip("\r\n")
    if not secret:
        raise TicketError(f"the secret in {path} is empty")
    return secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Headers that say who we are, and the strings in them that must never be shown."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


LoginSource = Callable[[], Login]


def nobody() -> Login:
    return Login()


def basic(user: str, password_file: Path, secrets: Secrets) -> LoginSource:
    """HTTP Basic authentication with a password read at each use."""

    def login() -> Login:
        password = secrets(password_file)
        encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
        return Login(headers={"Authorization": f"Basic {encoded}"}, secrets=(password, encoded))

    return login


def bearer(token_file: Path, secrets: Secrets, scheme: str = "Bearer") -> LoginSource:
    """Bearer authentication (or a scheme like it) with a token read at each use."""
    return header("Authorization", token_file, secrets, before=f"{scheme} ")


def header(name: str, token_file: Path, secrets: Secrets, before: str = "") -> LoginSource:
    """Authentication by a header that holds a token, read at each use, with something before it."""

    def login() -> Login:
        token = secrets(token_file)
        if not (token.isascii() and token.isprintable()):
            raise TicketError(f"the token in {token_file} has characters that no HTTP header can carry")
        return Login(headers={name: f"{before}{token}"}, secrets=(token,))

    return login


def signature(body: bytes, key: str) -> str:
    """Return the HMAC-SHA256 of the body as `sha256=` and hexadecimal digits."""
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
