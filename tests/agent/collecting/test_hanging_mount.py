"""A mount that really does not answer: a filesystem in user space whose program never reads its requests."""

import ctypes
import os
import threading

import pytest

from agent.collecting.collector import Collector
from agent.collecting.health import Health
from agent.collecting.poll import Poll
from agent.collecting.pool import Pool
from collectors import filesystem
from collectors.sample import Source

MNT_DETACH = 2
LIBC = ctypes.CDLL(None, use_errno=True)


class Silence:
    """Lies over a folder until it is lifted."""

    def __init__(self, folder):
        self._folder = os.fsencode(folder)
        try:
            self._fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            pytest.skip(f"no filesystem in user space here: {error}")
        options = f"fd={self._fd},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}".encode()
        if LIBC.mount(b"silent", self._folder, b"fuse", 0, options):
            os.close(self._fd)
            pytest.skip(f"this user may not mount: {os.strerror(ctypes.get_errno())}")

    def lift(self):
        """End what hangs: the kernel answers for a program that has gone."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
            LIBC.umount2(self._folder, MNT_DETACH)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "nfs"
    path.mkdir()
    return path


@pytest.fixture
def silence(folder):
    made = Silence(folder)
    yield made
    made.lift()


@pytest.fixture
def poll(heard, turned, folder, tmp_path):
    """Rounds over two mounts; the one on the folder hangs while there is silence."""
    mounts = tmp_path / "proc/1/mountinfo"
    mounts.parent.mkdir(parents=True)
    lines = (f"{number} 1 0:{number} / {point} rw - nfs4 server:/srv rw\n" for number, point in ((2, "/"), (3, folder)))
    mounts.write_text("".join(lines))
    pool = Pool(turned)
    collector = Collector(
        name="filesystem",
        spec=filesystem.SPEC,
        options=filesystem.FilesystemOptions(procfs=tmp_path / "proc"),
        interval_seconds=15.0,
        timeout_seconds=0.5,
    )
    yield Poll([collector], 15.0, health=Health(heard, turned, []), clock=turned, pool=pool)
    pool.close()


@pytest.fixture
def timed_out_round(poll, heard, turned):
    """Return what goes round until the time is up for what has not answered, and it is once "/" has."""

    def go():
        read = len(heard.of("filesystem", "/"))
        going = threading.Thread(target=poll.round)
        going.start()
        assert heard.until(lambda: len(heard.of("filesystem", "/")) > read)
        turned.turn(1)
        going.join(60)
        assert not going.is_alive()

    return go


def errors(readings):
    """The device errors of a source's last reading, by the reason given."""
    return {
        dict(sample.labels).get("device_error"): sample.value
        for sample in readings[-1].samples
        if sample.name == filesystem.DEVICE_ERROR.name
    }


@pytest.mark.usefixtures("silence")
def test_a_mount_that_hangs_is_told_as_an_error_of_its_device_and_delays_no_other(poll, timed_out_round, heard, folder):
    timed_out_round()
    told = heard.of("filesystem_outcome", str(folder))
    assert errors(told) == {"mountpoint timeout": 1.0}
    assert dict(told[-1].samples[0].labels)["mountpoint"] == str(folder)
    assert [failure.source for failure in heard.failures] == [Source("filesystem", str(folder))]
    assert errors(heard.of("filesystem", "/")) == {None: 0.0}
    poll.round()
    assert heard.failures[-1].reason == "the run before still hangs"
    assert errors(told := heard.of("filesystem_outcome", str(folder))) == {"mountpoint timeout": 1.0}
    assert len(told) == 2


def test_the_error_ends_when_the_mount_answers_again(silence, poll, timed_out_round, heard, folder):
    timed_out_round()
    run = poll._runs[Source("filesystem", str(folder))]
    silence.lift()
    with poll._pool._changed:
        assert poll._pool._changed.wait_for(lambda: run.over, 60)
    poll.round()
    assert errors(heard.of("filesystem", str(folder))) == {None: 0.0}
    assert heard.of("filesystem_outcome", str(folder))[-1].samples == ()
