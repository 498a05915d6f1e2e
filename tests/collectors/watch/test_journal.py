"""The journal: a stand-in for journalctl writes what only an odd host would, and a real journald the rest."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.collecting.collector import Collector
from agent.collecting.health import Health
from agent.collecting.watching import Watching
from collectors.spec import CollectError, NotAvailableError
from collectors.watch.journal import BUDGET_BYTES, CHUNK_BYTES, METRICS, SPEC, JournalOptions, JournalPattern
from collectors.watch.journal_lines import LONGEST_BYTES
from tests.agent.collecting.fakes import Heard

MATCHES, ENTRIES, SKIPPED, KEPT = (metric.name for metric in METRICS)
FAILED = JournalPattern(name="failed", match="(?i)failed to")
KILLED = JournalPattern(name="killed", match=r"[Oo]ut of memory: Killed process \d+", kernel=True)
OUT_OF_MEMORY = "Memory cgroup out of memory: Killed process 4711 (shop) total-vm:2097152kB, anon-rss:1048576kB"
OF_UNIT = JournalPattern(name="web", match="refused", unit="web.service")
DEADLINE_SECONDS = 60
JOURNALD = Path("/lib/systemd/systemd-journald")
UNSHARED = """
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/log/journal /run/systemd/journal
mount --bind "$1" /run/log/journal
exec "$2"
"""


class FakeJournal:
    """A journal that is a file, and options that read it."""

    def __init__(self, folder):
        self.folder, self.count = folder, 0
        program = folder / "journalctl"
        source = (Path(__file__).parent / "fake_journalctl.py").read_text()
        program.write_text(f"#!{sys.executable} -IS\n{source}")
        program.chmod(0o755)
        (folder / "journal").touch()
        self.cursor_file = folder / "cursor"

    def options(self, *patterns, **more):
        return JournalOptions(patterns=patterns, program=str(self.folder / "journalctl"), directory=self.folder, **more)

    def write(self, *messages, **fields):
        entries = []
        for message in messages:
            self.count += 1
            entries.append({"__CURSOR": f"s=1;i={self.count}", "MESSAGE": message} | fields)
        self.write_bytes(b"".join(json.dumps(each).encode() + b"\n" for each in entries))

    def write_bytes(self, text):
        with (self.folder / "journal").open("ab") as file:
            file.write(text)

    @property
    def started(self):
        path = self.folder / "started"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def wait_until_started(self, times=1):
        """Wait until journalctl stands where it reads on: it has become `tail`."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            if len(self.started) >= times:
                command = Path(f"/proc/{self.started[-1]['pid']}/cmdline").read_bytes()
                if command.startswith(b"tail"):
                    return
            os.sched_yield()
        raise AssertionError("journalctl was not started")


@pytest.fixture
def journal(tmp_path):
    return FakeJournal(tmp_path)


@pytest.fixture
def following(drive, journal):
    """Return a function that watches for patterns, and waits until journalctl runs."""

    def open_watch(*patterns, **more):
        before = len(journal.started)
        driver = drive(SPEC, journal.options(*patterns, **more))
        journal.wait_until_started(before + 1)
        return driver

    return open_watch


def test_a_line_that_matches_is_counted_and_an_event(following, journal):
    driver = following(FAILED)
    assert driver.values[MATCHES, "failed"] == 0
    journal.write("nothing to see")
    journal.write("FAILED to fork")
    assert driver.events(DEADLINE_SECONDS)[MATCHES, "failed"] == 1
    assert driver.values[ENTRIES,] == 2


def test_a_pattern_of_a_unit_counts_what_the_unit_says_and_what_is_said_of_it(following, journal):
    driver = following(OF_UNIT, FAILED)
    journal.write("connection refused", _SYSTEMD_UNIT="mail.service")
    journal.write("connection refused", _SYSTEMD_UNIT="web.service")
    journal.write("start refused", _SYSTEMD_UNIT="init.scope", UNIT="web.service", _PID="1", _UID="0")
    driver.until(lambda values: values[ENTRIES,] == 3 or driver.snapshot()[ENTRIES,] == 3)
    assert driver.values[MATCHES, "web", "web.service"] == 2


def test_a_pattern_of_the_kernel_counts_only_what_the_kernel_says(following, journal):
    driver = following(KILLED, FAILED)
    journal.write(OUT_OF_MEMORY, _TRANSPORT="syslog")
    journal.write(OUT_OF_MEMORY)
    journal.write(OUT_OF_MEMORY, _TRANSPORT="kernel")
    driver.until(lambda values: values[ENTRIES,] == 3 or driver.snapshot()[ENTRIES,] == 3)
    assert driver.values[MATCHES, "killed"] == 1
    following(KILLED)
    assert [each["argv"][-1] == "_TRANSPORT=kernel" for each in journal.started] == [False, True]


