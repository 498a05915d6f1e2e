"""Reading the kernel's files: kept open and read again from the start, because opening costs as much as reading."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from collectors.spec import CollectError

CHUNK_BYTES = 1 << 16


class _Open:
    """A descriptor that closes with its last user, so a reader in another thread never meets a reused number."""

    __slots__ = ("fd",)

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)

    def __del__(self) -> None:
        # The descriptor is missing when opening failed.
        if hasattr(self, "fd"):
            os.close(self.fd)


_kept: dict[str, _Open] = {}


def read(path: Path) -> str:
    """Return the text of one of the few files that every run reads. Raise CollectError when it cannot be read."""
    name = str(path)
    kept = _kept.get(name)
    # A device or process behind the file may have gone, and another of the same name may be there by now.
    with suppress(OSError):
        # A file that was removed or replaced has no links any more; kernel files always have one.
        if kept is not None and os.fstat(kept.fd).st_nlink:
            return _text(kept.fd)
    _kept.pop(name, None)
    try:
        kept = _Open(name)
        text = _text(kept.fd)
    except OSError as error:
        raise _unreadable(path, error) from error
    _kept[name] = kept
    return text


def read_once(path: Path) -> str:
    """Return the text of a file that comes and goes (a process, a network device): nothing is kept open."""
    try:
        opened = _Open(str(path))
        return _text(opened.fd)
    except OSError as error:
        raise _unreadable(path, error) from error


@contextmanager
def reading(path: Path) -> Iterator[str]:
    """Give the text of `path`; what the block cannot make sense of becomes a CollectError that names the path."""
    text = read(path)
    try:
        yield text
    except (ValueError, IndexError, KeyError) as error:
        raise CollectError(f"cannot make sense of {path}: {error!r}") from error


def shown(name: str) -> str:
    """Return a name that Python read from the system as a label may have it: any byte, but text."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _text(fd: int) -> str:
    chunks = []
    offset = 0
    while chunk := os.pread(fd, CHUNK_BYTES, offset):
        chunks.append(chunk)
        offset += len(chunk)
    # Names in these files may hold any byte, and labels are text.
    return b"".join(chunks).decode("utf-8", "backslashreplace")


def _unreadable(path: Path, error: OSError) -> CollectError:
    return CollectError(f"cannot read {path}: {error.strerror}")
