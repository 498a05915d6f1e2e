"""What runs before an action: it decides whether that runs, and shows how things were."""

import secrets

import pytest

from agent.executor.prelude import MAX_CAPTURED
from agent.executor.repairs import Repairs
from remediations.runner import DirectRunner
from tests.agent.outbox import owed


@pytest.fixture
def perform(tmp_path):
    repairs = Repairs(DirectRunner(boot_id="boot-1"), tmp_path / "runs")

    def perform(**payload):
        argv = ["/usr/bin/touch", str(tmp_path / "done")]
        order = {
            "run_id": secrets.token_hex(16),
            "argv": argv,
            "environment": [],
            "resource": "x",
            "timeout": 10.0,
            **payload,
        }
        return repairs.perform(owed(order | payload)).result

    yield perform
    assert list((tmp_path / "runs").iterdir()) == [], "nothing is left to be ended after a crash"


def test_a_precondition_that_succeeds_lets_the_action_run(perform, tmp_path):
    assert perform(precondition=["/bin/true"])["outcome"] == "succeeded"
    assert (tmp_path / "done").exists()


@pytest.mark.parametrize("argv", [["/bin/false"], ["/nonexistent/program"]])
def test_a_precondition_that_fails_refuses_the_action_with_the_reason(perform, tmp_path, argv):
    result = perform(precondition=argv)

    assert (result["outcome"], result["unmet"]) == ("refused", True)
    assert argv[0] in result["detail"]
    assert not (tmp_path / "done").exists()


def test_what_a_precondition_is_told_is_never_a_shell_word(perform, tmp_path):
    assert perform(precondition=["/usr/bin/test", f"$(touch {tmp_path}/forged)", "=", "x"])["outcome"] == "refused"
    assert not (tmp_path / "forged").exists()


def test_diagnostics_are_kept_with_the_command_that_gave_them(perform, tmp_path):
    result = perform(diagnostics=[["/bin/ls", "-A", str(tmp_path)], ["/nonexistent/program"]])

    assert result["outcome"] == "succeeded", "a diagnostic that fails keeps no action from running"
    first, _, rest = result["diagnostics"].partition("\n")
    assert first == f"$ /bin/ls -A {tmp_path}"
    assert "done" not in rest.split("\n")[0], "they run before the action"
    assert "$ /nonexistent/program\ncannot start" in rest


def test_diagnostics_are_bounded(perform):
    text = perform(diagnostics=[["/usr/bin/seq", "100000"]])["diagnostics"]
    assert 0 < len(text) <= MAX_CAPTURED
