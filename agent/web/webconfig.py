"""TLS and users with passwords, from a file in the shape of Prometheus' web configuration."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from agent.telemetry import log

_log = log.get("web")
_NO_CERTIFICATE = "NoClientCert"
_IF_GIVEN = "VerifyClientCertIfGiven"
_REQUIRED = "RequireAndVerifyClientCert"
_VERSIONS = {"TLS12": 2, "TLS13": 3}
_TLS_KEYS = frozenset(
    {"cert_file", "key_file", "client_auth_type", "client_ca_file", "client_allowed_sans", "min_version"}
)
_HASHES = ("$2a$", "$2b$", "$2y$", "$y$", "$6$", "$5$")
"""What may stand in front of a password's hash: bcrypt as Prometheus has it, yescrypt, SHA."""


class WebConfigError(ValueError):
    """The file cannot be used; the message names the place and the fix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """What the server shows, and of whom it asks a certificate."""

    certificate: Path
    key: Path
    authority: Path | None = None
    """Who signs the certificates of clients."""
    required: bool = False
    """Whether a client must show one."""
    names: frozenset[str] = frozenset()
    """Of clients whose certificate has one of these as alternative name; empty: of all."""
    minor_version: int = 2
    """Of TLS 1, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """The file's content. `users`: hash by name."""

    tls: TlsFiles | None = None
    users: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> tuple[Path, ...]:
        tls = self.tls
        return () if tls is None else tuple(file for file in (tls.certificate, tls.key, tls.authority) if file)


def parse(text: str, base: Path) -> WebConfig:
    """Return the configuration; relative paths start at `base`. Raise WebConfigError."""
    try:
        document = yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506 - it makes texts, lists and mappings only
    except yaml.YAMLError as error:
        raise WebConfigError(f"is no YAML: {error}") from error
    tables = _table({} if document is None else document, "the file", {"tls_server_config", "basic_auth_users"})
    tls = tables.get("tls_server_config")
    users = _table(tables.get("basic_auth_users") or {}, "basic_auth_users", None)
    for name, hashed in users.items():
        if not isinstance(hashed, str) or not hashed.startswith(_HASHES):
            raise WebConfigError(f"basic_auth_users: {name}: is no bcrypt hash: make one with htpasswd -nBC 10 {name}")
    return WebConfig(tls=None if tls is None else _tls(tls, base), users=users)


def _tls(value: object, base: Path) -> TlsFiles:
    table = _table(value, "tls_server_config", _TLS_KEYS)
    for name, said in table.items():
        if name != "client_allowed_sans" and not isinstance(said, str):
            raise WebConfigError(f"tls_server_config: {name} must be one text")
    for name in ("cert_file", "key_file"):
        if not table.get(name):
            raise WebConfigError(f"tls_server_config: {name} is missing")
    asked = table.get("client_auth_type") or _NO_CERTIFICATE
    if asked not in {_NO_CERTIFICATE, _IF_GIVEN, _REQUIRED}:
        known = f"{_NO_CERTIFICATE}, {_IF_GIVEN} or {_REQUIRED}"
        raise WebConfigError(f"tls_server_config: client_auth_type must be {known}, not {asked!r}")
    authority = table.get("client_ca_file")
    if bool(authority) != (asked != _NO_CERTIFICATE):
        raise WebConfigError("tls_server_config: client_ca_file and client_auth_type belong together")
    version = table.get("min_version") or "TLS12"
    if version not in _VERSIONS:
        raise WebConfigError(f"tls_server_config: min_version must be TLS12 or TLS13, not {version!r}")
    names = table.get("client_allowed_sans") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise WebConfigError("tls_server_config: client_allowed_sans must be a list of names")
    return TlsFiles(
        certificate=base / table["cert_file"],
        key=base / table["key_file"],
        authority=base / authority if authority else None,
        required=asked == _REQUIRED,
        names=frozenset(names),
        minor_version=_VERSIONS[version],
    )


def _table(value: object, place: str, known: Iterable[str] | None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise WebConfigError(f"{place} must be a mapping")
    odd = sorted(set(value) - set(known)) if known is not None else []
    if odd:
        raise WebConfigError(f"{place}: {odd[0]} is not supported here; there is {', '.join(sorted(known or ()))}")
    return value


class WebConfigFile:
    """The file, as it was when it could last be used. Belongs to the event loop."""

    def __init__(self, path: Path) -> None:
        """Raise WebConfigError if it cannot be used to begin with."""
        self._path = path
        self._seen: tuple[object, ...] = ()
        self._changed: list[Callable[[], None]] = []
        self.current = self._read()
        self._seen = self._stamp()

    def on_change(self, take: Callable[[], None]) -> None:
        """Have this called when the file or one that it names has changed; it may raise WebConfigError."""
        self._changed.append(take)

    def refresh(self) -> None:
        """Take over what has changed since; if it is wrong, say so once and go on with what there was."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        before = self.current
        try:
            self.current = self._read()
            for take in self._changed:
                take()
        except WebConfigError as error:
            self.current = before
            _log.error("the new web configuration is refused", file=str(self._path), error=str(error))
            return
        self._seen = self._stamp()
        _log.info("web configuration read again", file=str(self._path))

    def _read(self) -> WebConfig:
        try:
            return parse(self._path.read_text(), self._path.parent)
        except (OSError, UnicodeDecodeError) as error:
            raise WebConfigError(f"cannot be read: {error}") from error

    def _stamp(self) -> tuple[object, ...]:
        return tuple(_state(file) for file in (self._path, *self.current.files))


def _state(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
