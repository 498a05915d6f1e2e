"""Who may ask for what (semantics §7)."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum, auto
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

from agent.telemetry import metrics
from agent.web.rates import Rates


class Scope(StrEnum):
    """What a token opens. None of them opens another."""

    READ = "read"
    INGEST = "ingest"
    OPERATE = "operate"


EVERY_SCOPE = frozenset(Scope)


class Need(Enum):
    """What a route asks of its caller. The Unix socket may do everything: its file's permissions let the caller in."""

    NOTHING = auto()
    READ = auto()
    """Open to loopback unless `open_read` says otherwise; others need the scope read."""
    INGEST = auto()
    """The scope ingest; open to loopback where `open_ingest` says so."""
    OPERATE = auto()
    """The scope operate."""


_SCOPES = {Need.READ: Scope.READ, Need.INGEST: Scope.INGEST, Need.OPERATE: Scope.OPERATE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who is at the other end. `actor` is what the audit shows."""

    actor: str
    loopback: bool
    socket: bool = False
    """It came over the Unix socket."""
    address: str = ""
    """The IP address; "" for the Unix socket."""
    certificate: str = ""
    """The common name of the client's certificate, if it showed one that the web configuration's CA has signed."""

    @property
    def name(self) -> str:
        """Return the actor without where it called from: what approvers are listed by."""
        return self.actor.rpartition(" (")[0]

    @property
    def channel(self) -> str:
        return "cli" if self.socket else "api"


class AccessError(Exception):
    """The caller may not; the message says why. `headers` belong to the answer."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token: its owner's name for the audit, and its secret in a file or as a hash."""

    name: str
    scopes: frozenset[Scope]
    secret_file: Path | None = None
    sha256: str = ""
    """Hexadecimal; used where there is no file."""

    def is_secret(self, digest: bytes) -> bool:
        """Tell whether this is the SHA-256 of the secret. The file is read anew: a token changes without a restart."""
        try:
            known = bytes.fromhex(self.sha256) if self.secret_file is None else _digest_of(self.secret_file)
        except OSError:
            return False
        return hmac.compare_digest(known, digest)


class Passwords(Protocol):
    """Users with passwords, as the web configuration lists them."""

    def any(self) -> bool: ...

    async def accepts(self, authorization: str) -> str:
        """Return the user whose name and password stand in a Basic header, "" if they are nobody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The doors of this daemon, as configured."""

    tokens: Sequence[Token] = ()
    passwords: Passwords | None = None
    user_scopes: frozenset[Scope] = frozenset()
    """What users with a password may do."""
    certificate_scopes: frozenset[Scope] = frozenset()
    """What clients with a certificate may do."""
    open_read: bool = True
    open_ingest: bool = False
    rates: Rates | None = None
    """How fast addresses and tokens may ask; loopback and the socket as fast as they like."""
    _open: frozenset[Need] = field(init=False)
    """What loopback may do without showing anything."""

    def __post_init__(self) -> None:
        doors = {Need.READ: self.open_read, Need.INGEST: self.open_ingest}
        object.__setattr__(self, "_open", frozenset(need for need, is_open in doors.items() if is_open))

    async def admit(self, need: Need, peer: Peer, authorization: str) -> Peer:
        """Return the caller, named after what let it in. Raise AccessError."""
        self._slow_down(peer, peer.address)
        if need is Need.NOTHING or peer.socket or (peer.loopback and need in self._open):
            return peer
        scope = _SCOPES[need]
        name, scopes = await self._identity(peer, authorization)
        if scope in scopes:
            self._slow_down(peer, f"name {name}")
            return replace(peer, actor=f"{name} ({peer.address})")
        if name:
            raise AccessError(403, f"this needs the scope {scope}, which {name} does not have")
        raise self._nobody(scope)

    def _slow_down(self, peer: Peer, who: str) -> None:
        seconds = self.rates.wait(who) if self.rates is not None and not (peer.loopback or peer.socket) else 0
        if seconds:
            metrics.HTTP_REFUSED.labels("rate").inc()
            raise AccessError(429, "too many requests", {"retry-after": str(seconds)})

    async def _identity(self, peer: Peer, authorization: str) -> tuple[str, frozenset[Scope]]:
        """Return whose credentials these are and what they open; ("", nothing) for nobody's."""
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() == "bearer":
            digest = hashlib.sha256(given.strip().encode(errors="surrogateescape")).digest()
            found = [token for token in self.tokens if token.is_secret(digest)]
            return (found[0].name, found[0].scopes) if found else ("", frozenset())
        if scheme.lower() == "basic" and self.passwords is not None:
            user = await self.passwords.accepts(authorization)
            return user, self.user_scopes if user else frozenset()
        return peer.certificate, self.certificate_scopes if peer.certificate else frozenset()

    def _nobody(self, scope: Scope) -> AccessError:
        has_users = self.passwords is not None and self.passwords.any()
        if not self.tokens and not has_users and not self.certificate_scopes:
            return AccessError(403, f"this needs a token with the scope {scope}, and there is none: see [[web.tokens]]")
        challenge = 'Basic realm="paramedic"' if has_users and scope in self.user_scopes else "Bearer"
        return AccessError(401, f"this needs the scope {scope}: show its token", {"www-authenticate": challenge})


def _digest_of(file: Path) -> bytes:
    """Return the digest of the file's secret; of an empty one, what no secret has."""
    secret = file.read_bytes().strip()
    return hashlib.sha256(secret).digest() if secret else b""


def tcp_peer(host: str, certificate: str = "") -> Peer:
    """Return the caller behind an IP address."""
    try:
        address = ip_address(host)
    except ValueError:
        return Peer(actor="unknown address", loopback=False)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return Peer(
        actor=f"anonymous ({mapped})", loopback=mapped.is_loopback, address=str(mapped), certificate=certificate
    )
