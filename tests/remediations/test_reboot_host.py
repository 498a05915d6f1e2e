"""The script that restarts the host, with a systemctl that only writes down what it is asked."""

import subprocess
import sys

import pytest

from remediations.actions.reboot_host import SCRIPT
from remediations.plan import Plan
from remediations.runner import Outcome
from tests.remediations.living import cut_short, waiting_in

SYSTEMCTL = """#!/bin/sh
echo "$@" >> {folder}/asked
exit {code}
"""


@pytest.fixture
def systemctl(tmp_path):
    def answering(code):
        path = tmp_path / "systemctl"
        path.write_text(SYSTEMCTL.format(folder=tmp_path, code=code))
        path.chmod(0o755)
        return Plan(
            argv=(sys.executable, "-I", "-S", str(SCRIPT)),
            resource="host:self",
            environment=(("PATH", f"{tmp_path}:/usr/bin:/bin"),),
        )

    return answering


def test_it_asks_once_respects_inhibitors_and_ends_at_its_time_out_only(systemctl, runner, tmp_path):
    result = cut_short(runner, "a" * 32, systemctl(0), waiting_in)
    assert (tmp_path / "asked").read_text() == "--no-ask-password --check-inhibitors=yes reboot\n"
    assert result.outcome is Outcome.TIMED_OUT
    assert result.output == "asked for a restart, waiting for it\n"


def test_a_refusal_of_systemd_is_a_failure(systemctl, runner):
    result = runner.run("a" * 32, systemctl(4), 60.0, lambda _started: None)
    assert (result.outcome, result.exit_code) == (Outcome.FAILED, 4)


def test_without_systemd_it_fails_and_says_so(tmp_path):
    done = subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "systemd cannot be asked" in done.stdout) == (1, True)


def test_inhibitors_count_for_nothing_only_if_that_was_asked_for(systemctl, tmp_path):
    plan = systemctl(1)
    subprocess.run([*plan.argv, "--despite-inhibitors"], env=dict(plan.environment), check=False, timeout=60)
    assert (tmp_path / "asked").read_text() == "--no-ask-password --check-inhibitors=no reboot\n"
