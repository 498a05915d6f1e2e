"""Real processes are watched, killed and replaced; their ends and their pidfiles arrive as events."""

import os
import select
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from collectors import proctable
from collectors.processes import EAGER_LOOKS, LAZY_EVERY, SPEC, ProcessOptions, WatchedProcess
from collectors.spec import CollectError

DEADLINE_SECONDS = 60
unique = count(os.getpid() * 1000)


class Host:
    """Drives a watch as its host does: registers what is new in `fds`, forgets what is gone."""

    def __init__(self, options):
        self.watch = SPEC.open(options)
        self.epoll = select.epoll()
        self.registered = {}

    def _sync(self, samples):
        wanted = dict(self.watch.fds)
        for fd in self.registered.keys() - wanted.keys():
            self.epoll.unregister(fd)
        for fd in wanted.keys() - self.registered.keys():
            self.epoll.register(fd, wanted[fd])
        self.registered = wanted
        return {(sample.name, dict(sample.labels)["name"]): sample.value for sample in samples}

    def snapshot(self):
        return self._sync(self.watch.snapshot())

    def event(self):
        """Wait for an event that says something."""
        while events := self.epoll.poll(DEADLINE_SECONDS):
            said = {}
            for fd, _ in events:
                said |= self._sync(self.watch.read(fd))
            if said:
                return said
        raise AssertionError("no event came")

    def quiet(self):
        return not self.epoll.poll(0)

    def close(self):
        self.watch.close()
        self.epoll.close()


@pytest.fixture
def opened():
    hosts = []

    def open_watch(*watch, **options):
        hosts.append(Host(ProcessOptions(watch=watch, **options)))
        return hosts[-1]

    yield open_watch
    for host in hosts:
        host.close()


@pytest.fixture
def start():
    """Return a function that starts a process and gives it with its command line."""
    started = []

    def run(seconds=None):
        argv = ["sleep", f"{seconds or 1000 + next(unique)}"]
        started.append(subprocess.Popen(argv))
        # Between fork and exec it still has our command line.
        while b"sleep" not in Path(f"/proc/{started[-1].pid}/cmdline").read_bytes():
            os.sched_yield()
        return started[-1], " ".join(argv)

    yield run
    for process in started:
        process.kill()
        process.wait(timeout=DEADLINE_SECONDS)


def write(pidfile, pid):
    """Write a pidfile as a careful daemon does."""
    new = pidfile.with_suffix(".new")
    new.write_text(f"{pid}\n")
    new.rename(pidfile)


def since(process):
    return proctable.process(Path("/proc"), process.pid).start_ticks


def up(name):
    return ("paramedic_process_up", name)


def restarts(name):
    return ("paramedic_process_restarts_total", name)


def test_a_running_process_is_up_with_its_figures(opened, start, tmp_path):
    process, _ = start()
    write(tmp_path / "pid", process.pid)
    host = opened(WatchedProcess(name="web", pidfile=tmp_path / "pid"))
    found = host.snapshot()
    assert found[up("web")] == 1
    assert found[restarts("web")] == 0
    assert found["paramedic_process_resident_memory_bytes", "web"] > 100_000
    assert found["paramedic_process_cpu_seconds_total", "web"] >= 0
    written = (tmp_path / "pid").stat().st_mtime
    assert found["paramedic_process_start_time_seconds", "web"] == pytest.approx(written, abs=10)
    assert not host.watch.pending


def test_death_is_an_event_even_while_nobody_reaps_the_dead(opened, start, tmp_path):
    process, _ = start()
    write(tmp_path / "pid", process.pid)
    host = opened(WatchedProcess(name="web", pidfile=tmp_path / "pid"))
    host.snapshot()
    process.send_signal(signal.SIGKILL)
    assert host.event() == {up("web"): 0, restarts("web"): 0}
    assert host.watch.pending
    # The parent, this test, has not waited for it: it is a zombie, and its pid is still in the pidfile.
    assert host.snapshot() == {up("web"): 0, restarts("web"): 0}


def written_in_place(pidfile, pid):
    pidfile.write_text(str(pid))


def moved_in_from_elsewhere(pidfile, pid):
    (pidfile.parent / "elsewhere").mkdir()
    (pidfile.parent / "elsewhere" / "new").write_text(str(pid))
    (pidfile.parent / "elsewhere" / "new").rename(pidfile)


