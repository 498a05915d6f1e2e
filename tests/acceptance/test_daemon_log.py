"""A daemon whose log cannot be written does all that it is there for, and says how many lines are missing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.acceptance.daemon import (
    Daemon,
    Watched,
    down_rule,
    prepared_daemon,
    repair,
    rule_file,
    watched_services,
    watching,
)

UNWRITABLE = {
    "closed": "2>&-",
    "read by nobody any more": "2> >(:)",
    "on a full disk": "2>/dev/full",
    "read by somebody who has stopped reading": '2<>"$LOG_FIFO"',
}


@contextmanager
def clogged(fifo: Path) -> Iterator[int]:
    """A FIFO that is full."""
    os.mkfifo(fifo)
    descriptor = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    try:
        for size in (4096, 1):
            with suppress(BlockingIOError):
                while True:
                    os.write(descriptor, b"x" * size)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def with_log(service: Watched, redirection: str, fifo: Path) -> Iterator[Daemon]:
    tables = {
        "log": {"level": "debug"},
        "collectors": watching({service.name: service}),
        "remediations": [repair(f"Down{service.name}", service.repair_command)],
    }
    wrapper = ("/bin/bash", "-c", f'exec "$@" {redirection}', "bash")
    with prepared_daemon(
        tables, rule_file(down_rule(service)), wrapper=wrapper, environment={"LOG_FIFO": str(fifo)}
    ) as daemon:
        daemon.start()
        yield daemon


@pytest.mark.parametrize("redirection", UNWRITABLE.values(), ids=UNWRITABLE.keys())
def test_a_daemon_whose_log_is_lost_repairs_and_counts_what_is_missing(redirection: str, tmp_path: Path):
    fifo = tmp_path / "log"
    with clogged(fifo), watched_services("Web") as services, with_log(services["Web"], redirection, fifo) as daemon:
        services["Web"].kill()
        mended = daemon.await_state("DownWeb", "resolved")
        assert [attempt["outcome"] for attempt in mended["attempts"]] == ["succeeded"]
        assert services["Web"].answers()
        assert daemon.metric("paramedic_log_lines_lost_total") > 0
        assert daemon.stop() == 0


def test_a_log_that_is_read_again_goes_on(tmp_path: Path):
    fifo = tmp_path / "log"
    clog, service = clogged(fifo), watched_services("Web")
    with clog as descriptor, service as services, with_log(services["Web"], '2<>"$LOG_FIFO"', fifo) as daemon:
        with suppress(BlockingIOError):
            while os.read(descriptor, 65_536):
                pass
        lost = daemon.metric("paramedic_log_lines_lost_total")
        services["Web"].kill()
        daemon.await_state("DownWeb", "resolved")
        assert "incident" in os.read(descriptor, 65_536).decode()
        assert daemon.metric("paramedic_log_lines_lost_total") == lost
