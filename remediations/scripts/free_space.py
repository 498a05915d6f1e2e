"""Delete old files of given names below one directory, oldest first. Standard library only: run by `python3 -I -S`.

No link is ever followed: every directory is opened by name from its parent, from / on, and only if it is a directory
itself. Other file systems, open files, files with other names (hard links) and directories are left alone.

Exit status: 0 done, 1 less is free than was asked for, 2 refused.
"""

# ruff: noqa: PTH208 - pathlib knows no dir_fd, and costs more to load than all the rest

import argparse
import contextlib
import fnmatch
import heapq
import os
import stat
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# Nothing may be deleted in these.
ROOTS_REFUSED = frozenset({"", "home", "opt", "root", "run", "srv", "var", "var/lib", "mnt", "media"})
# Nor anywhere below these.
TREES_REFUSED = frozenset(
    {"bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "sys", "usr"},
)
MOST_AT_ONCE = 100_000
BLOCK_BYTES = 512

Identity = tuple[int, int]


class RefusedError(Exception):
    """Nothing was deleted; the message says why."""


class Candidate(NamedTuple):
    """A file that may go: `parts` lead to it from the root. The time comes first, so that the oldest sort first."""

    changed_ns: int
    parts: tuple[str, ...]
    identity: Identity
    size: int


def main(arguments: Sequence[str]) -> int:
    """Delete what the arguments say, and print what was deleted."""
    options = parse(arguments)
    try:
        root = open_root(options.root)
    except RefusedError as error:
        print(f"refused: {error}")
        return 2
    try:
        return free(root, options)
    finally:
        os.close(root)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Delete old files below a directory.", allow_abbrev=False)
    parser.add_argument("--root", required=True)
    parser.add_argument("--pattern", required=True, action="append", dest="patterns")
    parser.add_argument("--older-than-seconds", required=True, type=float)
    parser.add_argument("--keep-free-bytes", type=int, default=0)
    parser.add_argument("--dry-run", action="store_true")
    return parser.parse_args(arguments)


def open_root(path: str) -> int:
    """Return the root's descriptor; raise RefusedError if it is none to delete in, or reached by a link."""
    parts = path.split("/")
    if parts[0] or any(part in {"", ".", ".."} for part in parts[1:]):
        raise RefusedError(f"{path!a} is not a plain absolute path below /")
    if "/".join(parts[1:]) in ROOTS_REFUSED or parts[1] in TREES_REFUSED:
        raise RefusedError(f"{path!a} is no directory to delete in")
    top = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return open_below(top, parts[1:])
    except OSError as error:
        raise RefusedError(f"{path!a} is no directory, or a link leads there: {error.strerror}") from error
    finally:
        os.close(top)


def open_below(descriptor: int, parts: Sequence[str]) -> int:
    """Return a new descriptor of the directory that is reached by these names, none of which is a link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    current = os.dup(descriptor)
    for part in parts:
        parent = current
        try:
            current = os.open(part, flags, dir_fd=parent)
        finally:
            os.close(parent)
    return current


def free(root: int, options: argparse.Namespace) -> int:
    """Delete candidates until enough is free, or none is left."""
    cutoff_ns = int((time.time() - options.older_than_seconds) * 1e9)
    opened = open_files()
    counts: Counter[str] = Counter()
    for candidate in heapq.nsmallest(MOST_AT_ONCE, candidates(root, options.patterns, cutoff_ns)):
        if options.keep_free_bytes and free_bytes(root) >= options.keep_free_bytes:
            break
        outcome = "open" if candidate.identity in opened else delete(root, candidate, dry_run=options.dry_run)
        counts[outcome] += 1
        counts["bytes"] += candidate.size if outcome == "deleted" else 0
        if outcome == "deleted":
            name = "/".join((options.root, *candidate.parts))
            print(f"{'would delete' if options.dry_run else 'deleted'} {name!a}, {candidate.size} bytes")
    left = ", ".join(f"{number} {what}" for what, number in sorted(counts.items()) if what not in {"deleted", "bytes"})
    print(f"{counts['deleted']} files, {counts['bytes']} bytes; left alone: {left or 'none'}; free: {free_bytes(root)}")
    return 1 if free_bytes(root) < options.keep_free_bytes else 0


def candidates(root: int, patterns: Sequence[str], cutoff_ns: int) -> Iterator[Candidate]:
    """Yield the old files of those names on the root's own file system."""
    device = os.fstat(root).st_dev
    pending: list[tuple[str, ...]] = [()]
    while pending:
        parts = pending.pop()
        for name, found in listing(root, parts, device):
            if stat.S_ISDIR(found.st_mode):
                pending.append((*parts, name))
            elif is_candidate(name, found, patterns, cutoff_ns):
                size = found.st_blocks * BLOCK_BYTES
                yield Candidate(found.st_mtime_ns, (*parts, name), (found.st_dev, found.st_ino), size)


def listing(root: int, parts: tuple[str, ...], device: int) -> Iterator[tuple[str, os.stat_result]]:
    """Yield a directory's entries; nothing if it has gone, has become a link, or lies on another file system."""
    try:
        descriptor = open_below(root, parts)
    except OSError:
        return
    try:
        if os.fstat(descriptor).st_dev != device:
            return
        with os.scandir(descriptor) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    yield entry.name, entry.stat(follow_symlinks=False)
    finally:
        os.close(descriptor)


def is_candidate(name: str, found: os.stat_result, patterns: Sequence[str], cutoff_ns: int) -> bool:
    return (
        stat.S_ISREG(found.st_mode)
        and found.st_nlink == 1
        and found.st_mtime_ns <= cutoff_ns
        and any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    )


def delete(root: int, candidate: Candidate, *, dry_run: bool) -> str:
    """Delete the file if it is still the one that was found. Return what became of it in a word."""
    *parts, name = candidate.parts
    try:
        directory = open_below(root, parts)
    except OSError:
        return "changed"
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if (found.st_dev, found.st_ino, found.st_mtime_ns) != (*candidate.identity, candidate.changed_ns):
            return "changed"
        if not dry_run:
            os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return "changed"
    except OSError as error:
        return f"refused by the system ({error.strerror})"
    finally:
        os.close(directory)
    return "deleted"


def open_files() -> set[Identity]:
    """Return the identities of all files that a process holds open, as far as we may look."""
    found = set()
    for process in os.listdir("/proc"):
        if not process.isdecimal():
            continue
        with contextlib.suppress(OSError), os.scandir(f"/proc/{process}/fd") as descriptors:
            for descriptor in descriptors:
                with contextlib.suppress(OSError):
                    info = descriptor.stat()
                    found.add((info.st_dev, info.st_ino))
    return found


def free_bytes(descriptor: int) -> int:
    """Return what an ordinary user may still write."""
    space = os.fstatvfs(descriptor)
    return space.f_bavail * space.f_frsize


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
