"""The script that ends processes, run as the plan runs it."""

import os
import shlex
import shutil
import subprocess
import sys

import pytest

from remediations.actions.kill_process import SCRIPT
from remediations.scripts import kill_process
from tests.remediations.living import alive
from tests.services.service import eventually

STUBBORN = (
    "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
)
HUNGRY = "import signal; held = b'x' * 50_000_000; print('ready', flush=True); signal.pause()"


ARGV = (sys.executable, "-I", "-S", str(SCRIPT))
QUIETLY = {"capture_output": True, "text": True, "timeout": 120}


def run(*options, grace=60):
    return subprocess.run([*ARGV, *map(str, options), f"--grace-seconds={grace}"], **QUIETLY, check=False)


@pytest.fixture
def start():
    """Start programs, and end them all."""
    started = []

    def start(*argv):
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def program(tmp_path):
    """A program whose name and path no other process has."""
    path = tmp_path / f"pm-{os.getpid()}"
    shutil.copy("/bin/sleep", path)
    return path


def pidfile(tmp_path, content, mode=0o644):
    path = tmp_path / "it.pid"
    path.write_text(content)
    path.chmod(mode)
    return path


def test_the_process_in_a_pid_file_is_ended(start, program, tmp_path):
    process = start(program, "600")
    result = run(f"--pidfile={pidfile(tmp_path, str(process.pid))}")
    assert result.returncode == 0
    assert result.stdout == f"ended: {process.pid} '{program.name}'\n"
    assert process.wait(60) == -15


@pytest.mark.parametrize("how", ["name", "path"])
def test_the_only_process_of_a_name_or_program_is_ended(start, program, how):
    process = start(program, "600")
    eventually(lambda: kill_process.see(process.pid).program == str(program))
    assert run(f"--command={program.name if how == 'name' else program}").returncode == 0
    assert process.wait(60) == -15


def test_a_process_that_ignores_term_is_killed_after_the_grace(start, tmp_path):
    process = start(sys.executable, "-c", STUBBORN)
    process.stdout.readline()
    assert run(f"--pidfile={pidfile(tmp_path, str(process.pid))}", grace=0.1).returncode == 0
    assert process.wait(60) == -9


def test_several_of_a_name_are_ambiguous_and_none_is_ended(start, program):
    processes = [start(program, "600"), start(program, "600")]
    eventually(lambda: all(kill_process.see(each.pid).program == str(program) for each in processes))
    result = run(f"--command={program}")
    assert result.returncode == 2
    assert all(str(each.pid) in result.stdout for each in processes)
    assert all(alive(each.pid) for each in processes)
    assert run(f"--command={program}", "--every").returncode == 0
    assert [each.wait(60) for each in processes] == [-15, -15]


def test_a_pid_file_and_a_command_must_agree(start, program, tmp_path):
    process = start(program, "600")
    assert run(f"--pidfile={pidfile(tmp_path, str(process.pid))}", "--command=another").returncode == 1
    assert alive(process.pid)


def test_no_such_process_is_a_failure(tmp_path):
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    assert run(f"--pidfile={pidfile(tmp_path, str(gone.pid))}").returncode == 1
    assert run("--command=no-such-process").stdout == "no such process\n"


def test_whoever_shares_the_session_of_the_caller_is_never_touched(program, tmp_path):
    # A session of their own: in a container that of the tests may be the only one, whose processes are not spared.
    by_name, by_pid = (
        shlex.join([*ARGV, option]) for option in (f"--command={program.name}", f"--pidfile={tmp_path}/pid")
    )
    shell = f"{program} 600 & echo $! > {tmp_path}/pid; {by_name} --every; {by_pid}; echo $?; kill -0 $! && kill $!"
    result = subprocess.run(["sh", "-c", shell], **QUIETLY, check=False, start_new_session=True)
    assert result.returncode == 0
    found, refused, code = result.stdout.splitlines()
    assert (found, code) == ("no such process", "2")
    assert refused.startswith("refused: pid ")


@pytest.mark.parametrize("content", ["", "-1", "0x10", "1 2", "99999999999", "nginx", "٣"])
def test_a_pid_file_without_a_pid_is_refused(tmp_path, content):
    result = run(f"--pidfile={pidfile(tmp_path, content)}")
    assert (result.returncode, "does not hold a pid" in result.stdout) == (2, True)


@pytest.mark.parametrize("pid", [0, 1, os.getpid(), os.getppid()])
def test_init_and_what_started_the_script_are_never_touched(tmp_path, pid):
    result = run(f"--pidfile={pidfile(tmp_path, str(pid))}")
    assert result.returncode == 2
    assert result.stdout.startswith("refused: pid ")


def test_what_started_the_script_is_not_found_by_name_either(tmp_path):
    shell = tmp_path / f"pm-{os.getpid()}"
    shutil.copy("/bin/sh", shell)
    command = f"{shlex.join([*ARGV, '--every', f'--command={shell.name}'])}; echo survived"
    result = subprocess.run([shell, "-c", command], **QUIETLY, check=False)
    assert result.stdout == "no such process\nsurvived\n"


