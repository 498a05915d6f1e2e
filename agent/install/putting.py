"""Bringing a host to its layout and back: files first, then the service manager. Doing it twice changes nothing."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.install.layout import DRILL_TIMER, HELPER_SERVICE, SERVICE, SOCKET, UNITS, File, Layout

_COMMAND_SECONDS = 60.0
_FOLDER_MODE = 0o755
_DRILLS = UNITS / "timers.target.wants"
"""Where the drills that come again are."""
STATE = (Path("/var/lib/paramedic"), Path("/var/lib/paramedic-exec"), Path("/var/log/paramedic"))
"""What was recorded: kept unless it is to be purged. Configuration and account are the administrator's."""


class InstallError(Exception):
    """A step could not be done; the message says which, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change: a file to write, a file to remove, or a command to run."""

    says: str
    file: File | None = None
    remove: Path | None = None
    argv: tuple[str, ...] = ()


def installing(layout: Layout, root: Path, *, start: bool) -> Iterator[Step]:
    """Yield what is still to be done for the layout."""
    changed = [file for file in layout.files if not _is_there(file, root)]
    helper = any(file.path.name == SOCKET for file in layout.files)
    if SOCKET in {path.name for path in layout.obsolete} and root == Path("/"):
        yield _command("systemctl", "disable", "--now", SOCKET)
    for file in changed:
        yield Step(says=f"write {file.path}", file=file)
    for path in layout.obsolete:
        yield Step(says=f"remove {path}", remove=path)
    if root != Path("/"):
        return
    yield _command("systemd-sysusers", "paramedic.conf")
    yield _command("systemd-tmpfiles", "--create", "paramedic.conf")
    yield _command("systemctl", "daemon-reload")
    if helper:
        yield _command("systemctl", "enable", "--now", SOCKET)
    if any(file.path.name in {HELPER_SERVICE, "exec-helper.pyz"} for file in changed):
        yield _command("systemctl", "stop", HELPER_SERVICE)  # the next request starts the new one; runs go on
    if changed or layout.obsolete:
        yield _command("systemctl", "try-reload-or-restart", SERVICE)  # one that runs looks again for the helper
    yield _command("systemctl", "enable", *(("--now",) if start else ()), SERVICE)


def removing(paths: list[Path], root: Path) -> Iterator[Step]:
    """Yield what takes the service, the helper, its policy and polkit's rules away. State and configuration stay."""
    if root == Path("/"):
        for link in sorted(_DRILLS.glob(DRILL_TIMER.replace("@.", "@?*."))):
            yield _command("systemctl", "disable", "--now", link.name)
        for unit in (SERVICE, SOCKET, HELPER_SERVICE):
            if any(path.name == unit for path in paths):
                verb = ("stop",) if unit == HELPER_SERVICE else ("disable", "--now")
                yield _command("systemctl", *verb, unit)
    for path in paths:
        if _below(root, path).exists():
            yield Step(says=f"remove {path}", remove=path)
    if root == Path("/"):
        yield _command("systemctl", "daemon-reload")


def carry_out(step: Step, root: Path) -> None:
    """Do one step; raise InstallError."""
    try:
        if step.file is not None:
            _write(step.file, root)
        elif step.remove is not None:
            _remove(_below(root, step.remove))
        else:
            _run(step.argv)
    except OSError as error:
        raise InstallError(f"cannot {step.says}: {error.strerror or error}") from error


def _command(*argv: str) -> Step:
    return Step(says=f"run {' '.join(argv)}", argv=argv)


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _is_there(file: File, root: Path) -> bool:
    path = _below(root, file.path)
    try:
        found = path.lstat()
        same = path.read_bytes() == file.content
    except OSError:
        return False
    return same and found.st_uid == os.geteuid() and found.st_mode & 0o7777 == file.mode and not path.is_symlink()


def _write(file: File, root: Path) -> None:
    """Put the file there whole, in place of whatever has its name."""
    path = _below(root, file.path)
    for folder in (*reversed(path.parent.parents), path.parent):
        if not folder.exists():
            folder.mkdir(mode=_FOLDER_MODE)
            folder.chmod(_FOLDER_MODE)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, file.mode)
    with os.fdopen(descriptor, "wb") as target:
        target.write(file.content)
        os.fchmod(descriptor, file.mode)
        target.flush()
        os.fsync(descriptor)
    fresh.replace(path)


def _remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; no link is followed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _run(argv: tuple[str, ...]) -> None:
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"{' '.join(argv)} did not end within {_COMMAND_SECONDS:.0f} s") from error
    if done.returncode:
        raise InstallError(f"{' '.join(argv)} failed: {done.stderr.strip() or done.stdout.strip()}")
