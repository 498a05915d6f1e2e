"""Groups of processes, on the processes of this very host."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from collectors.process_groups import SPEC, GroupOptions, ProcessGroup
from tests.services.service import eventually

MARK = f"a-group-of-test-{os.getpid()}"


@pytest.fixture
def sleepers():
    argv = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()", MARK]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    started = [subprocess.Popen(argv, **pipes) for _ in range(3)]
    for process in started:
        process.stdout.readline()
    yield started
    for process in started:
        process.communicate()


def figures(*groups):
    options = GroupOptions(groups=tuple(ProcessGroup(name=name, command=command) for name, command in groups))
    return {
        (sample.name.removeprefix("paramedic_process_group_"), sample.labels[0][1]): sample.value
        for sample in SPEC.collect(options)
    }


def test_a_group_counts_its_processes_and_what_they_hold(sleepers):
    found = figures(("sleepers", f".* {MARK}"))

    assert found["processes", "sleepers"] == 3
    assert found["threads", "sleepers"] == 3
    assert found["resident_memory_bytes", "sleepers"] > 3 * 1024 * 1024
    assert found["open_files", "sleepers"] >= 9
    assert found["oldest_start_time_seconds", "sleepers"] == pytest.approx(
        psutil.Process(sleepers[0].pid).create_time(), abs=1
    )


def test_a_process_belongs_to_the_first_group_that_it_matches(sleepers):
    found = figures(("mine", f".* {MARK}"), ("all", ".*"))

    assert found["processes", "mine"] == 3
    assert found["processes", "all"] >= 1


def test_a_group_without_processes_is_a_zero_and_no_more():
    assert figures(("nobody", "no such command line")) == {("processes", "nobody"): 0.0}


def test_without_groups_nothing_is_read():
    assert figures() == {}


def test_a_command_that_is_no_expression_is_refused():
    with pytest.raises(ValueError, match="not a regular expression"):
        ProcessGroup(name="x", command="(")


def test_two_groups_of_one_name_are_refused():
    with pytest.raises(ValueError, match="x"):
        GroupOptions(groups=(ProcessGroup(name="x", command="a"), ProcessGroup(name="x", command="b")))


def test_a_command_line_that_is_no_text_hides_nobody(sleepers):
    # Anybody may call a program so: \xe9 alone is no UTF-8.
    with subprocess.Popen([b"\xe9dit", b"60"], executable=shutil.which("sleep")) as odd:
        try:
            # A program that has just been started has no command line for a moment.
            eventually(Path(f"/proc/{odd.pid}/cmdline").read_bytes)
            found = figures(("sleepers", f".* {MARK}"), ("odd", r"\\xe9dit 60"))
        finally:
            odd.kill()
    assert (found["processes", "sleepers"], found["processes", "odd"]) == (3.0, 1.0)
