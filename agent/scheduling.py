"""Periodic work on APScheduler: a steady cadence whatever the wall clock does, no missed slots made up for."""

import contextlib
import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler import events
from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.job import Job
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from agent.clock import Clock
from agent.telemetry import log, metrics

STEP_SECONDS = 2.0
"""A wall clock that moved this much against the boot clock was set, not slewed."""
LONGEST_WAIT_SECONDS = 15.0
"""The clock is looked at this often at least, and whenever a job is due; nothing wakes up just for that by default."""
_EARLY = 0.1
"""A grid point nearer than this share of the interval counts as reached: two clocks never agree to the microsecond."""

_EVENTS = {
    events.EVENT_JOB_MISSED: "missed",
    events.EVENT_JOB_MAX_INSTANCES: "overlap",
    events.EVENT_JOB_ERROR: "error",
}


class GridTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no type information
    """Fires on a grid of the boot clock; the next fire time is always the next point after now.

    APScheduler asks a trigger for every slot up to now, one by one: after a jump of thirty days that takes seconds, and
    after one of a century it takes all memory. This one has no past.
    """

    __slots__ = ("_clock", "_due", "_origin", "seconds")

    def __init__(self, seconds: float, clock: Clock) -> None:
        self.seconds = seconds
        self._clock = clock
        self._origin = self._due = clock.boottime()

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """Return the wall time of the next grid point; the slots in between are gone."""
        elapsed = self._clock.boottime() - self._origin
        slot = math.floor(elapsed / self.seconds + _EARLY) + 1
        self._due = self._origin + slot * self.seconds
        # APScheduler's `now` may be milliseconds old, which would fire a short interval early, and so twice. It still
        # is the least: a time before it, if the clock was just set back, would be asked for again without end.
        now = max(now, datetime.now(UTC))
        return now + timedelta(seconds=slot * self.seconds - elapsed)

    def due(self) -> datetime:
        """Return what the wall clock, as it goes now, will show at the point that was asked for last."""
        return datetime.now(UTC) + timedelta(seconds=self._due - self._clock.boottime())


class Scheduling:
    """Runs functions at intervals on a few threads of its own, each never beside itself.

    APScheduler goes by the wall clock as it is; of our clock only the boot time is used. `on_step` is told, on the
    scheduler's thread, by how many seconds the wall clock was set.
    """

    def __init__(self, clock: Clock, *, on_step: Callable[[float], None] | None = None, threads: int = 4) -> None:
        self._clock = clock
        self._on_step = on_step
        self._log = log.get("scheduling")
        self._offset = time.time() - clock.boottime()
        # What APScheduler would log arrives as events, and is logged in our format.
        logging.getLogger("apscheduler").addHandler(logging.NullHandler())
        logging.getLogger("apscheduler").propagate = False
        self._scheduler = _Scheduler(
            look=self._look_at_clock,
            timezone=UTC,
            executors={"default": _Threads(threads)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._scheduler.add_listener(self._heard, sum(_EVENTS))

    def every(self, seconds: float, function: Callable[[], None], name: str) -> Callable[[], None]:
        """Run the function now (or at `start`) and every so many seconds; return what ends that. Names are unique."""
        trigger = GridTrigger(seconds, self._clock)
        job: Job = self._scheduler.add_job(function, trigger, id=name, name=name, next_run_time=datetime.now(UTC))

        def end() -> None:
            with contextlib.suppress(JobLookupError):  # the scheduler is closed already
                job.remove()

        return end

    def start(self) -> None:
        self._scheduler.start()

    def close(self) -> None:
        """Stop scheduling. A run that is under way is not waited for; its thread ends with it or with the process."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _look_at_clock(self) -> None:
        """Notice that the wall clock was set; move the jobs with it, or a step would silence or rush them."""
        offset = time.time() - self._clock.boottime()
        delta, self._offset = offset - self._offset, offset
        if abs(delta) <= STEP_SECONDS:
            return
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=job.trigger.due())
        if self._on_step is not None:
            self._on_step(delta)

    def _heard(self, event: events.JobEvent) -> None:
        kind = _EVENTS[event.code]
        metrics.JOB_EVENTS.labels(event.job_id, kind).inc()
        if kind == "error":
            self._log.error("a job failed", job=event.job_id, error=repr(event.exception), trace=event.traceback)


class _Scheduler(BackgroundScheduler):  # type: ignore[misc]
    """APScheduler with a look at the clock around each round, and rounds that come in time to notice a step."""

    def __init__(self, *, look: Callable[[], None], **options: object) -> None:
        self._look = look
        super().__init__(**options)

    def _process_jobs(self) -> float:
        self._look()
        wait_seconds: float | None = super()._process_jobs()
        self._look()  # a step during the round would have made the wait wrong
        return LONGEST_WAIT_SECONDS if wait_seconds is None else min(wait_seconds, LONGEST_WAIT_SECONDS)


class _Threads(BaseExecutor):  # type: ignore[misc]
    """Daemon threads, made when needed. Those of concurrent.futures would keep a hanging job's process from exiting."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._threads: list[threading.Thread] = []
        self._work: queue.SimpleQueue[tuple[Job, list[datetime]] | None] = queue.SimpleQueue()

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        """Queue the run; called under the executor's lock, before the job is counted among the instances."""
        if len(self._instances) >= len(self._threads) and len(self._threads) < self._size:
            thread = threading.Thread(target=self._run, name=f"schedule-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._work.put((job, run_times))

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            job, run_times = item
            # run_job catches what the function raises and returns it as an event.
            self._run_job_success(job.id, run_job(job, "default", run_times, "apscheduler.executors"))

    def shutdown(self, wait: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002  # APScheduler's signature
        for _ in self._threads:
            self._work.put(None)
