"""Pressure: real contention for a CPU fires the kernel's triggers, and a host without them is polled."""

import os
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from collectors.spec import CollectError, NotAvailableError
from collectors.watch import pressure
from collectors.watch.pressure import SPEC, TriggerOptions

MEMORY, CPU = ("full", "memory"), ("some", "cpu")
EVENTS, RATIO, ACTIVE = (metric.name for metric in pressure.METRICS)
BURN = "import os, signal; signal.alarm(60); os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nwhile True: pass"
READ_TOO_MUCH = """
import mmap, os, pathlib, signal, sys, tempfile
signal.alarm(60)
pathlib.Path(sys.argv[1], "cgroup.procs").write_text(str(os.getpid()))
with tempfile.TemporaryFile(dir="/var/tmp") as file:
    for _ in range(64):
        file.write(os.urandom(1 << 20))
    file.flush()
    pages = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    while True:
        for at in range(0, len(pages), mmap.PAGESIZE):
            pages[at]
"""
"""Reads a file of 64 MiB again and again: its pages have to come back from the disk where they find no room."""
LIMITS = {"/sys/fs/cgroup/memory": "memory.limit_in_bytes", "/sys/fs/cgroup": "memory.max"}


def trigger_at(path):
    return pressure._Trigger(path=Path(path), kind="some", labels=(), stall_seconds=0.2, window_seconds=2.0)


def kernel_gives_triggers():
    fd = pressure._arm(trigger_at("/proc/pressure/cpu"))
    if fd is not None:
        os.close(fd)
    return fd is not None


needs_triggers = pytest.mark.skipif(not kernel_gives_triggers(), reason="this kernel gives us no pressure triggers")


@pytest.fixture
def contention():
    """Three programs that want one CPU."""
    burning = [subprocess.Popen([sys.executable, "-IS", "-c", BURN]) for _ in range(3)]
    yield
    for process in burning:
        process.kill()
        process.wait(60)


@pytest.fixture
def shortage():
    """A program that needs more memory than its cgroup may have."""
    folders = [(Path(root, f"paramedic-test-{os.getpid()}"), limit) for root, limit in LIMITS.items()]
    folder, limit = next((each for each in folders if (each[0].parent / "memory.stat").exists()), folders[0])
    try:
        folder.mkdir()
        (folder / limit).write_text(str(40 << 20))
    except OSError as error:
        pytest.skip(f"no cgroup can be given less memory here: {error}")
    reading = subprocess.Popen([sys.executable, "-IS", "-c", READ_TOO_MUCH, str(folder)])
    yield
    reading.kill()
    reading.wait(60)
    folder.rmdir()


@pytest.fixture
def captured(host, tmp_path):
    """Return a copy of the captured /proc, which can be changed."""
    shutil.copytree(host / "proc/pressure", tmp_path / "pressure")
    return tmp_path


def tell(procfs, resource, *, total, avg10=0.0):
    """Let the kernel tell this many seconds in all, and this per cent of the last ten."""
    line = f"avg10={avg10:.2f} avg60=0.00 avg300=0.00 total={round(total * 1e6)}"
    (procfs / "pressure" / resource).write_text(f"some {line}\nfull {line}\n")


@needs_triggers
def test_programs_that_wait_for_a_cpu_are_an_event(drive, contention):
    # Others may wait for memory now and then, but not all the time.
    driver = drive(SPEC, TriggerOptions(cpu_stall_seconds=0.2, memory_stall_seconds=1.9))
    assert driver.values[ACTIVE, *CPU] == 1
    assert driver.values[EVENTS, *CPU] == 0
    driver.until(lambda values: values[EVENTS, *CPU] >= 1)
    assert driver.values[RATIO, *CPU] > 0
    assert driver.values[EVENTS, *MEMORY] == 0


@needs_triggers
def test_programs_that_wait_for_memory_are_an_event(drive, shortage):
    driver = drive(SPEC, TriggerOptions(memory_stall_seconds=0.01))
    driver.until(lambda values: values[EVENTS, "some", "memory"] >= 1)
    assert driver.values[RATIO, "some", "memory"] > 0


