"""The direct runner, on real processes."""

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from remediations import processes
from remediations.output import LIMIT
from remediations.plan import Plan
from remediations.runner import DirectRunner, Outcome, Record, RunError
from tests.remediations.living import BOOT, alive, cut_short, end, pid_in, waiting_in
from tests.services.service import eventually

HANG = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"

RUN = f"run-{os.getpid()}"
"""An id that no other test has: what carries it is ended wherever it is."""


def plan(*argv, **environment):
    return Plan(argv=argv, resource="test:it", environment=tuple(environment.items()))


def shell(script):
    return plan("/bin/sh", "-c", script)


def run(runner, plan, timeout_seconds=60.0, run_id=RUN):
    return runner.run(run_id, plan, timeout_seconds, lambda _: None)


def test_a_program_that_ends_well_succeeded(runner):
    result = run(runner, plan("/bin/echo", "hello"))
    assert (result.outcome, result.exit_code, result.signal, result.output) == (Outcome.SUCCEEDED, 0, None, "hello\n")
    assert result.duration_seconds > 0


def test_an_exit_status_failed(runner):
    result = run(runner, shell("echo out; echo err >&2; exit 3"))
    assert (result.outcome, result.exit_code, result.detail) == (Outcome.FAILED, 3, "exit status 3")
    assert result.output == "out\nerr\n"


def test_a_signal_failed(runner):
    result = run(runner, shell("kill -SEGV $$"))
    assert (result.outcome, result.exit_code, result.signal) == (Outcome.FAILED, None, signal.SIGSEGV)
    assert "SIGSEGV" in result.detail


@pytest.mark.parametrize("program", ["/nowhere/at-all", "no-such-program-anywhere", "/etc/passwd", "bad\0name"])
def test_a_program_that_cannot_start_failed_and_says_why(runner, program):
    started = []
    result = runner.run(RUN, plan(program), 5.0, started.append)
    assert result.outcome is Outcome.FAILED
    assert "cannot start" in result.detail
    assert started == []
    with pytest.raises(RunError):
        runner.start(RUN, plan(program), 5.0)


def test_the_childs_files_are_not_hidden_by_the_daemons_umask(runner):
    before = os.umask(0o077)
    try:
        assert run(runner, shell("umask")).output == "0022\n"
    finally:
        os.umask(before)


def test_the_child_gets_a_clean_environment_and_no_terminal(runner, monkeypatch):
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS", "CREDENTIALS_DIRECTORY", "INVOCATION_ID", "SECRET"):
        monkeypatch.setenv(name, "x")
    lines = run(runner, plan("/usr/bin/env", EXTRA="y"), run_id="run-7").output.splitlines()
    assert sorted(line.split("=")[0] for line in lines) == ["EXTRA", "HOME", "LANG", "PARAMEDIC_RUN", "PATH"]
    assert "PARAMEDIC_RUN=run-7" in lines
    report = run(runner, shell("pwd; ulimit -Sc; readlink /proc/self/fd/0; ls /proc/self/fd | wc -w"))
    assert report.output.split() == ["/", "0", "/dev/null", "4"]


def test_the_child_leads_a_session_of_its_own(runner):
    records = []
    result = runner.run(RUN, shell("echo $$; ps -o sid= -p $$"), 20.0, records.append)
    pid, session = result.output.split()
    assert pid == session == str(records[0].pid)


def test_of_much_output_the_ends_are_kept(runner):
    result = run(runner, shell("echo first; yes 0123456789abcde | head -c 100000000; echo last"), 300.0)
    assert result.outcome is Outcome.SUCCEEDED
    assert result.output.startswith("first\n0123456789abcde\n")
    assert result.output.endswith("0123456789abcde\nlast\n")
    assert len(result.output) < 70_000


def test_output_that_is_no_text_is_shown_escaped(runner):
    assert run(runner, shell(r"printf '\377\000\033[31m'")).output == "\\xff\\x00\\x1b[31m"


def test_a_hanging_program_is_ended_at_its_time_out(runner):
    result = run(runner, plan("/bin/sleep", "600"), 0.2)
    assert (result.outcome, result.signal) == (Outcome.TIMED_OUT, signal.SIGTERM)


def test_a_program_gets_time_to_clean_up_and_its_last_words_are_kept(runner):
    # The wait is a short one over and over: a shell runs its trap between commands.
    script = "trap 'echo cleaned; exit 5' TERM; echo ready; while :; do sleep 0.02; done"
    result = cut_short(runner, RUN, shell(script), waiting_in)
    assert (result.outcome, result.exit_code) == (Outcome.TIMED_OUT, 5)
    assert [line for line in result.output.splitlines() if line != "Terminated"] == ["ready", "cleaned"]