def test_journalctl_gets_no_environment_of_ours_and_filters_where_it_can(following, journal, monkeypatch):
    monkeypatch.setenv("PARAMEDIC_SECRET", "x")
    following(OF_UNIT)
    (started,) = journal.started
    assert "PARAMEDIC_SECRET" not in started["environment"]
    assert {"--follow", "--output=json", "--unit=web.service", "--lines=0"} <= set(started["argv"])
    following(OF_UNIT, FAILED)
    assert not any(argument.startswith("--unit") for argument in journal.started[-1]["argv"])


def test_what_came_while_nobody_read_is_counted_after_the_cursor(following, journal):
    first = following(FAILED, cursor_file=journal.cursor_file)
    journal.write("failed to a")
    first.until(lambda values: values[MATCHES, "failed"] == 1)
    first.watch.close()
    journal.write("failed to b", "failed to c")
    second = following(FAILED, cursor_file=journal.cursor_file)
    assert second.until(lambda values: values[MATCHES, "failed"] == 2)
    second.snapshot()
    assert journal.cursor_file.read_text() == "s=1;i=3"
    assert second.values[KEPT,] == 1


def test_a_cursor_that_cannot_be_one_never_reaches_journalctl(following, journal):
    journal.cursor_file.write_text("--file=/etc/shadow\n\x00")
    following(FAILED, cursor_file=journal.cursor_file)
    assert "--lines=0" in journal.started[0]["argv"]


def test_a_cursor_that_journalctl_cannot_go_to_is_forgotten(drive, journal):
    journal.cursor_file.write_text("abc")
    (journal.folder / "broken").write_text("Failed to seek to cursor: Invalid argument")
    driver = drive(SPEC, journal.options(FAILED, cursor_file=journal.cursor_file))
    with pytest.raises(CollectError, match="Failed to seek to cursor: Invalid argument"):
        driver.events(DEADLINE_SECONDS)
    assert not journal.cursor_file.exists()


def test_a_cursor_file_that_cannot_be_written_stops_no_counting(following, journal, tmp_path):
    driver = following(FAILED, cursor_file=tmp_path / "missing" / "cursor")
    journal.write("failed to a")
    driver.until(lambda values: values[MATCHES, "failed"] == 1)
    assert driver.snapshot()[KEPT,] == 0


def test_after_a_match_the_pipe_rests_until_the_next_snapshot(following, journal):
    driver = following(FAILED)
    journal.write("failed to a")
    assert driver.events(DEADLINE_SECONDS)
    assert driver.watch.pending
    assert driver.watch.fds == []
    journal.write("failed to b")
    assert driver.events(0.05) == {}
    driver.until(lambda values: values[MATCHES, "failed"] == 2)
    driver.until(lambda _values: not driver.watch.pending)
    assert driver.watch.fds != []


def test_a_flood_is_read_in_bounded_pieces_and_nothing_of_it_is_lost(following, journal):
    driver = following(FAILED)
    journal.write(*(f"line {number} " + "x" * 1000 for number in range(3000)), "failed to a")
    watch, taken = driver.watch, []
    deadline = time.monotonic() + DEADLINE_SECONDS
    while watch._entries < 3001 and time.monotonic() < deadline:
        before = watch._entries
        if watch.pending:
            watch.snapshot()
        else:
            ((fd, _mask),) = watch.fds
            watch.read(fd)
        taken.append(watch._entries - before)
    assert driver.snapshot()[MATCHES, "failed"] == 1
    assert sum(taken) == 3001
    assert max(taken) <= (BUDGET_BYTES + CHUNK_BYTES) / 1000


@pytest.mark.parametrize(
    "line",
    [
        b"no json\n",
        b"[1]\n",
        b'{"MESSAGE": null}\n',
        b'{"MESSAGE": [1, 2, 300]}\n',
        b'{"MESSAGE": {"a": 1}}\n',
        b"[" * LONGEST_BYTES + b"\n",
        b"\xff\xfe\x00\n",
        b'{"MESSAGE": "' + b"x" * (3 * LONGEST_BYTES) + b'"}\n',
    ],
    ids=lambda line: repr(line[:20]),
)
def test_a_line_that_makes_no_sense_is_skipped_and_the_next_is_read(following, journal, line):
    driver = following(FAILED)
    journal.write_bytes(line)
    journal.write("failed to a")
    driver.until(lambda values: values[MATCHES, "failed"] == 1)
    assert (driver.values[SKIPPED,], driver.values[ENTRIES,]) == (1, 1)


@pytest.mark.parametrize(
    "message",
    [
        list(b"\xff failed to \x00"),
        ["one", "failed to"],
        ["one", list(b"failed to\xff")],
        "failed to \ud800",
        "failed to " + "x" * (LONGEST_BYTES - 1000),
    ],
    ids=["bytes", "several", "several with bytes", "surrogate", "long"],
)
def test_odd_messages_are_matched_too(following, journal, message):
    driver = following(FAILED)
    journal.write(message)
    driver.until(lambda values: values[MATCHES, "failed"] == 1)


