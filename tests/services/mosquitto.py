"""mosquitto on a loopback port: anonymous or with passwords, plain or with TLS, with durable persistence."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services.service import (
    Service,
    free_port,
    hand_over,
    listens,
    need,
    private_directory,
    run_once,
    started,
)
from tests.services.tls import make_certificates


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where the broker listens. `ca_file` is None without TLS; with it, connect to `host` so that the name matches."""

    host: str
    port: int
    ca_file: Path | None
    users: Mapping[str, str]
    service: Service


@contextmanager
def running_mosquitto(
    *, tls: bool = False, users: Mapping[str, str] | None = None, access: str = "", extra: str = ""
) -> Iterator[Broker]:
    """Run mosquitto. `users` maps names to passwords (None: anonymous); `access` is an ACL file's text."""
    program = need("mosquitto", "mosquitto")
    with private_directory("mosquitto") as directory:
        port = free_port()
        lines = [f"listener {port} 127.0.0.1", "log_type all", "log_dest stderr", *_durable(directory)]
        lines += _authentication(directory, users or {}, access)
        ca_file = None
        if tls:
            made = make_certificates(directory)
            lines += [f"certfile {made.certificate}", f"keyfile {made.key}"]
            ca_file = made.authority
        configuration = directory / "mosquitto.conf"
        configuration.write_text("\n".join([*lines, extra, ""]))
        service = Service(argv=(program, "-c", str(configuration)), directory=directory, ready=lambda: listens(port))
        with started(service):
            yield Broker(
                host="localhost" if tls else "127.0.0.1", port=port, ca_file=ca_file, users=users or {}, service=service
            )


def _durable(directory: Path) -> list[str]:
    # Without these two, a broker that is killed forgets what it has acknowledged.
    return [
        "persistence true",
        f"persistence_location {directory}/",
        "autosave_on_changes true",
        "autosave_interval 1",
    ]


def _authentication(directory: Path, users: Mapping[str, str], access: str) -> list[str]:
    if not users:
        return ["allow_anonymous true"]
    passwords = directory / "passwords"
    passwords.write_text("")
    passwords.chmod(0o600)
    hand_over(passwords)
    for name, password in users.items():
        run_once((need("mosquitto_passwd", "mosquitto"), "-b", str(passwords), name, password), directory)
    lines = ["allow_anonymous false", f"password_file {passwords}"]
    if access:
        rules = directory / "access"
        rules.write_text(access)
        rules.chmod(0o600)
        hand_over(rules)
        lines.append(f"acl_file {rules}")
    return lines
