"""Jobs run on time, never beside themselves, and a slow or broken one is counted and harms no other."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from agent.clock import SystemClock
from agent.scheduling import GridTrigger, Scheduling
from agent.telemetry.metrics import REGISTRY


def counted(job, event):
    return REGISTRY.get_sample_value("paramedic_scheduler_events_total", {"task": job, "event": event}) or 0.0


class Tally:
    """Counts calls; `reached` waits for the n-th."""

    def __init__(self):
        self.times = []
        self._changed = threading.Condition()

    def __call__(self):
        with self._changed:
            self.times.append(time.monotonic())
            self._changed.notify_all()

    def reached(self, count, seconds=60):
        with self._changed:
            return self._changed.wait_for(lambda: len(self.times) >= count, seconds)


@pytest.fixture
def schedule():
    made = Scheduling(SystemClock(), threads=2)
    yield made
    made.close()


class TurnedClock:
    boot_id = "test"

    def __init__(self):
        self.boot = 500.0

    def boottime(self):
        return self.boot


def test_a_job_runs_at_once_and_then_at_its_interval(schedule):
    tally, hourly, began = Tally(), Tally(), time.monotonic()
    schedule.every(0.2, tally, "steady")
    schedule.every(3600, hourly, "hourly")
    schedule.start()
    assert tally.reached(4)
    assert hourly.reached(1)
    # A run may come late on a busy machine, but none before its time.
    assert all(at - began >= 0.2 * number - 0.02 for number, at in enumerate(tally.times))


def test_an_ended_job_runs_no_more(schedule):
    ended, other = Tally(), Tally()
    end = schedule.every(0.05, ended, "ended")
    schedule.every(0.05, other, "other")
    schedule.start()
    assert ended.reached(1)
    end()
    count = len(ended.times)
    assert other.reached(len(other.times) + 4)
    assert len(ended.times) <= count + 1


def test_the_next_fire_time_is_the_next_grid_point_however_late_it_is():
    clock = TurnedClock()
    trigger = GridTrigger(15, clock)
    now = datetime.now(UTC) + timedelta(hours=1)
    assert (trigger.get_next_fire_time(None, now) - now).total_seconds() == 15
    clock.boot += 30 * 86400 + 4
    assert (trigger.get_next_fire_time(now, now) - now).total_seconds() == pytest.approx(11)


def test_waking_a_moment_early_does_not_fire_twice():
    clock = TurnedClock()
    trigger = GridTrigger(15, clock)
    now = datetime.now(UTC) + timedelta(hours=1)
    clock.boot += 14.999
    assert (trigger.get_next_fire_time(now, now) - now).total_seconds() == pytest.approx(15.001)


def test_an_overrunning_job_is_left_out_and_counted(schedule):
    release, started = threading.Event(), Tally()
    before = counted("slow", "overlap")
    neighbour = Tally()

    def slow():
        started()
        release.wait(60)

    schedule.every(0.05, slow, "slow")
    schedule.every(0.1, neighbour, "neighbour")
    schedule.start()
    assert neighbour.reached(5)
    assert len(started.times) == 1
    assert counted("slow", "overlap") > before
    release.set()
    assert started.reached(2)


def test_ten_slow_jobs_on_two_threads_all_get_their_turn(schedule):
    tallies = [Tally() for _ in range(10)]

    def slow(tally):
        threading.Event().wait(0.05)
        tally()

    for number, tally in enumerate(tallies):
        schedule.every(0.1, lambda tally=tally: slow(tally), f"job-{number}")
    schedule.start()
    assert all(tally.reached(2) for tally in tallies)
    assert len([thread for thread in threading.enumerate() if thread.name.startswith("schedule-")]) <= 2
    assert sum(counted(f"job-{number}", "overlap") for number in range(10)) > 0
    assert sum(counted(f"job-{number}", "missed") for number in range(10)) == 0


def test_a_job_that_raises_is_counted_and_runs_again(schedule):
    tally, before = Tally(), counted("broken", "error")

    def broken():
        tally()
        raise ValueError("no")

    schedule.every(0.05, broken, "broken")
    schedule.start()
    assert tally.reached(3)
    assert counted("broken", "error") >= before + 2


def test_closing_waits_for_no_job_that_hangs():
    schedule, ended = Scheduling(SystemClock()), Tally()
    started, release = threading.Event(), threading.Event()

    def hang():
        started.set()
        release.wait(60)
        ended()

    schedule.every(1, hang, "hanging")
    schedule.start()
    assert started.wait(60)
    schedule.close()
    assert ended.times == []
    release.set()