def test_the_end_of_journalctl_is_an_error_that_says_why(drive, journal):
    (journal.folder / "broken").write_text("No journal\x1b[31m files")
    driver = drive(SPEC, journal.options(FAILED))
    with pytest.raises(CollectError, match=r"journalctl ended: No journal\?\[31m files"):
        driver.events(DEADLINE_SECONDS)


def test_the_host_starts_journalctl_again_and_nothing_is_missed(journal):
    heard, clock = Heard(), SystemClock()
    options = journal.options(FAILED, cursor_file=journal.cursor_file)
    collector = Collector(name="journal", spec=SPEC, options=options, interval_seconds=15.0, timeout_seconds=1.0)
    watching = Watching([collector], sink=heard, health=Health(heard, clock, ["journal"]), clock=clock)
    watching.start()

    def counted():
        totals = [s.value for each in heard.of("journal") for s in each.samples if s.name == MATCHES]
        return sum(b - a if b >= a else b for a, b in zip([0.0, *totals], totals, strict=False))

    try:
        journal.wait_until_started()
        journal.write("failed to a")
        assert heard.until(lambda: counted() == 1)
        os.kill(journal.started[0]["pid"], signal.SIGKILL)
        assert heard.until(lambda: heard.failed("journal"))
        journal.write("failed to b")
        assert heard.until(lambda: counted() == 2)
    finally:
        watching.close(5.0)
    assert len(journal.started) == 2


def test_closing_ends_journalctl(following, journal):
    following(FAILED).watch.close()
    with pytest.raises(ProcessLookupError):
        os.kill(journal.started[0]["pid"], 0)


def test_without_patterns_nothing_is_started(drive, journal):
    driver = drive(SPEC, journal.options())
    assert (driver.watch.fds, driver.values, journal.started) == ([], {}, [])


def test_a_host_without_journalctl_or_journal_has_nothing_to_watch(tmp_path):
    with pytest.raises(NotAvailableError, match="no missing-journalctl"):
        SPEC.open(JournalOptions(patterns=(FAILED,), program="missing-journalctl"))
    with pytest.raises(NotAvailableError, match="no journal in"):
        SPEC.open(JournalOptions(patterns=(FAILED,), program="true", directory=tmp_path / "none"))


@pytest.mark.parametrize("wrong", [{"match": "("}, {"match": "a", "unit": "web"}, {"match": "a", "unit": "*.service"}])
def test_patterns_that_cannot_be_meant_are_refused(wrong):
    with pytest.raises(ValueError, match="is not"):
        JournalPattern(name="x", **wrong)


def test_a_pattern_of_the_kernel_is_of_no_unit():
    with pytest.raises(ValueError, match="the kernel is no unit"):
        JournalPattern(name="x", match="a", unit="web.service", kernel=True)


def knows_this_boot(folder):
    """Tell whether something was written to the journal: before that nothing can be read from it."""
    argv = ["journalctl", "--boot", "--lines=1", *(f"--directory={each}" for each in folder.iterdir())]
    done = subprocess.run(argv, capture_output=True, timeout=DEADLINE_SECONDS, check=False)
    return len(argv) > 3 and done.returncode == 0


@pytest.fixture
def journald(tmp_path):
    """A real journald with a /run of its own; gives its folder, and a function that logs a message to it."""
    if not JOURNALD.exists() or shutil.which("journalctl") is None:
        pytest.skip("systemd is not installed")
    argv = ["unshare", "--mount", "sh", "-c", UNSHARED, "sh", str(tmp_path), str(JOURNALD)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"/proc/{process.pid}/root/run/systemd/journal/socket"
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (Path(address).exists() and knows_this_boot(tmp_path)):
        if process.poll() is not None:
            pytest.skip("no journald can be run here: that needs root")
        assert time.monotonic() < deadline

    def log(message):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.sendto(b"MESSAGE\n" + len(message).to_bytes(8, "little") + message + b"\n", address)

    yield tmp_path, log
    process.kill()
    process.wait(timeout=DEADLINE_SECONDS)


def test_a_real_journal_is_followed_from_where_it_was_left(drive, journald, tmp_path_factory):
    folder, log = journald
    cursor_file = tmp_path_factory.mktemp("state") / "cursor"
    options = JournalOptions(patterns=(FAILED,), directory=next(folder.iterdir()), cursor_file=cursor_file)
    first = drive(SPEC, options)
    deadline = time.monotonic() + DEADLINE_SECONDS
    # Until journalctl stands at the end, lines are old ones to it.
    while first.values[MATCHES, "failed"] == 0 and time.monotonic() < deadline:
        log(b"failed to \xff")
        first.events(0.2)
    assert first.values[MATCHES, "failed"] > 0
    first.watch.close()
    left_at = cursor_file.read_text()
    log(b"failed to " + b"x" * 10_000)
    log(b"all is well")
    second = drive(SPEC, options)
    second.until(lambda values: values[ENTRIES,] >= 2 and values[MATCHES, "failed"] >= 1)
    second.snapshot()
    assert cursor_file.read_text() != left_at
    assert second.values[SKIPPED,] == 0
