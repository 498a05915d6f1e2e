"""A wall clock that is set back or forward neither silences the jobs nor makes them run for what never was."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)

INTERVAL_SECONDS = 0.2
RUNS = 6
MAX_CALLS = 2_000
"""A run costs some 60 Python calls. Making up for the 13 million of thirty days, or spinning, costs more."""

# Waits for runs of a job, sets the clock, waits for as many again. Time is measured on the boot clock, which is not
# faked, and work in calls of all threads, because processor time depends on who else uses the machine.
PROGRAM = f"""
import itertools, json, os, sys, threading, time
from agent.clock import SystemClock
from agent.scheduling import Scheduling

calls = itertools.count()
threading.setprofile(lambda frame, event, argument: event == "call" and next(calls))
clock, runs, steps, stepped = SystemClock(), threading.Semaphore(0), [], threading.Event()
schedule = Scheduling(clock, on_step=lambda delta: (steps.append(delta), stepped.set()))
schedule.every({INTERVAL_SECONDS}, runs.release, "steady")
schedule.start()
come = [runs.acquire(timeout=60) for _ in range({RUNS})]
wall = time.time()
os.replace(sys.argv[2], sys.argv[1])
stepped.wait(60)
begun, worked = clock.boottime(), next(calls)
come += [runs.acquire(timeout=60) for _ in range({RUNS})]
json.dump({{"come": come, "seconds": clock.boottime() - begun, "steps": steps, "moved": time.time() - wall,
           "calls": next(calls) - worked}}, sys.stdout)
"""


@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed (Debian package faketime)")
@pytest.mark.parametrize(("offset", "seconds"), [("-3600", -3600.0), ("+2592000", 2_592_000.0)])
def test_a_set_clock_is_noticed_and_the_cadence_goes_on(tmp_path, offset, seconds):
    stamp = tmp_path / "offset"
    stamp.write_text("+0")
    # Renamed into place, because libfaketime may read at any moment.
    (tmp_path / "next").write_text(offset)
    environment = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(stamp),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(stamp), str(tmp_path / "next")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["moved"] == pytest.approx(seconds, abs=300), "libfaketime did not set the clock"
    assert seen["steps"] == [pytest.approx(seconds, abs=1)]
    assert all(seen["come"])
    assert seen["seconds"] > (RUNS - 2) * INTERVAL_SECONDS, "the job ran for what never was"
    assert seen["calls"] < MAX_CALLS
