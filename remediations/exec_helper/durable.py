"""Files that are on the disk once they are said to be; alone in a module, for a run has no time for more."""

import os

VERDICT = "verdict"


def write(path: str, content: bytes, *, lasting: bool = True) -> None:
    """Make a file with this content, or none; on return it is on the disk if it is to last, its name perhaps not."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        left = memoryview(content)
        while left:  # a disk that is nearly full takes a part
            left = left[os.write(descriptor, left) :]
        if lasting:
            os.fsync(descriptor)
    except OSError:
        os.unlink(path)  # noqa: PTH108
        raise
    finally:
        os.close(descriptor)


def replace(path: str, content: bytes) -> None:
    """Put a file with this content in the place of whatever is there, whole and durable."""
    fresh = f"{path}.new"
    if os.path.lexists(fresh):
        os.unlink(fresh)  # noqa: PTH108
    write(fresh, content)
    os.replace(fresh, path)  # noqa: PTH105
    flush(path.rpartition("/")[0])


def flush(folder: str) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
