"""What root may believe: files that nobody but root can have written, nor any folder on the way to them."""

import os
import stat

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_MOST_LINKS = 40
_MOST_BYTES = 256 * 1024


class UntrustedError(Exception):
    """The file may not be believed; the message names the file or folder, and says how to mend it."""


class Trust:
    """Believes files of `owner`. What lies above `top` is not looked at: tests have folders of their own."""

    def __init__(self, owner: int = 0, top: str = "/") -> None:
        self.owner = owner
        self.top = top

    def read(self, path: str) -> bytes:
        """Return the content of a file to which no link leads, soft or hard. Raise UntrustedError."""
        self._walk(path, links=False)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise UntrustedError(f"{path}: {error.strerror}") from error
        try:
            found = os.fstat(descriptor)
            self._judge(path, found)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
                raise UntrustedError(f"{path} is no regular file with one name: copy it, do not link it")
            if found.st_size > _MOST_BYTES:
                raise UntrustedError(f"{path} is larger than {_MOST_BYTES} bytes")
            return os.read(descriptor, _MOST_BYTES)
        finally:
            os.close(descriptor)

    def folder(self, path: str) -> None:
        """Raise UntrustedError unless this is a folder to which no link leads."""
        if not stat.S_ISDIR(self._walk(path, links=False).st_mode):
            raise UntrustedError(f"{path} is no folder")

    def program(self, path: str) -> None:
        """Raise UntrustedError unless this is a file that may be executed; links on the way must be root's too."""
        mode = self._walk(path, links=True).st_mode
        if not stat.S_ISREG(mode) or not mode & stat.S_IXUSR:
            raise UntrustedError(f"{path} is no program: chmod u+x {path}")

    def file(self, path: str) -> None:
        """Raise UntrustedError unless this is a regular file; links on the way must be root's too."""
        if not stat.S_ISREG(self._walk(path, links=True).st_mode):
            raise UntrustedError(f"{path} is no regular file")

    def _walk(self, path: str, *, links: bool) -> os.stat_result:
        """Judge every step from the top down: what is below a judged folder can then be changed by root alone."""
        at, followed = self.top.rstrip("/"), 0
        if not path.startswith(f"{at}/"):
            raise UntrustedError(f"{path} is not below {self.top}")
        pending = path[len(at) :].split("/")[::-1]
        found = os.lstat(self.top)
        while pending:
            part = pending.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                at = os.path.dirname(at)  # noqa: PTH120 - paths are text here: pathlib costs more to load than the rest
                continue
            found = self._look(f"{at}/{part}")
            if not stat.S_ISLNK(found.st_mode):
                self._judge(f"{at}/{part}", found)
                at = f"{at}/{part}"
                continue
            followed += 1
            if not links or followed > _MOST_LINKS:
                raise UntrustedError(f"{at}/{part} is a link: put the file itself there")
            target = os.readlink(f"{at}/{part}")  # noqa: PTH115
            at = "" if target.startswith("/") else at
            pending += target.split("/")[::-1]
        return found

    def _look(self, path: str) -> os.stat_result:
        try:
            found = os.lstat(path)
        except OSError as error:
            raise UntrustedError(f"{path}: {error.strerror}") from error
        if found.st_uid != self.owner:
            raise UntrustedError(f"{path} belongs to user {found.st_uid}: chown {self.owner} {path}")
        return found

    def _judge(self, path: str, found: os.stat_result) -> None:
        if found.st_uid != self.owner:
            raise UntrustedError(f"{path} belongs to user {found.st_uid}: chown {self.owner} {path}")
        if found.st_mode & _WRITABLE_BY_OTHERS:
            raise UntrustedError(f"{path} can be written by others: chmod go-w {path}")
