"""Changes in folders as events, by inotify(7), which Python's standard library does not wrap."""

import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

IN_MODIFY = 0x002
IN_ATTRIB = 0x004
IN_CLOSE_WRITE = 0x008
IN_OPEN = 0x020
IN_MOVED_FROM = 0x040
IN_MOVED_TO = 0x080
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_ONLYDIR = 0x01000000
IN_MASK_ADD = 0x20000000
BUFFER_BYTES = 1 << 16
HEADER = struct.Struct("iIII")
"""Watch, mask, cookie, and the length of the name that follows."""
LOST = -1
"""The watch of the event that says that others were lost."""


def open_inotify() -> int | None:
    """Return a descriptor that becomes readable at changes, or None where the system gives none."""
    import ctypes  # noqa: PLC0415 -- 1 MiB, and only needed where a folder is watched

    # The flags of inotify_init1 have the values of those of open.
    fd = ctypes.CDLL(None).inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    return fd if fd >= 0 else None


def watch_folder(fd: int, folder: Path) -> bool:
    """Tell of files that are written or moved into `folder`. Watching one again changes nothing."""
    return watch(fd, folder, IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR) is not None


def watch(fd: int, path: Path, mask: int) -> int | None:
    """Tell of what is in `mask` and return the watch's number, or None if there is none. An inode has one watch."""
    import ctypes  # noqa: PLC0415 -- see open_inotify

    number = ctypes.CDLL(None).inotify_add_watch(fd, os.fsencode(path), mask)
    return number if number >= 0 else None


def unwatch(fd: int, number: int) -> None:
    """Tell no more of what is watched under this number; that there is no such watch is fine."""
    import ctypes  # noqa: PLC0415 -- see open_inotify

    ctypes.CDLL(None).inotify_rm_watch(fd, number)


def events(fd: int) -> Iterator[tuple[int, int]]:
    """Yield the watch's number and the mask of each event that waits, at most one buffer full."""
    try:
        read = os.read(fd, BUFFER_BYTES)
    except BlockingIOError:
        return
    at = 0
    while at < len(read):
        number, mask, _cookie, name_bytes = HEADER.unpack_from(read, at)
        yield number, mask
        at += HEADER.size + name_bytes


def drain(fd: int) -> None:
    """Throw the events away: they say that something happened, and what is there now says the rest."""
    with suppress(BlockingIOError):
        while os.read(fd, BUFFER_BYTES):
            pass
