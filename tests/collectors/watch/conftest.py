"""What drives a watch in these tests, as its host does."""

import select
import time

import pytest

DEADLINE_SECONDS = 30


class Driver:
    """Waits for what the watch names in `fds`, and keeps the latest value of every series."""

    def __init__(self, watch):
        self.watch, self.epoll, self.registered, self.values = watch, select.epoll(), {}, {}

    def _sync(self, samples):
        said = {(sample.name, *(value for _, value in sample.labels)): sample.value for sample in samples}
        wanted = dict(self.watch.fds)
        for fd in self.registered.keys() - wanted.keys():
            self.epoll.unregister(fd)
        for fd in wanted.keys() - self.registered.keys():
            self.epoll.register(fd, wanted[fd])
        self.registered = wanted
        self.values |= said
        return said

    def snapshot(self):
        return self._sync(self.watch.snapshot())

    def events(self, seconds=0.0):
        """Return what the events until then say; the first that says something ends the waiting."""
        deadline = time.monotonic() + seconds
        while True:
            said = {}
            fired = self.epoll.poll(max(0.0, deadline - time.monotonic()))
            for fd, _ in fired:
                said |= self._sync(self.watch.read(fd))
            if said or not fired:
                return said

    def until(self, condition, seconds=DEADLINE_SECONDS):
        """Let events and, while the watch is pending, snapshots come until the condition holds for the values."""
        deadline = time.monotonic() + seconds
        while not condition(self.values):
            assert time.monotonic() < deadline, self.values
            if self.watch.pending:
                self.snapshot()
            self.events(0.05)
        return self.values

    def close(self):
        self.watch.close()
        self.epoll.close()


@pytest.fixture
def drive():
    """Return a function that opens a watch and takes its first snapshot."""
    drivers = []

    def opened(spec, options):
        drivers.append(Driver(spec.open(options)))
        drivers[-1].snapshot()
        return drivers[-1]

    yield opened
    for driver in drivers:
        driver.close()
