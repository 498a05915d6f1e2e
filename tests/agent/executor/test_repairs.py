"""Repairs: the stored plan is run as it stands, and what a crash leaves of it is ended."""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.executor.repairs import Repairs
from remediations.runner import DirectRunner
from tests.agent.outbox import owed
from tests.crash.scene import wait_for

BOOT = SystemClock().boot_id


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def run_id():
    """Return an id that no other test has: what carries it is ended wherever it is."""
    return secrets.token_hex(16)


@pytest.fixture
def repairs(runs):
    repairs = Repairs(DirectRunner(boot_id=BOOT, grace_seconds=0.2), runs)
    yield repairs
    repairs.stop()


def ordered(run_id, *argv, timeout=60):
    order = {"run_id": run_id, "argv": argv, "environment": [["GREETING", "hi"]], "resource": "r", "timeout": timeout}
    return owed(order)


def test_the_plan_is_run_exactly_as_it_stands(run_id, repairs, runs):
    settled = repairs.perform(ordered(run_id, "/bin/echo", "$HOME; `id`", "{{ $value }}"))
    assert (settled.done, settled.row, settled.claim) == (True, 7, "mine")
    assert settled.result["outcome"] == "succeeded"
    assert settled.result["output"] == "$HOME; `id` {{ $value }}\n"
    assert list(runs.iterdir()) == []


def test_the_run_knows_its_id_and_the_plans_environment(run_id, repairs):
    settled = repairs.perform(ordered(run_id, "/bin/sh", "-c", 'echo "$PARAMEDIC_RUN $GREETING"'))
    assert settled.result["output"] == f"{run_id} hi\n"


@pytest.mark.parametrize(
    ("argv", "outcome", "code"),
    [
        (("/bin/sh", "-c", "exit 3"), "failed", 3),
        (("/bin/sh", "-c", "kill -9 $$"), "failed", None),
        (("/nonexistent/program",), "failed", None),
    ],
)
def test_failure_is_an_outcome_and_never_tried_again(repairs, runs, argv, outcome, code):
    settled = repairs.perform(ordered(secrets.token_hex(16), *argv))
    assert settled.done
    assert (settled.result["outcome"], settled.result["exit_code"]) == (outcome, code)
    assert list(runs.iterdir()) == []


def test_what_takes_too_long_is_ended(run_id, repairs):
    settled = repairs.perform(ordered(run_id, "/bin/sleep", "60", timeout=0.1))
    assert settled.result["outcome"] == "timed_out"


@pytest.fixture
def crashed(repairs, runs, run_id):
    """Return the pid of the first process of a run whose daemon died in the middle of it."""
    told = runs.parent / "pid"
    script = f"echo $$ > {told}.new; mv {told}.new {told}; exec sleep 600"
    thread = threading.Thread(target=repairs.perform, args=(ordered(run_id, "/bin/sh", "-c", script),))
    thread.start()
    wait_for(lambda: told.exists() and b"start_ticks" in (runs / run_id).read_bytes(), "the run")
    yield int(told.read_text())
    repairs.stop()
    thread.join()


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_survivor_of_a_crash_is_ended(runs, run_id, crashed):
    after = Repairs(DirectRunner(boot_id=BOOT, grace_seconds=0.2), runs)
    assert after.end_survivors(run_id) == "what was left of it was ended"
    wait_for(lambda: not alive(crashed), "its end")
    assert not (runs / run_id).exists()


def test_a_run_of_another_boot_is_nobody_we_may_kill(runs, run_id, crashed):
    after = Repairs(DirectRunner(boot_id="another boot", grace_seconds=0.2), runs)
    assert after.end_survivors(run_id) == "nothing was left of it"
    assert alive(crashed)


def test_a_process_that_took_the_pid_over_is_left_alone(repairs, runs, run_id, crashed):
    record = (runs / run_id).read_text()
    (runs / run_id).write_text(record.replace('"start_ticks":', '"start_ticks":1'))
    assert repairs.end_survivors(run_id) == "nothing was left of it"
    assert alive(crashed)


