"""Faults that are really made: a process killed, a folder filled, memory used up, a ticket system that refuses.

All of them stay below the drills' own folder and within fixed bounds.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from agent.app.drills import preparing, scratch_service, scratch_tickets
from agent.app.drills.scenarios import DISK, MEMORY
from collectors.sample import Sample

QUOTA_BYTES = 8 * 1024 * 1024
"""So much may be in the folder that is filled."""
_FILLED = 0.95
_FILES = 19
_AGE_SECONDS = 3600.0
_START_SECONDS = 10.0
_LOOK_SECONDS = 0.02
_CONNECT_SECONDS = 0.2


class FaultError(Exception):
    """What is to be broken cannot be set up; the message says why."""


class Fault(Protocol):
    """One kind of fault. `clear` may be called at any time, and by a later life of the daemon."""

    def start(self) -> None:
        """Set up what is to be broken. Raise FaultError."""

    def strike(self) -> None:
        """Break it."""

    def samples(self) -> list[Sample]:
        """Return what is measured of it now."""

    def mended(self) -> bool:
        """Tell whether it is as it was before."""

    def relieve(self) -> None:
        """Mend it, since nobody else has. Raise FaultError."""

    def clear(self) -> None:
        """Leave nothing of it behind."""


class ServiceDown:
    """The scratch service is killed as hard as can be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._struck = 0

    def start(self) -> None:
        try:
            subprocess.run(
                preparing.start_command(self._folder), check=True, timeout=_START_SECONDS, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise FaultError(f"the scratch service does not start: {error}") from error

    def strike(self) -> None:
        self._struck = self.pid()
        os.kill(self._struck, signal.SIGKILL)

    def pid(self) -> int:
        return int((self._folder / scratch_service.PIDFILE).read_text())

    def samples(self) -> list[Sample]:
        return []

    def mended(self) -> bool:
        return answering(self._folder) not in {None, self._struck}

    def relieve(self) -> None:
        ServiceDown.start(self)

    def clear(self) -> None:
        scratch_service.end(self._folder)


class DiskFilling:
    """A folder with a quota of its own is filled with old logs."""

    def __init__(self, folder: Path) -> None:
        self._disk = folder / preparing.DISK

    def start(self) -> None:
        try:
            self._disk.mkdir(exist_ok=True)
        except OSError as error:
            raise FaultError(f"{self._disk}: {error.strerror}") from error

    def strike(self) -> None:
        old = time.time() - _AGE_SECONDS
        for number in range(_FILES):
            path = self._disk / preparing.FILLING.replace("*", f"{number:02d}")
            path.write_bytes(b"x" * int(QUOTA_BYTES * _FILLED / _FILES))
            os.utime(path, (old, old))

    def samples(self) -> list[Sample]:
        return [Sample(DISK.name, self._used())]

    def _used(self) -> float:
        with suppress(FileNotFoundError):  # one is deleted while we look
            return sum(path.stat().st_size for path in self._disk.iterdir()) / QUOTA_BYTES
        return 0.0

    def mended(self) -> bool:
        return self._used() < _FILLED / 2

    def relieve(self) -> None:
        self.clear()

    def clear(self) -> None:
        shutil.rmtree(self._disk, ignore_errors=True)


class MemoryPressure(ServiceDown):
    """The scratch service uses up its share of memory, and no more."""

    def strike(self) -> None:
        self._struck = self.pid()
        os.kill(self._struck, signal.SIGUSR1)

    def samples(self) -> list[Sample]:
        return [Sample(MEMORY.name, self._used())]

    def _used(self) -> float:
        with suppress(OSError, ValueError, IndexError):  # it has just ended, or has not begun
            pages = int(Path(f"/proc/{self.pid()}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") / scratch_service.SHARE_BYTES
        return 0.0


class TicketSystemDown(ServiceDown):
    """The ticket system refuses; meanwhile the service is killed."""

    def start(self) -> None:
        (self._folder / scratch_tickets.LOG).unlink(missing_ok=True)
        (self._folder / scratch_tickets.PORTFILE).unlink(missing_ok=True)
        (self._folder / scratch_tickets.DOWN).touch()
        command = [sys.executable, "-I", scratch_tickets.__file__, str(self._folder)]
        nothing = subprocess.DEVNULL
        self._tickets = subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing)
        deadline, pause = time.monotonic() + _START_SECONDS, threading.Event()
        while tickets_port(self._folder) is None:
            if self._tickets.poll() is not None or time.monotonic() > deadline:
                raise FaultError("the scratch ticket system does not start")
            pause.wait(_LOOK_SECONDS)
        super().start()

    def restore(self) -> None:
        """Let the ticket system work again."""
        (self._folder / scratch_tickets.DOWN).unlink(missing_ok=True)

    def clear(self) -> None:
        super().clear()
        scratch_service.end(self._folder, scratch_tickets.PIDFILE)
        for name in (scratch_tickets.PORTFILE, scratch_tickets.DOWN):
            (self._folder / name).unlink(missing_ok=True)
        if hasattr(self, "_tickets"):
            self._tickets.wait(_START_SECONDS)


FAULTS: Mapping[str, Callable[[Path], Fault]] = {
    "service-down": ServiceDown,
    "disk-filling": DiskFilling,
    "memory-pressure": MemoryPressure,
    "ticket-system-down": TicketSystemDown,
}


def clear(folder: Path) -> None:
    """End and remove what a drill that was interrupted has left in the folder."""
    for make in FAULTS.values():
        make(folder).clear()
    for left in folder.iterdir():
        left.unlink(missing_ok=True)


def answering(folder: Path) -> int | None:
    """Return the process id that the scratch service answers with, None if it does not."""
    try:
        port = int((folder / scratch_service.PORTFILE).read_text())
    except (OSError, ValueError):
        return None
    return answering_at(port)


def answering_at(port: int) -> int | None:
    """Return the process id that the service on this port answers with, None if nothing does."""
    try:
        with socket.create_connection(("127.0.0.1", port), _CONNECT_SECONDS) as connection:
            return int(connection.recv(32))
    except (OSError, ValueError):
        return None


def tickets_port(folder: Path) -> int | None:
    """Return where the scratch ticket system listens, None while there is none."""
    try:
        return int((folder / scratch_tickets.PORTFILE).read_text())
    except (OSError, ValueError):
        return None
