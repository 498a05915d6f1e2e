"""Files and folders are really written, replaced, removed and made, and each change arrives as an event."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from collectors import inotify
from collectors.spec import CollectError
from collectors.watch.files import METRICS, SPEC, FileOptions, WatchedFile

CHANGES, MISSING, MTIME, SIZE = (metric.name for metric in METRICS)
DEADLINE_SECONDS = 60
AS_SOMEBODY_ELSE = """
import ctypes, os, select, sys
from pathlib import Path
from collectors.watch.files import SPEC, FileOptions, WatchedFile
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
watch = SPEC.open(FileOptions(watch=(WatchedFile(name="it", path=Path(sys.argv[1])),)))
print("ready", flush=True)
((fd, mask),) = watch.fds
select.select([fd], [], [], 20)
print(int(watch.read(fd)[0].value))
"""


@pytest.fixture
def watching(drive):
    """Return a function that watches one path under the name "it"."""

    def open_watch(path):
        return drive(SPEC, FileOptions(watch=(WatchedFile(name="it", path=path),)))

    return open_watch


def settled(driver):
    """Let all events pass; return how many changes there were."""
    driver.until(lambda _values: not driver.watch.pending and not driver.epoll.poll(0))
    return driver.values[CHANGES, "it"]


def written_in_place(path):
    path.write_text("changed")


def replaced(path):
    new = path.with_name("new")
    new.write_text("changed")
    new.rename(path)


def appended_without_being_closed(path):
    with path.open("a") as file:
        file.write("more")
        file.flush()


def given_another_mode(path):
    path.chmod(0o600)


@pytest.mark.parametrize("change", [written_in_place, replaced, appended_without_being_closed, given_another_mode])
def test_a_change_of_a_file_is_an_event(watching, tmp_path, change):
    path = tmp_path / "file"
    path.write_text("as it was")
    path.chmod(0o644)
    driver = watching(path)
    assert (driver.values[CHANGES, "it"], driver.values[MISSING, "it"], driver.values[SIZE, "it"]) == (0, 0, 9)
    change(path)
    said = driver.events(DEADLINE_SECONDS)
    assert said[CHANGES, "it"] == 1
    settled(driver)
    assert driver.values[SIZE, "it"] == path.stat().st_size
    assert driver.values[MTIME, "it"] == pytest.approx(path.stat().st_mtime)


def test_a_file_that_was_replaced_is_watched_further(watching, tmp_path):
    path = tmp_path / "file"
    path.write_text("as it was")
    driver = watching(path)
    for count in range(1, 6):
        replaced(path)
        driver.until(lambda values, count=count: values[CHANGES, "it"] == count)
        settled(driver)
    written_in_place(path)
    assert driver.events(DEADLINE_SECONDS)[CHANGES, "it"] == 6
    numbers = {line.split()[1] for line in Path(f"/proc/self/fdinfo/{driver.watch._fd}").read_text().splitlines()[4:]}
    assert len(numbers) == 2


def test_a_removed_file_is_missing_until_it_is_there_again(watching, tmp_path):
    path = tmp_path / "file"
    path.write_text("as it was")
    driver = watching(path)
    path.unlink()
    assert driver.events(DEADLINE_SECONDS)[MISSING, "it"] == 1
    settled(driver)
    assert (SIZE, "it") not in driver.snapshot()
    path.write_text("again")
    assert driver.events(DEADLINE_SECONDS)[MISSING, "it"] == 0


def test_a_file_in_folders_that_do_not_exist_yet_is_waited_for(watching, tmp_path):
    path = tmp_path / "a" / "b" / "file"
    driver = watching(path)
    assert driver.values[MISSING, "it"] == 1
    path.parent.mkdir(parents=True)
    path.write_text("here")
    driver.until(lambda values: values[MISSING, "it"] == 0)


def test_what_happens_in_a_folder_is_a_change_of_it(watching, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old").touch()
    driver = watching(folder)
    before = 0
    for change in (
        lambda: (folder / "old").write_text("x"),
        lambda: (folder / "old").rename(folder / "new"),
        (folder / "new").unlink,
        (folder / "made").mkdir,
    ):
        change()
        assert driver.events(DEADLINE_SECONDS)[CHANGES, "it"] > before
        before = settled(driver)


def test_what_happens_beside_a_file_is_no_change_of_it(watching, tmp_path):
    (tmp_path / "file").touch()
    driver = watching(tmp_path / "file")
    (tmp_path / "beside").write_text("x")
    assert settled(driver) == 0


def test_a_link_that_points_elsewhere_is_a_change(watching, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("one")
    driver = watching(tmp_path / "link")
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(tmp_path / "link")
    assert driver.events(DEADLINE_SECONDS)[CHANGES, "it"] == 1


def test_a_file_that_is_held_open_is_seen_to_grow_by_the_snapshot(watching, tmp_path):
    with (tmp_path / "file").open("w") as file:
        driver = watching(tmp_path / "file")
        file.write("x")
        file.flush()
        assert driver.snapshot()[CHANGES, "it"] == 1
        assert driver.values[SIZE, "it"] == 1


def test_a_storm_of_changes_is_looked_at_a_few_times_a_second(watching, tmp_path):
    path = tmp_path / "file"
    path.touch()
    driver = watching(path)
    for _ in range(2000):
        path.write_text("x")
    assert driver.events(DEADLINE_SECONDS)[CHANGES, "it"] == 1
    assert driver.watch.fds == []
    assert driver.watch.pending
    assert driver.snapshot()[CHANGES, "it"] <= 2
    settled(driver)
    assert driver.watch.fds != []


def test_lost_events_are_a_change_of_every_folder(watching, tmp_path, monkeypatch):
    driver = watching(tmp_path)
    monkeypatch.setattr(inotify, "events", lambda _fd: [(inotify.LOST, inotify.IN_Q_OVERFLOW)])
    assert driver.snapshot()[CHANGES, "it"] == 1


@pytest.fixture
def open_folder():
    """A folder that everybody may look into."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody who may not read")
def test_a_file_that_may_not_be_read_is_watched_through_its_folder(open_folder):
    path = open_folder / "secret"
    path.write_text("x")
    path.chmod(0o600)
    root = Path(__file__).parents[3]
    argv = [sys.executable, "-c", AS_SOMEBODY_ELSE, str(path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=root) as other:
        assert other.stdout.readline() == "ready\n"
        path.write_text("changed")
        assert other.communicate(timeout=DEADLINE_SECONDS)[0] == "1\n"


def test_a_path_that_cannot_be_looked_at_is_named(watching, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(CollectError, match="loop"):
        watching(tmp_path / "loop")


def test_without_paths_nothing_is_watched(drive):
    driver = drive(SPEC, FileOptions())
    assert (driver.watch.fds, driver.values) == ([], {})


def test_a_relative_path_is_refused():
    with pytest.raises(ValueError, match="absolute"):
        WatchedFile(name="x", path=Path("file"))


def test_a_change_arrives_by_itself_without_another_look(watching, tmp_path):
    path = tmp_path / "file"
    path.touch()
    driver = watching(path)
    for _ in range(20):
        path.write_text("x")
        assert driver.events(DEADLINE_SECONDS)
        settled(driver)