@needs_triggers
def test_a_trigger_wakes_for_pressure_only_and_not_all_the_time(drive):
    driver = drive(SPEC, TriggerOptions())
    with select.epoll() as waiting:
        for fd, mask in driver.watch.fds:
            waiting.register(fd, mask)
        woken = sum(bool(waiting.poll(0.0)) for _ in range(1000))
    assert woken < 1000


@needs_triggers
def test_every_kind_has_a_trigger_unless_its_resource_is_left_out(drive):
    driver = drive(SPEC, TriggerOptions(io_stall_seconds=0.0))
    active = {tuple(labels): value for (name, *labels), value in driver.values.items() if name == ACTIVE}
    assert active == {("some", "cpu"): 1, ("some", "memory"): 1, ("full", "memory"): 1}
    assert len(driver.watch.fds) == 3
    assert not driver.watch.pending, "nothing has to be looked at before something happens"


def test_a_copy_of_proc_is_polled_and_never_written_to(drive, captured):
    before = {path: path.read_text() for path in (captured / "pressure").iterdir()}
    driver = drive(SPEC, TriggerOptions(procfs=captured))
    assert driver.watch.fds == []
    assert driver.values[ACTIVE, *MEMORY] == 0
    assert driver.watch.pending
    assert SPEC.retry_seconds <= 10.0, "the kernel's share goes no further back"
    assert {path: path.read_text() for path in (captured / "pressure").iterdir()} == before


def test_each_poll_over_the_share_of_its_window_is_an_event(drive, captured):
    driver = drive(SPEC, TriggerOptions(procfs=captured, memory_stall_seconds=0.2, window_seconds=2.0))
    tell(captured, "memory", total=5, avg10=9.99)
    assert driver.snapshot()[EVENTS, *MEMORY] == 0
    tell(captured, "memory", total=6, avg10=10.0)
    assert driver.snapshot()[EVENTS, *MEMORY] == 1
    assert driver.snapshot()[EVENTS, *MEMORY] == 2
    assert driver.values[RATIO, *MEMORY] == pytest.approx(0.1)


@pytest.fixture
def triggered(drive, captured):
    """A watch whose trigger for memory is a descriptor of ours, as the kernel's would be; 3 s were lost so far."""
    driver = drive(SPEC, TriggerOptions(procfs=captured, memory_stall_seconds=0.2))
    trigger = next(known for known in driver.watch._triggers if known.path.name == "memory" and known.kind == "full")
    trigger.fd = os.eventfd(0)
    tell(captured, "memory", total=3)
    trigger.told = 3.0
    return driver


def test_a_trigger_that_fires_for_nothing_new_is_no_event(triggered, captured):
    ((fd, _mask),) = triggered.watch.fds
    assert triggered.watch.read(fd) == []
    tell(captured, "memory", total=3.19)
    assert triggered.watch.read(fd) == []
    tell(captured, "memory", total=3.21)
    assert {sample.name: sample.value for sample in triggered.watch.read(fd)}[EVENTS] == 1
    assert triggered.watch.read(fd) == []


def test_what_the_kernel_will_not_arm_is_polled(tmp_path):
    for path in ("/dev/full", tmp_path / "missing"):
        assert pressure._arm(trigger_at(path)) is None


def test_a_kernel_without_pressure_has_nothing_to_watch(tmp_path):
    with pytest.raises(NotAvailableError):
        SPEC.open(TriggerOptions(procfs=tmp_path))


def test_a_file_that_makes_no_sense_is_named(captured):
    (captured / "pressure/memory").write_text("some total=much\n")
    with pytest.raises(CollectError, match="pressure/memory"):
        SPEC.open(TriggerOptions(procfs=captured))


@pytest.mark.parametrize("wrong", [{"window_seconds": 0.1}, {"window_seconds": 11.0}, {"cpu_stall_seconds": 2.5}])
def test_a_window_that_no_kernel_takes_is_refused(wrong):
    with pytest.raises(ValueError, match="window"):
        TriggerOptions(**wrong)