def test_a_program_is_asked_to_end_only_once(brusque, monkeypatch):
    code = """
import signal
signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))
print("ready", flush=True)
while True:
    signal.pause()
"""
    runs, wait_for_end = [], processes._wait_for_end

    def wait_once_heard(members, wait_seconds):
        eventually(lambda: waiting_in(runs[0]) >= len("asked\n"), what="an answer to TERM")
        wait_for_end(members, wait_seconds)

    monkeypatch.setattr(processes, "_wait_for_end", wait_once_heard)
    result = cut_short(
        brusque, RUN, plan(sys.executable, "-c", code), lambda run: waiting_in(run) and (runs.append(run), 1)
    )
    assert (result.output, result.signal) == ("ready\nasked\n", signal.SIGKILL)


FAMILIES = {
    "a child in the group": "{hang} & echo $! > {file}; wait",
    "a child in a session of its own": "setsid {hang} & wait",
    "an orphan in a session of its own": "(setsid {hang} &) ; sleep 600",
    "a child in a session of its own with another environment": "env -i setsid {hang} & wait",
    "an orphan in the group with another environment": "(env -i {hang} &) ; sleep 600",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_time_out_ends_processes_that_ignore_term(brusque, tmp_path, family):
    pidfile = tmp_path / "pid"
    code = f"import os; open('{pidfile}', 'w').write(f'{{os.getpid()}}\\n'); {HANG}"
    script = FAMILIES[family].format(hang=f'{sys.executable} -c "{code}"', file=tmp_path / "other")
    pids = []

    def ready(running):
        pids[:] = running.record.pid, pid_in(pidfile)()
        return pids[1]

    assert cut_short(brusque, RUN, shell(script), ready).outcome is Outcome.TIMED_OUT
    assert [pid for pid in pids if alive(pid)] == []


FORKING = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for generation in range(200):
    if os.fork():
        signal.pause()
    if generation % 2:
        os.setsid()
    time.sleep(0.01)
"""


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_time_out_ends_a_program_that_keeps_forking(brusque):
    mark = f"generation {os.getpid()}"

    def generations():
        return [path for path in Path("/proc").glob("[0-9]*/cmdline") if mark.encode() in read(path)]

    forking = plan(sys.executable, "-c", f"{FORKING}# {mark}")
    result = cut_short(brusque, "forking", forking, lambda _: len(generations()) > 10)
    assert result.outcome is Outcome.TIMED_OUT
    assert "not every" not in result.detail
    assert generations() == []


def test_what_a_start_script_leaves_in_the_background_lives_on(runner, tmp_path):
    pidfile = tmp_path / "pid"
    result = run(runner, shell(f"setsid sleep 600 >/dev/null 2>&1 & echo $! > {pidfile}; echo started"))
    service = int(pidfile.read_text())
    try:
        assert (result.outcome, result.output) == (Outcome.SUCCEEDED, "started\n")
        assert alive(service)
    finally:
        end(service)


def test_a_survivor_that_holds_the_pipe_open_does_not_hold_up_the_result(runner, tmp_path):
    pidfile = tmp_path / "pid"
    result = run(runner, shell(f"setsid sleep 600 & echo $! > {pidfile}; echo started"), 600.0)
    service = int(pidfile.read_text())
    try:
        assert (result.outcome, result.output) == (Outcome.SUCCEEDED, "started\n")
        assert result.duration_seconds < 300
        assert alive(service)
    finally:
        end(service)


def test_of_a_survivor_that_floods_the_pipe_only_what_the_pipe_held_is_taken(runner, tmp_path):
    pidfile = tmp_path / "pid"
    running = runner.start(RUN, shell(f"setsid yes & echo $! > {pidfile}"), 60.0)
    eventually(lambda: not alive(running.record.pid) and waiting_in(running) == 2 * LIMIT, what="a full pipe")
    result = running.wait()
    running.close()
    end(int(pidfile.read_text()))
    assert result.outcome is Outcome.SUCCEEDED
    assert len(result.output) == 2 * LIMIT


def test_a_pipe_that_fills_as_fast_as_it_is_read_is_left_after_what_it_can_hold(runner, monkeypatch):
    running = runner.start(RUN, plan("/bin/true"), 60.0)
    reads = []
    monkeypatch.setattr(running, "_read", lambda: reads.append(1) or (4096 if len(reads) < 1000 else 0))
    running._drain()
    monkeypatch.undo()
    running.wait()
    running.close()
    assert len(reads) == 2 * LIMIT / 4096


def test_stop_interrupts_what_runs_and_starts_no_more(runner):
    results = []
    started = threading.Event()
    thread = threading.Thread(
        target=lambda: results.append(runner.run(RUN, plan("/bin/sleep", "600"), 600.0, lambda _: started.set()))
    )
    thread.start()
    assert started.wait(60)
    runner.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert (results[0].outcome, results[0].signal) == (Outcome.INTERRUPTED, signal.SIGTERM)
    later = run(runner, plan("/bin/true"))
    assert (later.outcome, later.exit_code) == (Outcome.INTERRUPTED, None)


def test_a_run_whose_start_cannot_be_recorded_is_ended(runner):
    records = []

    def fail(record):
        records.append(record)
        raise RuntimeError("the engine is gone")

    with pytest.raises(RuntimeError, match="engine"):
        runner.run(RUN, plan("/bin/sleep", "600"), 600.0, fail)
    assert not alive(records[0].pid)


def test_cancelling_a_run_that_has_ended_does_nothing(runner):
    running = runner.start(RUN, plan("/bin/true"), 20.0)
    assert running.wait().outcome is Outcome.SUCCEEDED
    running.close()
    running.cancel()
    running.close()


def test_a_run_leaks_no_descriptor(runner):
    run(runner, plan("/bin/true"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        run(runner, plan("/bin/true"))
        run(runner, plan("/nowhere"))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def out_of_descriptors(*_arguments):
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


@pytest.mark.parametrize("call", ["pidfd_open", "eventfd"])
def test_a_run_that_nothing_is_left_to_follow_it_with_is_ended(runner, monkeypatch, tmp_path, call):
    """What ends it needs no descriptor either, and does not wait for whoever else holds its output."""
    own, other = tmp_path / "own", tmp_path / "other"
    before = len(list(Path("/proc/self/fd").iterdir()))

    def none_left(*_arguments):
        eventually(lambda: pid_in(own)() and pid_in(other)(), what="a run with a process in a session of its own")
        for name in ("listdir", "pidfd_open", "eventfd"):
            monkeypatch.setattr(os, name, out_of_descriptors)
        out_of_descriptors()

    monkeypatch.setattr(os, call, none_left)
    result = run(runner, shell(f"setsid sh -c 'echo $$ > {other}; exec sleep 20' & echo $$ > {own}; wait"))
    monkeypatch.undo()
    assert (result.outcome, "so it was ended" in result.detail) == (Outcome.FAILED, True)
    assert not alive(pid_in(own)())
    assert alive(pid_in(other)())
    end(pid_in(other)())
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.fixture
def orphan():
    """A run that a crashed daemon left: a leader of a session and group of its own, with a child."""
    leader = subprocess.Popen(
        ["/bin/sh", "-c", "trap '' TERM; sleep 600 & echo $!; wait; wait"],
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    child = int(leader.stdout.readline())
    yield (
        Record(run_id="lost", pid=leader.pid, start_ticks=processes.process(leader.pid).start_ticks, boot_id=BOOT),
        child,
    )
    leader.kill()
    leader.wait()
    leader.stdout.close()
    end(child)


def changed(record, **changes):
    fields = {name: getattr(record, name) for name in ("run_id", "pid", "start_ticks", "boot_id")}
    return Record(**(fields | changes))


def test_a_run_that_survived_a_crash_is_ended_with_its_group(brusque, orphan):
    record, child = orphan
    assert brusque.end_survivors(record)
    assert not alive(record.pid)
    assert not alive(child)


@pytest.mark.parametrize("change", [{"start_ticks": 1}, {"boot_id": "an-earlier-boot"}])
def test_a_process_that_only_has_the_pid_is_left_alone(runner, orphan, change):
    record, child = orphan
    assert not runner.end_survivors(changed(record, **change))
    assert alive(record.pid)
    assert alive(child)


def test_a_run_that_is_gone_leaves_nothing_to_end(runner):
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    assert not runner.end_survivors(Record(run_id="x", pid=gone.pid, start_ticks=1, boot_id=BOOT))


def test_the_search_path_finds_programs_and_can_be_set(tmp_path):
    program = tmp_path / "mend"
    program.write_text("#!/bin/sh\necho mended\n")
    program.chmod(0o755)
    found = DirectRunner(boot_id=BOOT, search_path=f"{tmp_path}:/bin")
    assert found.run(RUN, plan("mend"), 5.0, lambda _: None).output == "mended\n"
