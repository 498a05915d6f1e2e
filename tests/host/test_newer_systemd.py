"""Debian 13, systemd 257 and Python 3.13: daemon and root helper work there, and polkit's gap is closed."""

import secrets

import pytest

from agent.app import polkit
from tests.host.helped import helped


@pytest.fixture(scope="module")
def newer():
    with helped("trixie") as host:
        yield host


def test_a_killed_unit_is_restarted_through_the_helper(newer, record_property):
    killed_at = newer.fail("web.service")
    incident = newer.await_incident("web.service", "resolved")
    (attempt,) = incident["attempts"]
    assert (incident["resolution"], attempt["outcome"], newer.starts("web.service")) == ("fixed", "succeeded", 2)
    assert [effect["target"] for effect in incident["effects"] if effect["kind"] == "remediation"] == ["helper"]
    record_property("systemd 257 with root helper, seconds after kill -9", f"{attempt['ended_at'] - killed_at:.3f}")


def test_a_listed_unit_is_restarted_and_the_verdict_collected(newer):
    before = newer.machine.show("web.service", "MainPID")
    run_id = secrets.token_hex(16)
    argv = ["systemctl", "--no-ask-password", "restart", "--", "web.service"]
    request = {"op": "run", "run": run_id, "argv": argv, "timeout": 20}
    assert newer.ask(request)["answer"] == "started"
    finished = newer.await_finished(run_id)
    assert (finished["result"], finished["output"]) == ("success", "")
    assert newer.machine.show("web.service", "MainPID") != before
    assert newer.ask(request)["answer"] == "duplicate"
    other = {**request, "run": secrets.token_hex(16), "argv": [*argv[:-1], "dbus.service"]}
    assert newer.ask(other)["answer"] == "refused"


def test_words_are_not_expanded_here_either(newer):
    newer.machine.write("/opt/words.sh", '#!/bin/sh\nprintf "%s\\n" "$@"\n', 0o755)
    newer.allow("words", 'argv = ["/opt/words.sh", "{w}"]\n[words]\nw = \'.*\'\n')
    run_id, word = secrets.token_hex(16), "${PATH} $$ %n %% \\x41"
    newer.ask({"op": "run", "run": run_id, "argv": ["words.sh", word], "timeout": 5})
    assert newer.await_finished(run_id)["output"] == f"{word}\n"


def with_rules(newer, text):
    newer.machine.write("/etc/polkit-1/rules.d/50-paramedic.rules", text)
    newer.machine.run("systemctl", "restart", "polkit.service")


def make_a_unit(newer, name):
    """Have the account start a unit that it made itself under this name; tell whether root ran it."""
    argv = ("systemd-run", "--no-ask-password", "--wait", f"--unit={name}", "/usr/bin/touch", "/run/owned")
    done = newer.machine.outcome("setpriv", f"--reuid={newer.uid()}", "--clear-groups", *argv)
    owned = newer.machine.outcome("rm", "/run/owned").returncode == 0
    assert owned is (done.returncode == 0)
    return owned


LISTED = ["web.service", "ghost.service"]


def test_whoever_may_start_a_unit_that_is_not_installed_is_root_here(newer):
    with_rules(newer, polkit.rules(LISTED, "paramedic").replace('"restart",', '"start", "restart",'))
    assert make_a_unit(newer, "ghost.service")


@pytest.mark.parametrize("name", ["web.service", "ghost.service", "ghost-2.service"])
def test_our_rules_let_the_account_start_no_unit_of_its_own_making(newer, name):
    with_rules(newer, polkit.rules(LISTED, "paramedic"))
    assert not make_a_unit(newer, name)
    newer.machine.run("systemctl", "reset-failed", "web.service")  # how often it may be restarted is not the question
    restart = ("systemctl", "--no-ask-password", "restart", "--", "web.service")
    assert newer.machine.outcome("setpriv", f"--reuid={newer.uid()}", "--clear-groups", *restart).returncode == 0


def test_the_units_are_understood(newer):
    assert int(newer.machine.run("systemctl", "--version").split()[1]) >= 257
    for unit in ("paramedic-exec.socket", "paramedic-exec.service"):
        assert newer.machine.run("systemd-analyze", "verify", unit) == ""