@pytest.mark.parametrize("way", [write, written_in_place, moved_in_from_elsewhere])
def test_a_pidfile_that_appears_is_an_event(opened, start, tmp_path, way):
    host = opened(WatchedProcess(name="web", pidfile=tmp_path / "pid"))
    assert host.snapshot()[up("web")] == 0
    process, _ = start()
    way(tmp_path / "pid", process.pid)
    assert host.event()[up("web")] == 1
    assert not host.watch.pending


def test_a_process_that_was_replaced_is_counted_and_its_end_is_an_event_too(opened, start, tmp_path):
    host = opened(WatchedProcess(name="web", pidfile=tmp_path / "pid"))
    host.snapshot()
    for generation in range(4):
        process, _ = start()
        write(tmp_path / "pid", process.pid)
        assert host.event()[restarts("web")] == generation
        process.kill()
        process.wait(timeout=DEADLINE_SECONDS)
        assert host.event()[up("web")] == 0
        # What else comes is of the pidfile of the one that is dead by now.
        while not host.quiet():
            host.watch.read(host.epoll.poll()[0][0])


@pytest.fixture
def watched(opened, start, tmp_path):
    """A process that is watched by its pidfile, and what watches it."""
    old, _ = start()
    write(tmp_path / "pid", old.pid)
    host = opened(WatchedProcess(name="web", pidfile=tmp_path / "pid"))
    host.snapshot()
    return host, old


def test_death_and_return_between_two_snapshots_leaves_the_new_one_watched(watched, start, tmp_path):
    host, old = watched
    old.kill()
    old.wait(timeout=DEADLINE_SECONDS)
    new, _ = start()
    write(tmp_path / "pid", new.pid)
    assert host.snapshot()[restarts("web")] == 1
    new.kill()
    assert host.event()[up("web")] == 0


def test_a_successor_is_watched_before_the_old_one_ends(watched, start, tmp_path):
    host, _ = watched
    new, _ = start()
    write(tmp_path / "pid", new.pid)
    assert host.snapshot()[restarts("web")] == 1
    new.kill()
    assert host.event()[up("web")] == 0


def test_a_successor_takes_over_without_a_gap(watched, start, tmp_path):
    host, old = watched
    new, _ = start()
    write(tmp_path / "pid", new.pid)
    old.kill()
    said = host.event()
    assert (said[up("web")], said[restarts("web")]) == (1, 1)


def test_a_pidfile_older_than_the_process_it_names_is_stale(opened, start, tmp_path):
    process, _ = start()
    write(tmp_path / "pid", process.pid)
    started = (tmp_path / "pid").stat().st_mtime
    os.utime(tmp_path / "pid", (started - 60, started - 60))
    host = opened(WatchedProcess(name="web", pidfile=tmp_path / "pid"))
    assert host.snapshot()[up("web")] == 0


@pytest.mark.parametrize("content", ["", "\n", "nonsense", "-1", "0", "999999999", "9" * 500, "\0", "٣"])
def test_a_pidfile_that_names_nobody_is_nobody(opened, tmp_path, content):
    (tmp_path / "pid").write_text(content)
    host = opened(WatchedProcess(name="web", pidfile=tmp_path / "pid"))
    assert host.snapshot()[up("web")] == 0
    assert host.watch.pending


def test_a_pipe_instead_of_a_pidfile_keeps_nobody_waiting(opened, tmp_path):
    os.mkfifo(tmp_path / "pid")
    assert opened(WatchedProcess(name="web", pidfile=tmp_path / "pid")).snapshot()[up("web")] == 0


def test_a_folder_that_is_made_later_is_watched_from_the_next_snapshot_on(opened, start, tmp_path):
    host = opened(WatchedProcess(name="web", pidfile=tmp_path / "run" / "pid"))
    host.snapshot()
    (tmp_path / "run").mkdir()
    host.snapshot()
    process, _ = start()
    write(tmp_path / "run" / "pid", process.pid)
    assert host.event()[up("web")] == 1


def test_other_files_in_the_folder_of_a_pidfile_say_nothing(opened, start, tmp_path):
    host = opened(WatchedProcess(name="web", pidfile=tmp_path / "pid"))
    host.snapshot()
    (tmp_path / "other").write_text("text")
    events = host.epoll.poll(DEADLINE_SECONDS)
    assert [host.watch.read(fd) for fd, _ in events] == [[]]
    assert host.quiet()


def test_a_process_is_found_by_its_whole_command_line(opened, start):
    _, command = start()
    host = opened(
        WatchedProcess(name="whole", command=command),
        WatchedProcess(name="part", command="sleep"),
        WatchedProcess(name="pattern", command=rf"\S+ {command.split()[1]}"),
    )
    found = host.snapshot()
    assert (found[up("whole")], found[up("part")], found[up("pattern")]) == (1, 0, 1)


