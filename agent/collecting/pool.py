"""Threads for runs that may wait: few when all is well, one more when they stall, given up when they hang."""

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

from agent.clock import Clock
from agent.telemetry import metrics

STALLED_SECONDS = 0.05
"""With nothing done for this long while runs wait, another thread helps. A healthy disk is read by one thread."""


class Run:
    """One call on a thread of the pool. `deliver` gets its result, unless the run was given up before."""

    __slots__ = ("abandoned", "call", "claimed", "deliver", "over", "started", "timeout_seconds")

    def __init__(self, call: Callable[[], Any], deliver: Callable[[Any], None], timeout_seconds: float) -> None:
        self.call = call
        self.deliver = deliver
        self.timeout_seconds = timeout_seconds
        self.started: float | None = None
        """Boot-clock seconds."""
        self.claimed = False
        self.abandoned = False
        self.over = False
        """Its thread is free again."""


class Pool:
    """Up to `size` threads that work, and up to `limit` with those that hang and were given up."""

    def __init__(self, clock: Clock, *, size: int = 4, limit: int = 16) -> None:
        self._clock = clock
        self._size = size
        self._limit = limit
        self._queue: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = 0
        self._abandoned = 0

    def submit(self, run: Run) -> bool:
        """Queue a run. False: every thread hangs and there may be no more."""
        with self._changed:
            if self._threads == self._abandoned and not self._grow():
                return False
        self._queue.put(run)
        return True

    def settle(self, runs: Sequence[Run], until: float) -> list[Run]:
        """Wait for the runs, at most until then (boot-clock seconds); give up and return those that are overdue."""
        given_up: list[Run] = []
        with self._changed:
            while True:
                now = self._clock.boottime()
                given_up += [run for run in runs if self._give_up(run, now)]
                waiting = [run for run in runs if not (run.over or run.abandoned)]
                if not waiting or now >= until or self._closed:
                    return given_up
                wake_at = min([until, *((run.started or now) + run.timeout_seconds for run in waiting)])
                stalled = any(run.started is None for run in waiting)
                limit = STALLED_SECONDS if stalled and self._may_grow() else wake_at - now
                if not self._changed.wait(max(0.0, min(limit, wake_at - now))) and stalled:
                    self._grow()

    def close(self) -> None:
        """Let the threads end when they are free, and whoever waits for them go on; none is waited for here."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            for _ in range(self._threads):
                self._queue.put(None)

    def _may_grow(self) -> bool:
        return self._threads - self._abandoned < self._size and self._threads < self._limit

    def _grow(self) -> bool:
        if not self._may_grow():
            return False
        self._threads += 1
        threading.Thread(target=self._work, name=f"collect-{self._threads}", daemon=True).start()
        return True

    def _give_up(self, run: Run, now: float) -> bool:
        if run.claimed or run.abandoned or run.started is None or now < run.started + run.timeout_seconds:
            return False
        run.abandoned = True
        self._abandoned += 1
        metrics.COLLECTOR_ABANDONED.inc()
        if self._threads == self._abandoned:
            self._grow()
        return True

    def _work(self) -> None:
        while (run := self._queue.get()) is not None:
            with self._changed:
                run.started = self._clock.boottime()
            outcome = run.call()
            with self._changed:
                run.claimed = not run.abandoned
            if run.claimed:
                run.deliver(outcome)
            del outcome  # not to be kept until this thread's next run: it may be thousands of samples
            with self._changed:
                run.over = True
                if run.abandoned or self._queue.empty():  # not for each of many quick runs
                    self._changed.notify_all()
                if run.abandoned:  # another thread has taken this one's place
                    self._threads -= 1
                    self._abandoned -= 1
                    metrics.COLLECTOR_ABANDONED.dec()
                    return