def test_a_run_that_was_never_begun_left_nothing(run_id, repairs):
    assert repairs.end_survivors(run_id) == "it was not recorded as started"


def test_a_record_that_was_torn_harms_nobody(run_id, repairs, runs):
    (runs / run_id).write_bytes(b'{"run_id": "01')
    assert repairs.end_survivors(run_id) == "it was not recorded as started"


@pytest.fixture
def script(tmp_path):
    """Return a script that starts something in a session of its own, tells both pids, and goes on."""
    path = tmp_path / "repair"
    path.write_text(
        f"#!{sys.executable} -I\n"
        "import os, subprocess, sys, time\n"
        "own = subprocess.Popen(['sleep', '600'], start_new_session=True, stdout=subprocess.DEVNULL)\n"
        "print(os.getpid(), own.pid, flush=True)\n"
        "time.sleep(float(sys.argv[1]))\n"
    )
    path.chmod(0o700)
    return path


def unrecorded(runs, run_id, script, seconds):
    """Start a run as a daemon does that dies before it has written the pid down."""
    argv = [str(script), seconds]
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, text=True, start_new_session=True, env={**os.environ, "PARAMEDIC_RUN": run_id}
    )
    own, service = map(int, process.stdout.readline().split())
    (runs / run_id).write_text(json.dumps(argv))
    return process, own, service


def test_a_run_that_a_crash_kept_from_being_recorded_is_found_by_its_words_and_its_mark(repairs, runs, run_id, script):
    process, own, service = unrecorded(runs, run_id, script, "600")
    assert own == process.pid
    threading.Thread(target=process.wait, daemon=True).start()
    assert repairs.end_survivors(run_id) == "what was left of it was ended"
    assert not alive(own)
    assert not alive(service)
    process.stdout.close()


def test_the_service_that_an_unrecorded_run_has_started_lives_on(repairs, runs, run_id, script):
    process, _, service = unrecorded(runs, run_id, script, "0")
    process.wait(60)
    assert repairs.end_survivors(run_id) == "nothing was left of it"
    assert alive(service)
    os.kill(service, signal.SIGKILL)
    process.stdout.close()


def test_a_run_that_cannot_be_recorded_is_not_begun(run_id, repairs, runs, tmp_path):
    runs.rmdir()
    settled = repairs.perform(ordered(run_id, "/bin/touch", str(tmp_path / "begun")))
    assert (settled.done, settled.result["outcome"]) == (True, "refused")
    assert "cannot be written" in settled.result["detail"]
    assert not (tmp_path / "begun").exists()


@pytest.mark.parametrize("first", [{"precondition": ["/bin/true"]}, {"diagnostics": [["/bin/true"]]}])
def test_nor_is_what_comes_before_it(run_id, repairs, runs, tmp_path, first):
    runs.rmdir()
    row = ordered(run_id, "/bin/touch", str(tmp_path / "begun"))
    row.payload.update(first)
    settled = repairs.perform(row)
    assert (settled.done, settled.result["outcome"]) == (True, "refused")
    assert "cannot be written" in settled.result["detail"]
    assert "cannot be written" in repairs.prepare(row).unmet
    assert not (tmp_path / "begun").exists()


def test_a_run_whose_process_cannot_be_written_down_goes_on(run_id, repairs, runs):
    # The folder goes as soon as the run has begun: the second record has no place.
    script = f"rm -r {runs}; sleep 0.2; echo done"
    real, repairs._runner.run = repairs._runner.run, None

    def run(run_id, plan, timeout, on_started):
        def started(record):
            wait_for(lambda: not runs.exists(), "the folder to go")
            on_started(record)

        return real(run_id, plan, timeout, started)

    repairs._runner.run = run
    settled = repairs.perform(ordered(run_id, "/bin/sh", "-c", script))
    assert (settled.result["outcome"], settled.result["output"]) == ("succeeded", "done\n")
