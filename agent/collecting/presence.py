"""Whether somebody is at work on this host by hand: a session with recent input, a held lock, a file that says so.

It is asked when an action is decided about, not periodically: some `stat` calls, one read of `/proc/locks` and of the
list of sessions. Nothing here needs privileges: locks are found by the inode of their file, not by trying to take them.
"""

import os
import platform
import re
import struct
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.engine.situations import Presence
from collectors.inotify import IN_IGNORED, IN_ONLYDIR, IN_OPEN, events, open_inotify, watch

_USER_PROCESS = 7
_RECORD = 400 if platform.machine() == "aarch64" else 384
"""Bytes of a record of utmp(5) in glibc."""
_HEAD = struct.Struct("hi32s4s32s")
_MAX_UTMP = 1024 * 1024
OPENED_SECONDS = 60.0
_TERMINAL_SECONDS = 10.0
"""How exactly a terminal tells when it was used, and a little more."""
_LOCK = re.compile(r" ([0-9a-f]+):([0-9a-f]+):(\d+) \d+ (?:\d+|EOF)$")
_Device = tuple[int, int]
"""Major and minor number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where to look, and how long ago the last input may be. With `idle_seconds` 0 sessions are not looked at."""

    idle_seconds: float
    locked: Sequence[Path]
    """Files that are held by flock(2) or fcntl(2) while somebody is at work."""
    existing: Sequence[Path]
    """Files that exist while somebody is at work."""
    root: Path = Path("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is logged in on a terminal."""

    user: str
    line: str
    """As in "pts/0"."""


class Opened:
    """Tells whether one of some files may be locked: whoever locks a file opens it before.

    To read `/proc/locks` can take eight milliseconds, in which the kernel waits for itself and a repair for us. What is
    opened in the folders of the files is free to know. Belongs to one thread.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._folders = frozenset(file.parent for file in files)
        self._unwatched = set(self._folders)
        self._fd = open_inotify() if files else None
        self._until = 0.0
        """A file that was opened is locked at once, or within this long."""
        self._quiet = False
        """Nothing was locked when that was looked at last."""
        if self._fd is not None:
            weakref.finalize(self, os.close, self._fd)
            self._watch(0.0)

    def may_be_locked(self, now: float) -> bool:
        """Return whether to look. It must be told of what is then seen."""
        if self._fd is None:
            return True
        self._watch(now)
        while told := list(events(self._fd)):
            self._until = now + OPENED_SECONDS
            if any(mask & IN_IGNORED for _, mask in told):  # a folder is gone, and its watch with it
                self._unwatched |= self._folders
        return not self._quiet or now < self._until

    def seen(self, *, locked: bool) -> None:
        self._quiet = not locked

    def _watch(self, now: float) -> None:
        """Watch folders, those too that have come since."""
        for folder in list(self._unwatched):
            if self._fd is not None and watch(self._fd, folder, IN_OPEN | IN_ONLYDIR) is not None:
                self._unwatched.discard(folder)
                self._until = now + OPENED_SECONDS if now else 0.0


def presence(places: Places, now: float, opened: Opened | None = None) -> Presence:
    """Return who or what is at work at wall second `now`: the first that is found, surest first."""
    for path in places.existing:
        if said := _existing(path):
            return Presence(what=said)
    if places.locked and (opened is None or opened.may_be_locked(now)):
        held = _locks(places.root / "proc/locks")
        locked = next((path for path in places.locked if _is_held(path, held, places.root)), None)
        if opened is not None:
            opened.seen(locked=locked is not None)
        if locked is not None:
            return Presence(what=f"{locked} is locked")
    return _typing(places, now) if places.idle_seconds else Presence()


def _existing(path: Path) -> str:
    """Return what holds actions back: that the file exists, or that we may not see whether it does."""
    try:
        return f"{path} exists" if path.exists() else ""
    except OSError as error:
        return f"{path} cannot be looked at: {error.strerror}"


def _typing(places: Places, now: float) -> Presence:
    """The time of the last input on a terminal is the access time of its device, to within eight seconds."""
    latest: tuple[float, Session] | None = None
    for session in _sessions(places.root):
        try:
            typed = (places.root / "dev" / session.line).stat().st_atime
        except OSError:
            continue
        # What is still to come was typed before the clock was set back: nobody has typed since.
        if -_TERMINAL_SECONDS <= now - typed < places.idle_seconds and (latest is None or typed > latest[0]):
            latest = typed, session
    if latest is None:
        return Presence()
    typed, session = latest
    return Presence(what=f"{session.user} on {session.line}", until=typed + places.idle_seconds)


def _sessions(root: Path) -> Iterator[Session]:
    """Yield who is logged in, after logind where it keeps its sessions, and after utmp where that is still written."""
    folder = root / "run/systemd/sessions"
    for name in _names(folder):
        if not name.endswith(".ref"):
            yield from _logind_session(folder / name)
    try:
        with (root / "run/utmp").open("rb") as utmp:
            content = utmp.read(_MAX_UTMP)
    except OSError:
        return
    for start in range(0, len(content) - _RECORD + 1, _RECORD):
        kind, _pid, line, _id, user = _HEAD.unpack_from(content, start)
        if kind == _USER_PROCESS:
            yield from _session(user=_text(user), line=_text(line))


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - glob takes ten times as long, and a repair waits for this
    except OSError:
        return []


def _logind_session(file: Path) -> Iterator[Session]:
    try:
        lines = file.read_text(errors="replace").split("\n")
    except OSError:
        return
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    # Newer systemd calls root's logins user-early, and light ones user-light.
    if fields.get("CLASS", "user").startswith("user") and fields.get("STATE") != "closing":
        yield from _session(user=fields.get("USER", ""), line=fields.get("TTY", ""))


def _session(*, user: str, line: str) -> Iterator[Session]:
    if line and ".." not in line and not line.startswith((":", "/")):
        yield Session(user=user or "somebody", line=line)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode(errors="replace")


def _locks(path: Path) -> Mapping[int, frozenset[_Device]]:
    """Return the inodes that are locked, each with the file systems on which one of that number is."""
    found: dict[int, set[_Device]] = {}
    try:
        with path.open() as file:
            for line in file:
                if "->" not in line and (lock := _LOCK.search(line)):
                    found.setdefault(int(lock[3]), set()).add((int(lock[1], 16), int(lock[2], 16)))
    except OSError:
        return {}
    return {inode: frozenset(devices) for inode, devices in found.items()}


def _is_held(path: Path, held: Mapping[int, frozenset[_Device]], root: Path) -> bool:
    """Tell whether the file is locked: the kernel names it by its file system and inode.

    On btrfs and overlayfs stat(2) tells another device than that of the file system, which the table of mounts tells.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - see _names
    except OSError:
        return False
    devices = held.get(status.st_ino)
    if not devices:
        return False
    told = (os.major(status.st_dev), os.minor(status.st_dev))
    return told in devices or _file_system(path, root / "proc/self/mountinfo") in devices


def _file_system(path: Path, table: Path) -> _Device | None:
    """Return the device of the file system that is mounted where the path is, the last of those mounted there."""
    whole = os.path.realpath(path)
    mounts: list[tuple[int, _Device]] = []
    try:
        for line in table.read_bytes().decode(errors="replace").rstrip("\n").split("\n"):
            _, _, device, _, point, *_ = line.split(" ")
            if f"{whole}/".startswith(f"{_unescaped(point).rstrip('/')}/"):
                major, _, minor = device.partition(":")
                mounts.append((len(point), (int(major), int(minor))))
    except (OSError, ValueError):
        return None
    return max(reversed(mounts), key=lambda mount: mount[0], default=(0, None))[1]


def _unescaped(point: str) -> str:
    """Return a mount point as it is called: mountinfo(5) writes spaces and the like in octal."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), point)
