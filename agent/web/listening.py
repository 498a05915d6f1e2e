"""Listening sockets: TCP addresses from the configuration, and the control socket."""

import errno
import os
import socket
from pathlib import Path

BACKLOG = 128


class ListenError(Exception):
    """An address cannot be listened on; the message names it and the setting that chose it."""


def tcp(address: str, setting: str) -> socket.socket:
    """Listen on "host:port" ("[::1]:8911", ":8911" for all interfaces). Raise ListenError."""
    host, port = _split(address, setting)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        raise ListenError(f"cannot listen on {address} ({setting}): {_words(error)}") from error


def unix(path: Path) -> socket.socket:
    """Listen on a Unix socket of mode 0660; replace its file only if nobody answers there. Raise ListenError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        # Bound under another name: there is no moment at which the socket is there with a wider mode.
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        listener.bind(str(fresh))
        fresh.chmod(0o660)
        listener.listen(BACKLOG)
        fresh.rename(path)
    except OSError as error:
        listener.close()
        raise ListenError(f"cannot listen on the control socket {path}: {_words(error)}") from error
    return listener


def _remove_stale(path: Path) -> None:
    if not os.path.lexists(path):
        return
    if not path.is_socket():
        raise FileExistsError(errno.EEXIST, "a file that is no socket is in the way")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        if probe.connect_ex(str(path)) != errno.ECONNREFUSED:
            raise OSError(errno.EADDRINUSE, "another daemon answers there")
    path.unlink()


def _split(address: str, setting: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 - the largest port
        raise ListenError(f"{setting} = {address!r} is not host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _words(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
