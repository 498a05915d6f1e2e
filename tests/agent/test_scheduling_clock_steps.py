"""A wall clock that is set back or forward neither silences the jobs nor makes them run for what never was."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)

# Counts runs of a 0.2 s job, sets the clock, counts again. Time is measured on the boot clock, which is not faked.
PROGRAM = """
import json, os, sys, threading, time
from agent.clock import SystemClock
from agent.scheduling import Scheduling

clock, runs, steps, stepped = SystemClock(), [], [], threading.Event()
schedule = Scheduling(clock, on_step=lambda delta: (steps.append(delta), stepped.set()))
schedule.every(0.2, lambda: runs.append(time.time()), "steady")
schedule.start()
pause = threading.Event()
pause.wait(0.7)
before, wall = len(runs), time.time()
os.replace(sys.argv[2], sys.argv[1])
stepped.wait(5)
cpu = time.process_time()
at_step = len(runs)
pause.wait(1.2)
json.dump({"before": before, "after": len(runs) - at_step, "steps": steps, "moved": time.time() - wall,
           "cpu": time.process_time() - cpu}, sys.stdout)
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
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(stamp), str(tmp_path / "next")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert time.monotonic() - begun < 30
    assert seen["moved"] == pytest.approx(seconds, abs=10), "libfaketime did not set the clock"
    assert seen["steps"] == [pytest.approx(seconds, abs=1)]
    assert seen["before"] >= 2
    assert 3 <= seen["after"] <= 8
    assert seen["cpu"] < 0.5
