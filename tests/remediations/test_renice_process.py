"""The script that makes processes nicer, run as the plan runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from remediations.actions.renice_process import SCRIPT


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["/bin/sleep", "600"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def run(*options):
    argv = [sys.executable, "-I", "-S", SCRIPT, *map(str, options)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def pidfile(folder, process):
    path = folder / "it.pid"
    path.write_text(str(process.pid))
    path.chmod(0o644)
    return path


def test_a_process_becomes_nicer_and_never_less_nice(sleeper, tmp_path):
    result = run("--nice=15", f"--pidfile={pidfile(tmp_path, sleeper)}")
    assert (result.returncode, os.getpriority(os.PRIO_PROCESS, sleeper.pid)) == (0, 15)
    assert result.stdout == f"niceness 15: {sleeper.pid} 'sleep'\n"
    run("--nice=3", f"--pidfile={tmp_path / 'it.pid'}")
    assert os.getpriority(os.PRIO_PROCESS, sleeper.pid) == 15


@pytest.mark.skipif(not Path("/usr/bin/ionice").exists(), reason="ionice (util-linux) is not installed")
def test_the_disk_is_for_others_first(sleeper, tmp_path):
    result = run("--nice=1", "--io=idle", f"--pidfile={pidfile(tmp_path, sleeper)}")
    assert result.returncode == 0, result.stdout
    shown = subprocess.run(["/usr/bin/ionice", "-p", str(sleeper.pid)], capture_output=True, text=True, check=True)
    assert shown.stdout == "idle\n"


def test_what_is_not_there_cannot_become_nicer(tmp_path):
    assert run("--nice=7", "--command=no-such-program").returncode == 1
    assert run("--nice=7", f"--pidfile={tmp_path / 'none'}").returncode == 2
    assert run("--nice=7").returncode == 2
