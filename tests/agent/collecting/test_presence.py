"""Who is at work on a host by hand: sessions, locks and files in a root of the test's own."""

import fcntl
import os
import struct
from pathlib import Path

import pytest

from agent.collecting.presence import OPENED_SECONDS, Opened, Places, presence

NOW = 1_800_000_000.0


@pytest.fixture
def root(tmp_path):
    for folder in ("proc", "dev/pts", "run/systemd/sessions"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def places(root, **changes):
    return Places(**{"idle_seconds": 300.0, "locked": (), "existing": (), "root": root, **changes})


def terminal(root, line, *, typed):
    device = root / "dev" / line
    device.touch()
    os.utime(device, (typed, typed))


def session(root, number, **fields):
    text = "".join(f"{name}={value}\n" for name, value in {"UID": "1000", "ACTIVE": "1", **fields}.items())
    (root / "run/systemd/sessions" / number).write_text(text)


def utmp(root, *records, size):
    packed = (
        struct.pack("hi32s4s32s", kind, 1, line.encode(), b"", user.encode()).ljust(size, b"\0")
        for kind, line, user in records
    )
    (root / "run/utmp").write_bytes(b"".join(packed))


def test_an_empty_host_is_nobodys(root):
    assert presence(places(root, locked=(root / "lock",), existing=(root / "busy",)), NOW).what == ""


def test_somebody_who_typed_lately_is_at_work_until_the_idle_time_is_over(root):
    session(root, "7", USER="ann", TTY="pts/0")
    terminal(root, "pts/0", typed=NOW - 100)

    found = presence(places(root), NOW)

    assert (found.what, found.until) == ("ann on pts/0", NOW + 200)


def test_somebody_who_typed_nothing_for_long_is_not(root):
    session(root, "7", USER="ann", TTY="pts/0")
    terminal(root, "pts/0", typed=NOW - 300)

    assert presence(places(root), NOW).what == ""


@pytest.mark.parametrize("kind", ["user", "user-early", "user-light"])
def test_a_login_of_root_or_a_light_one_is_a_login_too(root, kind):
    terminal(root, "pts/4", typed=NOW - 1)
    session(root, "4", USER="root", TTY="pts/4", CLASS=kind)
    assert presence(places(root), NOW).what == "root on pts/4"


@pytest.mark.parametrize("fields", [{"CLASS": "greeter"}, {"STATE": "closing"}, {"TTY": ""}, {"TTY": "../sda"}])
def test_a_session_that_is_no_users_or_has_no_terminal_does_not_count(root, fields):
    session(root, "7", **{"USER": "ann", "TTY": "pts/0", **fields})
    terminal(root, "pts/0", typed=NOW)
    terminal(root, "../sda", typed=NOW)

    assert presence(places(root), NOW).what == ""


def test_utmp_is_read_where_it_is_still_written(root, monkeypatch):
    monkeypatch.setattr("agent.collecting.presence._RECORD", 384)
    utmp(root, (2, "~", "reboot"), (7, "tty1", "bob"), (8, "tty2", "gone"), size=384)
    for line in ("tty1", "tty2"):
        terminal(root, line, typed=NOW - 1)

    assert presence(places(root), NOW).what == "bob on tty1"


def test_of_several_the_one_who_typed_last_is_named(root):
    for number, line, ago in (("1", "pts/1", 50), ("2", "pts/2", 5), ("3", "pts/3", 80)):
        session(root, number, USER=f"user{number}", TTY=line)
        terminal(root, line, typed=NOW - ago)

    assert presence(places(root), NOW).what == "user2 on pts/2"


def test_sessions_are_not_looked_at_without_an_idle_time(root):
    session(root, "7", USER="ann", TTY="pts/0")
    terminal(root, "pts/0", typed=NOW)

    assert presence(places(root, idle_seconds=0.0), NOW).what == ""


def test_a_file_that_says_so_is_enough(root):
    (root / "busy").touch()

    assert presence(places(root, existing=(root / "busy",)), NOW).what == f"{root}/busy exists"


@pytest.mark.parametrize("lock", [fcntl.flock, fcntl.lockf])
def test_a_lock_is_seen_while_it_is_held_and_not_after(tmp_path, lock):
    path = tmp_path / "lock-frontend"
    watched = Places(idle_seconds=0.0, locked=(path,), existing=(), root=Path("/"))
    assert presence(watched, NOW).what == ""
    with path.open("w") as file:
        assert presence(watched, NOW).what == "", "the file alone says nothing"
        lock(file, fcntl.LOCK_EX)
        assert presence(watched, NOW).what == f"{path} is locked"
    assert presence(watched, NOW).what == ""


MOUNTS = """\
21 1 0:81 / / rw - overlay overlay rw
22 21 0:82 / {point} rw - btrfs /dev/sda rw
23 21 0:83 / {point}ery rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(("device", "held"), [("00:52", True), ("00:51", False), ("00:53", False)])
@pytest.mark.parametrize("folder", ["lib", "lib with a space"])
def test_a_lock_is_seen_where_the_file_tells_another_device_than_its_file_system(root, device, held, folder):
    """As on btrfs and overlayfs."""
    (root / folder).mkdir()
    path = root / folder / "lock"
    path.touch()
    (root / "proc/self").mkdir()
    point = str(root / folder).replace(" ", "\\040")
    (root / "proc/self/mountinfo").write_text(MOUNTS.format(point=point))
    (root / "proc/locks").write_text(f"1: POSIX  ADVISORY  WRITE 180 {device}:{path.stat().st_ino} 0 EOF\n")
    assert bool(presence(places(root, locked=(path,)), NOW).what) is held


def test_nothing_that_cannot_be_read_is_an_error(root):
    (root / "proc/locks").write_text("1: nonsense\n\n2: -> FLOCK ADVISORY WRITE 1 00:00:0 0 EOF\n")
    (root / "run/utmp").write_bytes(b"short")
    session(root, "7", USER="ann", TTY="pts/9")

    assert presence(places(root, locked=(root / "lock",)), NOW).what == ""


@pytest.fixture
def opened(tmp_path):
    return Opened((tmp_path / "lock",))


def test_locks_are_only_looked_at_after_somebody_opened_a_file_beside_them(root, opened):
    assert opened.may_be_locked(NOW), "nobody has looked yet"
    opened.seen(locked=False)
    assert not opened.may_be_locked(NOW)
    (root / "lock").touch()
    assert opened.may_be_locked(NOW)
    opened.seen(locked=False)
    assert opened.may_be_locked(NOW + OPENED_SECONDS - 1), "who has opened it may lock it yet"
    assert not opened.may_be_locked(NOW + OPENED_SECONDS)


def test_what_is_locked_is_looked_at_until_it_is_not(opened):
    opened.seen(locked=True)
    assert opened.may_be_locked(NOW)
    assert opened.may_be_locked(NOW + 2 * OPENED_SECONDS)
    opened.seen(locked=False)
    assert not opened.may_be_locked(NOW + 2 * OPENED_SECONDS)


def test_a_folder_that_comes_later_is_watched_then(root):
    opened = Opened((root / "new/lock",))
    opened.seen(locked=False)
    assert not opened.may_be_locked(NOW)
    (root / "new").mkdir()
    assert opened.may_be_locked(NOW)
    opened.seen(locked=False)
    assert not opened.may_be_locked(NOW + OPENED_SECONDS)
    (root / "new/lock").touch()
    assert opened.may_be_locked(NOW + OPENED_SECONDS)


def test_a_lock_taken_while_we_watch_is_found(root):
    path = root / "lock"
    path.touch()
    watched = places(Path("/"), idle_seconds=0.0, locked=(path,))
    opened = Opened(watched.locked)
    assert presence(watched, NOW, opened).what == ""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert presence(watched, NOW, opened).what == f"{path} is locked"
    assert presence(watched, NOW, opened).what == ""


def test_a_folder_that_was_made_anew_is_watched_again(root):
    (root / "lib").mkdir()
    opened = Opened((root / "lib/lock",))
    (root / "lib").rmdir()
    opened.seen(locked=False)
    assert opened.may_be_locked(NOW)
    (root / "lib").mkdir()
    assert opened.may_be_locked(NOW)
    assert not opened.may_be_locked(NOW + OPENED_SECONDS)
    (root / "lib/lock").touch()
    assert opened.may_be_locked(NOW + OPENED_SECONDS)


def test_a_file_that_cannot_be_looked_at_holds_actions_back_and_says_why(root):
    path = root / ("x" * 300)
    assert presence(places(root, existing=(path,)), NOW).what == f"{path} cannot be looked at: File name too long"


def test_what_was_typed_before_the_clock_was_set_back_holds_nothing_back(root):
    session(root, "7", USER="ann", TTY="pts/0")
    terminal(root, "pts/0", typed=NOW + 2 * 86400)
    assert presence(places(root), NOW).what == ""
    terminal(root, "pts/0", typed=NOW + 5)
    assert presence(places(root), NOW).what == "ann on pts/0"
