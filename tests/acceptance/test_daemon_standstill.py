"""A daemon that stands still or may write nothing any more: it believes and does nothing, and catches up calmly."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.daemon import Daemon, prepared_daemon, repair, rule, rule_file
from tests.services.service import eventually, need

RULES = rule_file(rule("Broken", "test_broken{name='it'} == 1"), rule("Other", "test_broken{name='other'} == 1"))
MEND = """\
#!/bin/sh
# Repairs what is broken, and says that it did.
echo run >> {folder}/runs
printf '# TYPE test_broken gauge\\ntest_broken{{name="it"}} 0\\n' > {faults}.mended
mv {faults}.mended {faults}
"""
SUSPENDED_SECONDS = 6.0


def tables(daemon_folder: Path, **verify: str) -> dict[str, Any]:
    return {
        "remediations": [repair("Broken", ["/bin/sh", str(daemon_folder / "mend.sh")], origins=["textfile"], **verify)]
    }


def write_mend(daemon: Daemon) -> None:
    (daemon.directory / "mend.sh").write_text(MEND.format(folder=daemon.directory, faults=daemon.faults))


def runs(daemon: Daemon) -> int:
    path = daemon.directory / "runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def configured(daemon: Daemon, **verify: Any) -> None:
    daemon.configure(tables(daemon.directory, **verify), RULES)
    write_mend(daemon)


@contextmanager
def suspended(daemon: Daemon) -> Iterator[None]:
    """Stop the daemon's process for some seconds, in which the rules would have been evaluated several times."""
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGSTOP)
    until = time.monotonic() + SUSPENDED_SECONDS
    yield
    eventually(lambda: time.monotonic() > until)
    daemon.process.send_signal(signal.SIGCONT)


def test_a_daemon_that_was_suspended_acts_once_on_what_broke_meanwhile():
    with prepared_daemon({}, RULES) as daemon:
        configured(daemon)
        daemon.tell(it=False)
        daemon.start()
        with suspended(daemon):
            daemon.tell(it=True)
        fixed = daemon.await_state("Broken", "resolved")
        assert (fixed["resolution"], len(fixed["attempts"]), runs(daemon)) == ("fixed", 1, 1)
        assert len(daemon.incidents()) == 1


def test_what_broke_again_during_the_hold_of_a_suspended_daemon_is_not_taken_for_fixed():
    with prepared_daemon({}, RULES) as daemon:
        configured(daemon, verify={"hold": "3s", "timeout": "10s"})
        daemon.tell(it=True)
        daemon.start()
        daemon.await_incident("Broken", lambda incident: (incident["work"] or {}).get("healthy_since"))
        with suspended(daemon):
            daemon.tell(it=True)
        over = daemon.await_incident("Broken", lambda incident: incident["state"] in {"resolved", "escalated"}, 60.0)
        assert (over["state"], over["attempts"][0]["verdict"]) == ("escalated", "ineffective")
        assert (runs(daemon), len(daemon.incidents())) == (1, 1)
        assert daemon.metric("paramedic_standstills_total") == 1


class Disk:
    """A file system in a file, which can become read-only under those who write to it, as a broken disk does."""

    def __init__(self, image: Path, place: Path) -> None:
        self.image, self.place = image, place
        with image.open("wb") as file:
            file.truncate(64 * 1024 * 1024)
        subprocess.run(("mkfs.ext4", "-q", "-F", "-e", "remount-ro", image), check=True, timeout=60)
        place.mkdir()

    def mount(self) -> bool:
        return subprocess.run(("mount", "-o", "loop", self.image, self.place), check=False, timeout=60).returncode == 0

    def become_read_only(self) -> None:
        found = subprocess.run(
            ("findmnt", "-no", "SOURCE", self.place), check=True, capture_output=True, text=True, timeout=60
        )
        Path("/sys/fs/ext4", Path(found.stdout.strip()).name, "trigger_fs_error").write_text("1")

    def unmount(self) -> None:
        subprocess.run(("umount", self.place), check=True, timeout=60)

    def mend(self) -> None:
        subprocess.run(("e2fsck", "-fy", self.image), check=False, capture_output=True, timeout=60)


@contextmanager
def on_a_disk_of_its_own(daemon: Daemon) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a disk")
    need("mkfs.ext4", "e2fsprogs")
    disk = Disk(daemon.directory / "disk.img", daemon.directory / "state")
    if not disk.mount():
        pytest.skip("no loop device can be mounted here")
    try:
        yield disk
    finally:
        if daemon.process is not None:
            daemon.kill()
        subprocess.run(("umount", "--lazy", disk.place), check=False, timeout=60)


def test_on_a_disk_that_became_read_only_nothing_is_done_or_declared_over_and_nothing_is_lost():
    with prepared_daemon({}, RULES) as daemon, on_a_disk_of_its_own(daemon) as disk:
        configured(daemon)
        daemon.tell(it=False, other=True)
        daemon.start()
        daemon.await_state("Other", "escalated")
        disk.become_read_only()
        daemon.tell(it=True, other=False)
        said = eventually(lambda: daemon.client.get("status")["stopped"], what=daemon.tail)
        assert said.startswith("nothing can be made durable")
        eventually(lambda: daemon.metric("paramedic_remediation_refusals_total", guard="stop"), what=daemon.tail)
        assert (runs(daemon), daemon.incident("Broken")) == (0, None)
        assert daemon.incident("Other")["state"] == "escalated"
        assert daemon.stop() == 0
        disk.unmount()
        disk.mend()
        assert disk.mount()
        daemon.start()
        fixed = daemon.await_state("Broken", "resolved")
        assert (fixed["resolution"], len(fixed["attempts"]), runs(daemon)) == ("fixed", 1, 1)
        assert daemon.await_state("Other", "resolved")["resolution"] == "by_itself"
