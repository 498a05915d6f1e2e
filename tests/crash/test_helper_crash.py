"""kill -9 of the root helper at every system call of a request: nothing runs twice, what began has a verdict."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.tracer import executioner, needs_strace
from tests.services.service import eventually, need

pytestmark = [pytest.mark.crash, needs_strace]
TREE = Path(__file__).parents[2]
RUN_ID = "0123456789abcdef0123456789abcdef"
CALLS = "mkdir,openat,write,fsync,close,rename,execve,vfork,clone3,clone"
SOAK = "CRASH_POINTS" in os.environ
STEP = 1 if SOAK else 2
"""In `make test` every second system call of a request is a point to be killed at, in `make soak` every one."""


@pytest.fixture
def top(tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "actions.d").mkdir(mode=0o755)
    program = tmp_path / "count"
    program.write_text(f"#!/bin/sh\necho ran >> {tmp_path}/ran\necho told\n")
    program.chmod(0o755)
    (tmp_path / "actions.d/count.toml").write_text(f'argv = ["{program}"]\nruns = 100\nhost_runs_per_hour = 1000\n')
    (tmp_path / "actions.d/count.toml").chmod(0o644)
    return tmp_path


def ask(top, *requests, prefix=()):
    """Start a helper, ask it, and return its answers; fewer when it dies."""
    argv = (*prefix, sys.executable, "-m", "tests.crash.local_helper", str(top))
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(
        argv,
        input=lines,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=TREE,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def order(top):
    return {"op": "run", "run": RUN_ID, "argv": [str(top / "count")], "timeout": 60}


STATUS = {"op": "status", "run": RUN_ID}


def reset(top):
    shutil.rmtree(top / "runs", ignore_errors=True)
    for name in ("ran", "runs.reserve"):
        (top / name).unlink(missing_ok=True)


def ran(top):
    return (top / "ran").read_text().count("ran") if (top / "ran").exists() else 0


def await_verdict(top):
    def look():
        answer = ask(top, STATUS)[1][0]
        return answer if answer["answer"] != "running" else None

    return eventually(look)


def points(top, strace):
    """Return the system calls of one request as (name, n-th of its kind); the helper marks where the request begins."""
    log = top / "log"
    ask(top, order(top), prefix=(strace, "-qq", "-o", str(log), "-e", f"trace={CALLS},getppid"))
    await_verdict(top)
    calls = re.findall(r"^(\w+)\(", log.read_text(), re.MULTILINE)
    begin = calls.index("getppid")
    return [(name, calls[: number + 1].count(name)) for number, name in enumerate(calls) if number > begin]


def test_killed_at_any_system_call_nothing_runs_twice_and_what_began_has_a_verdict(top, record_property):
    strace = need("strace", "strace")
    killed = began = 0
    for call, number in points(top, strace)[::STEP]:
        reset(top)
        trace = (strace, "-qq", "-o", "/dev/null", "-e", f"trace={call}")
        code, _ = ask(top, order(top), prefix=(*trace, *executioner(call, number)))
        killed += code in {-signal.SIGKILL, 128 + signal.SIGKILL}
        _, (again, status) = ask(top, order(top), STATUS)
        assert again["answer"] in {"started", "duplicate"}
        if again["answer"] == "started":
            answer = await_verdict(top)
            assert (answer["result"], answer["output"]) == ("success", "told\n")
            assert ran(top) == 1
            continue
        began += 1
        assert status["answer"] in {"running", "finished"}
        assert ran(top) <= 1
    assert killed >= (20 if SOAK else 6)
    assert 0 < began < killed, "killed before the claim and after it"
    record_property("kill -9 of the root helper", f"{killed} points, {began} of them after the claim, 0 runs twice")
