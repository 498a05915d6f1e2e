"""Memory events of cgroups, from files that change as the kernel's do."""

import errno
import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from collectors.spec import NotAvailableError
from collectors.watch.cgroup_memory import METRICS, SPEC, CgroupOptions

EVENTS, WATCHED = (metric.name for metric in METRICS)
QUIET = {"low": 0, "high": 0, "max": 0, "oom": 0, "oom_kill": 0, "oom_group_kill": 0}
SHOP = "system.slice/shop.service"
DEADLINE_SECONDS = 60
V2 = Path("/sys/fs/cgroup")
LIMIT_BYTES = 32 << 20
GREEDY = f"block = bytearray({2 * LIMIT_BYTES}); block[::{mmap.PAGESIZE}] = b'x' * {2 * LIMIT_BYTES // mmap.PAGESIZE}"


class Tree:
    """A cgroup tree of version 2 in a folder."""

    def __init__(self, folder):
        self.sysfs, self.root = folder, folder / "fs/cgroup"
        self.root.mkdir(parents=True)
        (self.root / "cgroup.controllers").write_text("cpu io memory pids\n")
        for path in ("system.slice", SHOP, "user.slice"):
            self.make(path)

    def make(self, path, **events):
        (self.root / path).mkdir(exist_ok=True)
        self.change(path, **events)

    def change(self, path, **events):
        text = "".join(f"{event} {count}\n" for event, count in (QUIET | events).items())
        (self.root / path / "memory.events").write_text(text)

    def remove(self, path):
        (self.root / path / "memory.events").unlink()
        (self.root / path).rmdir()


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


@pytest.fixture
def driver(drive, tree):
    return drive(SPEC, CgroupOptions(sysfs=tree.sysfs))


def kills(driver, path=SHOP):
    return driver.values.get((EVENTS, path, "oom_kill", path.rpartition("/")[2]))


def test_every_slice_and_what_is_in_it_is_watched_and_no_kill_is_a_zero(driver):
    assert driver.values[WATCHED,] == 3
    assert [kills(driver, path) for path in ("system.slice", SHOP, "user.slice")] == [0, 0, 0]
    assert len(driver.values) == 4  # what never happened is not told


def test_a_kill_is_an_event(driver, tree):
    tree.change(SHOP, max=4, oom=1, oom_kill=1)
    said = {}
    while kills(driver) != 1:
        said |= driver.events(DEADLINE_SECONDS)
    assert {key[1] for key in said} == {SHOP}
    assert driver.values[EVENTS, SHOP, "max", "shop.service"] == 4
    assert driver.events() == {}


def test_a_service_that_was_started_again_is_watched_further(driver, tree):
    tree.remove(SHOP)
    tree.make(SHOP)
    driver.events(0.2)
    tree.change(SHOP, oom_kill=2)
    driver.until(lambda _: kills(driver) == 2, DEADLINE_SECONDS)


def test_a_new_service_is_watched_and_one_that_is_gone_is_not(driver, tree):
    tree.make("system.slice/new.service")
    driver.events(0.2)
    tree.change("system.slice/new.service", oom_kill=1)
    driver.until(lambda _: kills(driver, "system.slice/new.service") == 1, DEADLINE_SECONDS)
    tree.remove(SHOP)
    assert driver.snapshot().keys() & {(EVENTS, SHOP, "oom_kill", "shop.service")} == set()
    assert driver.values[WATCHED,] == 3


def test_a_cgroup_whose_name_is_no_text_has_a_label_that_is(driver, tree):
    tree.make(os.fsdecode(b"user.slice/odd\xe9"))
    driver.snapshot()
    assert "user.slice/odd\\xe9" in {key[1] for key in driver.values if len(key) > 1}
    assert str(driver.values).encode()


def test_no_more_are_watched_than_allowed(drive, tree):
    for number in range(20):
        tree.make(f"system.slice/unit{number}.service")
    assert drive(SPEC, CgroupOptions(sysfs=tree.sysfs, most=10)).values[WATCHED,] == 10


def test_lost_events_are_a_look_at_all(driver, tree, monkeypatch):
    tree.change(SHOP, oom_kill=3)
    monkeypatch.setattr("collectors.inotify.events", lambda _fd: iter([(-1, 0x4000)]))
    assert {key[1] for key in driver._sync(driver.watch.read(driver.watch.fds[0][0]))} >= {SHOP, "user.slice"}
    assert kills(driver) == 3


@pytest.mark.parametrize("controllers", [None, "cpu pids\n"])
def test_a_host_whose_memory_is_not_on_version_2_has_nothing_to_watch(tree, controllers):
    (tree.root / "cgroup.controllers").unlink()
    if controllers is not None:
        (tree.root / "cgroup.controllers").write_text(controllers)
    with pytest.raises(NotAvailableError, match="not controlled by cgroup v2"):
        SPEC.open(CgroupOptions(sysfs=tree.sysfs))


@pytest.fixture
def small_cgroup():
    """A real cgroup with very little memory, in a slice of its own."""
    controllers = V2 / "cgroup.controllers"
    if not controllers.exists() or "memory" not in controllers.read_text().split():
        pytest.skip("needs the memory controller on cgroup v2")
    group = V2 / f"paramedic-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.max").write_text(str(LIMIT_BYTES))
        (group / "memory.swap.max").write_text("0")
    except OSError as error:
        pytest.skip(f"needs cgroups that can be made: {errno.errorcode[error.errno or 0]}")
    yield group
    group.rmdir()


def test_a_program_that_takes_too_much_memory_is_a_kill(drive, small_cgroup):
    driver = drive(SPEC, CgroupOptions())
    enter = f'echo $$ > {small_cgroup}/cgroup.procs; exec {sys.executable} -IS -c "$1"'
    done = subprocess.run(["sh", "-c", enter, "sh", GREEDY], check=False, timeout=DEADLINE_SECONDS)
    assert done.returncode == -9
    driver.until(lambda _: kills(driver, small_cgroup.name) == 1, DEADLINE_SECONDS)
