"""Reading /sys, where a device is a folder and each of its attributes a file that comes and goes with it."""

import os
from pathlib import Path

from collectors.spec import CollectError, NotAvailableError

PAGE_BYTES = 4096


def folders(parent: Path, prefix: str = "") -> list[str]:
    """Return the sorted names in `parent` that begin so. Raise NotAvailableError where this host has no such folder."""
    try:
        return sorted(name for name in os.listdir(parent) if name.startswith(prefix))  # noqa: PTH208 -- names are enough
    except FileNotFoundError as error:
        raise NotAvailableError(f"this host has none: there is no {parent}") from error
    except OSError as error:
        raise CollectError(f"cannot read {parent}: {error.strerror}") from error


def text(folder: Path | str, name: str) -> str | None:
    """Return an attribute of the device without the space around it, or None where it has none to give now."""
    try:
        fd = os.open(f"{folder}/{name}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        # An attribute is never longer than a page, so one read gets all of it.
        return os.read(fd, PAGE_BYTES).decode("utf-8", "backslashreplace").strip()
    except OSError:
        # Drivers answer with any error they like: EINVAL (speed of a link that is down), EIO, ENODATA (a cold sensor).
        return None
    finally:
        os.close(fd)


def number(folder: Path | str, name: str) -> float | None:
    """Return an attribute as a number, or None where there is none."""
    found = text(folder, name)
    try:
        return float(found) if found else None
    except ValueError as error:
        raise CollectError(f"cannot make sense of {folder}/{name}: {found!r} is no number") from error
