"""The log survives whatever becomes of the place where it is written."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.telemetry.log import Lines

PIPE = 65_536


class Lost:
    count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def lost() -> Lost:
    return Lost()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reads, writes = os.pipe()
    try:
        yield reads, writes
    finally:
        os.close(reads)
        os.close(writes)


def test_lines_arrive_whole_and_in_order(pipe: tuple[int, int], lost: Lost):
    lines = Lines(pipe[1], lost)
    lines.info("one")
    lines.error("t\udc80wo")
    assert os.read(pipe[0], PIPE) == b"one\nt\\udc80wo\n"
    assert lost.count == 0


def test_a_reader_who_has_gone_costs_the_lines_and_nothing_else(lost: Lost):
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        lines = Lines(ours.fileno(), lost)
        lines.info("one")
        lines.info("two")
    assert lost.count == 2


def test_a_full_disk_costs_the_lines_and_nothing_else(lost: Lost):
    with Path("/dev/full").open("wb", buffering=0) as full:
        lines = Lines(full.fileno(), lost)
        lines.info("one")
    assert lost.count == 1


def test_a_reader_who_does_not_read_is_waited_for_once(pipe: tuple[int, int], lost: Lost):
    lines = Lines(pipe[1], lost)
    for _ in range(1000):
        lines.info("x" * 1000)  # at 200 ms for each that finds no room it would take minutes
    held = len(os.read(pipe[0], PIPE)) // 1001
    assert lost.count == 1000 - held


def test_what_follows_a_torn_line_starts_on_a_line_of_its_own(pipe: tuple[int, int], lost: Lost):
    lines = Lines(pipe[1], lost)
    lines.info("x" * 2 * PIPE)
    torn = os.read(pipe[0], PIPE)
    lines.info("after")
    assert torn == b"x" * len(torn)
    assert os.read(pipe[0], PIPE) == b"\nafter\n"
    assert lost.count == 1


def test_no_file_or_socket_gets_the_number_of_a_closed_standard_error():
    program = (
        "import os, sys\n"
        "from agent.telemetry import log\n"
        "lost = []\n"
        "log.configure(lost=lambda: lost.append(1))\n"
        "opened = os.open('/dev/null', os.O_WRONLY)\n"
        "log.get('test').info('one')\n"
        "os.write(1, f'{opened > 2} {len(lost)}'.encode())\n"
    )
    argv = ["/bin/sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-c", program]
    told = subprocess.run(argv, stdout=subprocess.PIPE, check=True, timeout=30).stdout
    assert told == b"True 1"