def test_the_end_of_a_process_found_by_command_is_an_event_and_its_return_is_looked_for(opened, start):
    process, command = start()
    host = opened(WatchedProcess(name="job", command=command))
    host.snapshot()
    process.kill()
    assert host.event() == {up("job"): 0, restarts("job"): 0}
    assert host.watch.pending
    start(command.split()[1])
    found = host.snapshot()
    assert (found[up("job")], found[restarts("job")]) == (1, 1)


def test_of_several_that_match_the_eldest_is_watched_and_then_the_next(opened, start):
    eldest, command = start()
    younger, _ = start(command.split()[1])
    # Start times are in ticks of 10 ms, and both may have been started in one.
    while since(younger) == since(eldest):
        younger, _ = start(command.split()[1])
    host = opened(WatchedProcess(name="job", command=command))
    host.snapshot()
    younger.kill()
    younger.wait(timeout=DEADLINE_SECONDS)
    assert host.snapshot()[restarts("job")] == 0
    start(command.split()[1])
    eldest.kill()
    said = host.event()
    assert (said[up("job")], said[restarts("job")]) == (1, 1)


def test_a_command_line_missing_for_long_is_still_found_only_less_eagerly(opened, start):
    host = opened(WatchedProcess(name="job", command=f"sleep {next(unique)}"))
    for _ in range(EAGER_LOOKS):
        host.snapshot()
    start(host.watch._tracked[0].watched.command.split()[1])
    found = [host.snapshot()[up("job")] for _ in range(LAZY_EVERY)]
    assert found[-1] == 1


def test_a_process_that_only_lost_its_first_thread_is_alive(opened, tmp_path):
    program = (
        "import ctypes, sys, threading\n"
        "threading.Thread(target=sys.stdin.read).start()\n"
        "print('up', flush=True)\n"
        "ctypes.CDLL('libpthread.so.0').pthread_exit(None)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"up\n"
        stat = Path(f"/proc/{process.pid}/stat")
        while ") Z " not in stat.read_text():
            os.sched_yield()
        write(tmp_path / "pid", process.pid)
        host = opened(WatchedProcess(name="web", pidfile=tmp_path / "pid"))
        assert host.snapshot()[up("web")] == 1
        process.kill()
        assert host.event()[up("web")] == 0


def test_without_pidfds_the_end_is_seen_by_looking(opened, start, tmp_path):
    process, _ = start()
    write(tmp_path / "pid", process.pid)
    (tmp_path / "proc").symlink_to("/proc")
    host = opened(WatchedProcess(name="web", pidfile=tmp_path / "pid"), procfs=tmp_path / "proc")
    assert host.snapshot()[up("web")] == 1
    assert host.watch.pending
    process.kill()
    process.wait(timeout=DEADLINE_SECONDS)
    assert host.snapshot()[up("web")] == 0


def test_closing_leaves_no_descriptor_behind(start, tmp_path):
    before = sorted(path.name for path in Path("/proc/self/fd").iterdir())
    process, command = start()
    write(tmp_path / "pid", process.pid)
    host = Host(
        ProcessOptions(
            watch=(WatchedProcess(name="a", pidfile=tmp_path / "pid"), WatchedProcess(name="b", command=command))
        )
    )
    host.snapshot()
    process.kill()
    host.event()
    host.close()
    assert len([path.name for path in Path("/proc/self/fd").iterdir()]) <= len(before) + 1  # /proc/stat is kept open


def test_a_host_without_a_process_table_is_a_fault(opened, tmp_path):
    host = opened(WatchedProcess(name="job", command="x"), procfs=tmp_path / "none")
    with pytest.raises(CollectError, match="none"):
        host.snapshot()


@pytest.mark.parametrize(
    ("watched", "reason"),
    [
        ({"name": "x"}, "exactly one"),
        ({"name": "x", "pidfile": Path("/a"), "command": "b"}, "exactly one"),
        ({"name": "x", "command": "("}, "not a regular expression"),
    ],
)
def test_what_cannot_be_watched_is_refused_when_configured(watched, reason):
    with pytest.raises(ValueError, match=reason):
        WatchedProcess(**watched)


def test_two_of_one_name_are_refused():
    twin = WatchedProcess(name="x", command="y")
    with pytest.raises(ValueError, match="named 'x'"):
        ProcessOptions(watch=(twin, twin))
