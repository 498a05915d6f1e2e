"""A full disk: what the reserve still allows, what is refused without it, and the way back."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.crash.scene import scene, wait_for

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk"),
]
DISK_BYTES = 24 * 1024 * 1024


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    place.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "tmpfs", place]
    if subprocess.run(command, check=False).returncode:
        pytest.skip("nothing may be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(place: Path) -> list[Path]:
    """Fill the disk to the last byte; return the files that do it."""
    ballast = []
    while os.statvfs(place).f_bavail:
        ballast.append(place / f"ballast{len(ballast)}.log")
        with suppress(OSError), ballast[-1].open("wb", buffering=0) as file:
            file.write(bytes(1024 * 1024))
    return ballast


@pytest.fixture
def made(nursery, folder) -> Iterator:
    """Return a scene whose state is on a small disk."""
    with scene(folder / "scene", nursery) as made, small_disk(made.state):
        yield made
        made.clear()


def only(made):
    (incident,) = made.incidents()
    return incident


def test_with_the_reserve_a_fault_is_repaired_on_a_full_disk(made):
    life = made.start()
    fill(made.state)

    made.strike()
    wait_for(made.settled, "the repair")

    assert only(made)["resolution"] == "fixed"
    assert len(made.effects()) == 1
    assert [ticket.state for ticket in made.desk.tickets] == ["closed"]
    assert not (made.state / "reserve").exists()
    assert not life.ended()


def test_without_the_reserve_the_repair_waits_for_the_space_and_then_runs_by_itself(made):
    life = made.start()
    (made.state / "reserve").unlink()
    ballast = fill(made.state)

    made.strike()
    stopped = wait_for(lambda: made.ask().get("status")["stopped"], "the daemon to say that it cannot write")
    assert stopped.startswith("nothing can be made durable: ")
    wait_for(lambda: made.ask().get("status")["incidents"], "the incident")
    assert made.incidents() == []
    assert made.desk.tickets == []

    for file in ballast:
        file.unlink()
    wait_for(made.incidents, "the incident on record")
    wait_for(lambda: not made.ask().get("status")["stopped"], "that it can write again")
    said = [entry["detail"] for entry in only(made)["timeline"] if entry["guard"] == "stop"]
    assert any("nothing can be made durable" in each for each in said), said
    assert not life.ended()

    wait_for(lambda: only(made)["state"] == "resolved", "the repair")
    wait_for(made.settled, "the ticket")
    assert len(made.effects()) == 1
    assert len(made.desk.tickets) == 1


@pytest.mark.parametrize("running", [False, True], ids=["that starts on it", "that runs already"])
def test_free_space_repairs_the_very_disk_of_a_daemon(made, running):
    made.start().end()
    # Met by a full disk, and still when the reserve is given back.
    made.expr = f'node_filesystem_avail_bytes{{mountpoint="{made.state}"}} < 20e6'
    made.step = {
        "action": "free_space",
        "root": made.state,
        "patterns": ["ballast*.log"],
        "older_than": "1s",
        "timeout": "60s",
    }
    if running:  # the reserve and the log leave less than that free
        made.expr = made.expr.replace("20e6", "1e6")
    made.verify = {"hold": "200ms", "timeout": "10s"}
    made.write()
    life = made.start() if running else None
    ballast = fill(made.state)
    for file in ballast:
        os.utime(file, (0, 0))
    assert os.statvfs(made.state).f_bavail == 0

    life = life or made.start()
    wait_for(made.settled, f"the space: {made.story()} {made.log()}")

    assert only(made)["resolution"] == "fixed"
    assert not any(file.exists() for file in ballast)
    assert not (made.state / "reserve").exists()
    assert not life.ended()
