"""Changes in folders as events, by inotify(7), which Python's standard library does not wrap."""

import os
from contextlib import suppress
from pathlib import Path

IN_CLOSE_WRITE = 0x008
IN_MOVED_TO = 0x080
IN_ONLYDIR = 0x01000000
BUFFER_BYTES = 1 << 16


def open_inotify() -> int | None:
    """Return a descriptor that becomes readable at changes, or None where the system gives none."""
    import ctypes  # noqa: PLC0415 -- 1 MiB, and only needed where a folder is watched

    # The flags of inotify_init1 have the values of those of open.
    fd = ctypes.CDLL(None).inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    return fd if fd >= 0 else None


def watch_folder(fd: int, folder: Path) -> bool:
    """Tell of files that are written or moved into `folder`. Watching one again changes nothing."""
    import ctypes  # noqa: PLC0415 -- see open_inotify

    mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR
    return bool(ctypes.CDLL(None).inotify_add_watch(fd, os.fsencode(folder), mask) >= 0)


def drain(fd: int) -> None:
    """Throw the events away: they say that something happened, and what is there now says the rest."""
    with suppress(BlockingIOError):
        while os.read(fd, BUFFER_BYTES):
            pass