def test_a_pid_file_that_others_may_write_is_refused(start, program, tmp_path):
    process = start(program, "600")
    for mode in (0o666, 0o664):
        assert run(f"--pidfile={pidfile(tmp_path, str(process.pid), mode)}").returncode == 2
    assert alive(process.pid)


def test_a_pid_file_that_is_a_link_or_a_pipe_is_refused(start, program, tmp_path):
    process = start(program, "600")
    link = tmp_path / "link.pid"
    link.symlink_to(pidfile(tmp_path, str(process.pid)))
    os.mkfifo(tmp_path / "pipe.pid", 0o600)
    assert run(f"--pidfile={link}").returncode == 2
    assert run(f"--pidfile={tmp_path / 'pipe.pid'}").returncode == 2
    assert alive(process.pid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_user_may_not_name_another_users_process(start, program, tmp_path):
    process = start(program, "600")
    path = pidfile(tmp_path, str(process.pid))
    os.chown(path, 12345, -1)
    result = run(f"--pidfile={path}")
    assert (result.returncode, "belongs to user 12345" in result.stdout) == (2, True)
    assert alive(process.pid)


def test_a_pid_that_was_used_again_is_not_hit(start, program):
    first = start(program, "600")
    target = kill_process.look(first.pid, None)
    first.kill()
    first.wait()
    # The descriptor is all that is signalled, and it still means the one that has gone.
    assert kill_process.end([target], 0.1) == []
    assert kill_process.look(first.pid, None) is None
    os.close(target.descriptor)


@pytest.mark.skipif(getattr(kill_process.see(2), "name", "") != "kthreadd", reason="no kernel threads are visible here")
def test_kernel_threads_are_never_touched():
    assert not kill_process.see(2).killable
    assert kill_process.look(2, None) is None


def test_nothing_named_is_a_usage_error():
    assert run().returncode == 2


def test_the_process_of_a_unit_is_ended_and_no_other(start, program):
    process = start(program, "600")
    other = run("--unit=nobody.service", "--every")
    assert (other.returncode, other.stdout) == (1, "no such process\n")
    assert process.poll() is None


def test_control_groups_are_called_like_units():
    assert kill_process.units(os.getpid())[-1] == ""
    assert kill_process.units(2**22) == []


@pytest.mark.parametrize(
    ("groups", "spared"),
    [
        (["", "system.slice", "paramedic.service", ""], True),
        (["", "system.slice", "paramedic-exec.service", ""], True),
        (["", "system.slice", "paramedic-demo.service", ""], False),
        (["", "user.slice", "user-1000.slice", "user@1000.service", "app.slice", "paramedic.service", ""], False),
    ],
)
def test_the_daemon_and_its_helper_are_spared_wherever_the_script_is_started(monkeypatch, groups, spared):
    pid = 4_000_000  # of nobody
    monkeypatch.setattr(kill_process, "units", lambda _pid: groups)
    assert kill_process.is_spared(pid, kill_process.ourselves()) is spared
    monkeypatch.setattr(kill_process, "pids", lambda: [pid])
    monkeypatch.setattr(kill_process, "look", lambda pid, _command: pid)
    for how in (["--unit=paramedic.service"], ["--command=python3"]):
        found = kill_process.find(kill_process.parse(how))
        assert found == ([] if spared or (how[0].startswith("--unit") and groups[-2] != "paramedic.service") else [pid])


def test_only_what_holds_most_of_the_memory_is_ended(start, program):
    hungry = start(sys.executable, "-c", HUNGRY)
    hungry.stdout.readline()
    small = start(program, "600")
    found = [kill_process.look(process.pid, None) for process in (small, hungry)]
    try:
        share = 40_000_000 / (os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        assert [target.pid for target in kill_process.greatest(found, share)] == [hungry.pid]
        assert kill_process.greatest(found, 0.9) == []
        assert kill_process.greatest([], 0.0) == []
    finally:
        for target in found:
            os.close(target.descriptor)


@pytest.mark.parametrize(("option", "ended"), [("--every", 40), ("--memory=0.0001%", 1)])
def test_there_may_be_more_processes_than_descriptors_at_first(start, program, option, ended):
    processes = [start(program, "600") for _ in range(40)]
    eventually(lambda: all(kill_process.see(each.pid).program == str(program) for each in processes))
    argv = [*ARGV, f"--command={program}", option, "--grace-seconds=60"]
    result = subprocess.run(["/bin/sh", "-c", 'ulimit -Sn 30; exec "$@"', "sh", *argv], **QUIETLY, check=False)
    assert (result.returncode, result.stdout.count("ended: ")) == (0, ended), result
    assert sum(alive(each.pid) for each in processes) == 40 - ended


def test_a_share_of_memory_that_nobody_holds_ends_nobody():
    result = run("--memory=99%")
    assert (result.returncode, result.stdout) == (1, "no such process\n")
