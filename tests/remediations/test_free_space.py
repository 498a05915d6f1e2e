"""The script that deletes old files, run as the plan runs it."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from remediations.actions.free_space import SCRIPT
from remediations.scripts import free_space

DAY = 86_400


def run(root, *options, pattern="*.log", older_than=DAY):
    argv = [
        sys.executable,
        "-I",
        "-S",
        SCRIPT,
        f"--root={root}",
        f"--pattern={pattern}",
        f"--older-than-seconds={older_than}",
        *options,
    ]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def old(path, days=2, size=10):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    age(path, days)
    return path


def age(path, days=2):
    then = path.stat().st_mtime - days * DAY
    os.utime(path, (then, then))


def names(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_symlink() or not path.is_dir())


def test_old_files_of_the_name_go_and_everything_else_stays(tmp_path):
    old(tmp_path / "a.log")
    old(tmp_path / "deep/er/b.log")
    old(tmp_path / "new.log", days=0)
    old(tmp_path / "old.txt")
    old(tmp_path / "old.log.keep")
    result = run(tmp_path)
    assert result.returncode == 0
    assert names(tmp_path) == ["new.log", "old.log.keep", "old.txt"]
    assert (tmp_path / "deep/er").is_dir()
    assert f"deleted '{tmp_path}/deep/er/b.log'" in result.stdout
    assert "2 files" in result.stdout


def test_a_dry_run_says_what_would_go_and_deletes_nothing(tmp_path):
    old(tmp_path / "a.log")
    result = run(tmp_path, "--dry-run")
    assert f"would delete '{tmp_path}/a.log'" in result.stdout
    assert names(tmp_path) == ["a.log"]


def test_the_oldest_go_first_and_only_until_enough_is_free(tmp_path, monkeypatch, capsys):
    for days in (2, 4, 3):
        old(tmp_path / f"{days}.log", days=days)
    free = iter([0, 0, 100, 100, 100])
    monkeypatch.setattr(free_space, "free_bytes", lambda _: next(free))
    arguments = [f"--root={tmp_path}", "--pattern=*.log", f"--older-than-seconds={DAY}", "--keep-free-bytes=100"]
    assert free_space.main(arguments) == 0
    assert names(tmp_path) == ["2.log"]
    assert [line.split("/")[-1][:5] for line in capsys.readouterr().out.splitlines()[:-1]] == ["4.log", "3.log"]


def test_less_free_than_asked_for_is_a_failure(tmp_path):
    old(tmp_path / "a.log")
    assert run(tmp_path, f"--keep-free-bytes={2**62}").returncode == 1
    assert names(tmp_path) == []


def test_nothing_goes_while_enough_is_free(tmp_path):
    old(tmp_path / "a.log")
    assert run(tmp_path, "--keep-free-bytes=1").returncode == 0
    assert names(tmp_path) == ["a.log"]


def test_links_are_neither_followed_nor_deleted(tmp_path):
    outside = tmp_path / "outside"
    old(outside / "precious.log")
    root = tmp_path / "root"
    old(root / "a.log")
    (root / "directory").symlink_to(outside)
    (root / "file.log").symlink_to(outside / "precious.log")
    os.utime(root / "file.log", (0, 0), follow_symlinks=False)
    assert run(root).returncode == 0
    assert names(outside) == ["precious.log"]
    assert names(root) == ["directory", "file.log"]


def test_a_file_with_a_second_name_stays(tmp_path):
    outside = old(tmp_path / "outside/precious.log")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/second.log").hardlink_to(outside)
    run(tmp_path / "root")
    assert names(tmp_path / "root") == ["second.log"]


def test_an_open_file_stays(tmp_path):
    path = old(tmp_path / "open.log")
    with path.open():
        result = run(tmp_path)
    assert names(tmp_path) == ["open.log"]
    assert "1 open" in result.stdout


def test_a_root_that_a_link_leads_to_is_refused(tmp_path):
    old(tmp_path / "real/below/a.log")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for root in (tmp_path / "link", tmp_path / "link/below"):
        result = run(root)
        assert result.returncode == 2
        assert "a link leads there" in result.stdout
    assert names(tmp_path / "real") == ["below/a.log"]


@pytest.mark.parametrize(
    "root",
    [
        *("/", "//", "", "relative", "/tmp/", "/tmp//x", "/tmp/../etc", "/tmp/./x", "/nowhere/at/all"),
        *("/bin", "/boot/x", "/dev/shm", "/etc", "/etc/ssl", "/home", "/lib/x", "/proc/self", "/root", "/run"),
        *("/sbin", "/srv", "/sys", "/usr", "/usr/share/doc", "/var", "/var/lib", "/opt"),
    ],
)
def test_roots_where_nothing_may_be_deleted_are_refused(root):
    result = run(root, "--dry-run")
    assert result.returncode == 2
    assert result.stdout.startswith("refused: ")
    assert result.stdout.count("\n") == 1


def test_names_of_any_bytes_are_deleted_and_shown_on_one_line(tmp_path):
    name = b"a\n\xff\x1b[31m.log"
    path = os.fsencode(tmp_path) + b"/" + name
    old(Path(os.fsdecode(path)))
    result = run(tmp_path)
    assert names(tmp_path) == []
    assert result.stdout.isascii()
    assert len(result.stdout.splitlines()) == 2


def test_a_directory_swapped_for_a_link_between_look_and_deletion_is_not_followed(tmp_path):
    outside = tmp_path / "outside"
    root = tmp_path / "root"
    old(outside / "a.log")
    old(root / "directory/a.log")
    descriptor = free_space.open_root(str(root))
    try:
        (candidate,) = free_space.candidates(descriptor, ["*.log"], 2**62)
        (root / "directory").rename(root / "moved")
        (root / "directory").symlink_to(outside)
        assert free_space.delete(descriptor, candidate, dry_run=False) == "changed"
    finally:
        os.close(descriptor)
    assert names(outside) == ["a.log"]
    assert (root / "moved/a.log").exists()


@pytest.mark.parametrize("change", ["replaced", "written", "gone"])
def test_a_file_that_changed_between_look_and_deletion_stays(tmp_path, change):
    path = old(tmp_path / "a.log")
    descriptor = free_space.open_root(str(tmp_path))
    try:
        (candidate,) = free_space.candidates(descriptor, ["*.log"], 2**62)
        if change == "replaced":
            old(tmp_path / "other").rename(path)
        elif change == "written":
            path.write_text("new")
        else:
            path.unlink()
        assert free_space.delete(descriptor, candidate, dry_run=False) == "changed"
    finally:
        os.close(descriptor)
    assert path.exists() == (change != "gone")


def test_a_directory_that_keeps_turning_into_a_link_never_leads_outside(tmp_path):
    outside = tmp_path / "outside"
    root = tmp_path / "root"
    for number in range(50):
        old(outside / f"{number}.log")
        old(root / f"directory/{number}.log")
    (root / "link").symlink_to(outside)
    done = threading.Event()

    def swap():
        while not done.is_set():
            (root / "directory").rename(root / "kept")
            (root / "link").rename(root / "directory")
            (root / "directory").rename(root / "link")
            (root / "kept").rename(root / "directory")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(5):
            assert run(root).returncode == 0
    finally:
        done.set()
        swapper.join()
    assert len(names(outside)) == 50


def test_a_very_deep_tree_is_walked(tmp_path):
    current = os.open(tmp_path, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("directory-with-a-long-name", dir_fd=current)
        below = os.open("directory-with-a-long-name", os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = below
    file = os.open("a.log", os.O_CREAT | os.O_WRONLY, dir_fd=current)
    os.utime(file, (0, 0))
    os.close(file)
    try:
        assert "1 files" in run(tmp_path).stdout
        with pytest.raises(FileNotFoundError):
            os.stat("a.log", dir_fd=current)
    finally:
        os.close(current)


@pytest.mark.skipif(not os.path.ismount("/proc"), reason="needs a second file system")
def test_another_file_system_below_the_root_is_left_alone(tmp_path):
    descriptor = os.open("/", os.O_RDONLY)
    try:
        device = os.fstat(descriptor).st_dev
        assert list(free_space.listing(descriptor, ("proc",), device)) == []
        assert list(free_space.listing(descriptor, ("etc",), device))
    finally:
        os.close(descriptor)
