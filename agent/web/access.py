"""Who may ask for what (semantics §7)."""

import hmac
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import ip_address
from pathlib import Path


class Need(Enum):
    """What a route asks of its caller."""

    NOTHING = auto()
    READ = auto()
    """Open to the socket and to loopback; others need the token."""
    INGEST = auto()
    """The token, or the socket; loopback where `open_ingest` says so."""
    CONTROL = auto()
    """The token, or the socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who is at the other end. `actor` is what the audit shows."""

    actor: str
    loopback: bool
    socket: bool = False
    """It came over the Unix socket: the file's permissions let it in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    status: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The doors of this daemon, as configured."""

    token_file: Path | None = None
    open_ingest: bool = False

    def denied(self, need: Need, peer: Peer, authorization: str) -> Denied | None:
        """Return why the caller may not, or None if it may."""
        if need is Need.NOTHING or peer.socket:
            return None
        if need is Need.READ and peer.loopback:
            return None
        if need is Need.INGEST and peer.loopback and self.open_ingest:
            return None
        if self.token_file is None:
            return Denied(status=403, reason="this needs a token, and [web] token_file is not set")
        return self._wrong_token(self.token_file, authorization)

    def _wrong_token(self, token_file: Path, authorization: str) -> Denied | None:
        """Compare with the file as it is now, so that a token can be changed without a restart."""
        try:
            expected = token_file.read_bytes().strip()
        except OSError:
            return Denied(status=403, reason="this needs a token, and [web] token_file cannot be read")
        scheme, _, given = authorization.partition(" ")
        right = hmac.compare_digest(given.strip().encode(errors="surrogateescape"), expected)
        if expected and scheme.lower() == "bearer" and right:
            return None
        return Denied(status=401, reason="this needs the bearer token of [web] token_file")


def tcp_peer(host: str) -> Peer:
    """Return the caller behind an IP address."""
    try:
        address = ip_address(host)
    except ValueError:
        return Peer(actor="unknown address", loopback=False)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return Peer(actor=f"token ({mapped})", loopback=mapped.is_loopback)
