"""Where configuration, state and control socket are, when nobody says so."""

import os
from collections.abc import Mapping
from pathlib import Path

from agent.config.options import Config

SYSTEM_CONFIG = Path("/etc/paramedic/paramedic.toml")
_SYSTEM_STATE = Path("/var/lib/paramedic")
_SOCKET = "paramedic.sock"


def config_path(given: Path | None, environ: Mapping[str, str], system: Path = SYSTEM_CONFIG) -> Path | None:
    """Return the file to read: the given one, $PARAMEDIC_CONFIG, the system's if it exists, else None (defaults)."""
    if given or environ.get("PARAMEDIC_CONFIG"):
        return given or Path(environ["PARAMEDIC_CONFIG"])
    return system if system.exists() else None


def state_directory(config: Config, environ: Mapping[str, str], uid: int | None = None) -> Path:
    """Return where the state lives: as configured, as systemd says, else /var/lib for root or the user's folder."""
    if config.state.directory:
        return config.state.directory
    if environ.get("STATE_DIRECTORY"):
        return Path(environ["STATE_DIRECTORY"].partition(":")[0])
    if (os.geteuid() if uid is None else uid) == 0:
        return _SYSTEM_STATE
    user = environ.get("XDG_STATE_HOME")
    return (Path(user) if user else Path(environ.get("HOME", "~")).expanduser() / ".local/state") / "paramedic"


def control_socket(config: Config, environ: Mapping[str, str], uid: int | None = None) -> Path:
    """Return the daemon's control socket: in systemd's runtime directory, else beside the state."""
    if environ.get("RUNTIME_DIRECTORY"):
        return Path(environ["RUNTIME_DIRECTORY"].partition(":")[0]) / _SOCKET
    return state_directory(config, environ, uid) / _SOCKET


def control_sockets(
    config: Config, environ: Mapping[str, str], uid: int | None = None, *, private: bool = False
) -> tuple[Path, ...]:
    """Return where a client looks for the control socket, in this order: a run of the user, then the host's service.

    With a `private` configuration (one named on the command line) only that one's daemon is meant.
    """
    own = control_socket(config, environ, uid)
    service = Path("/run/paramedic") / _SOCKET
    return (own,) if private or own == service else (own, service)
