"""Drills in the hardened daemon of a real host: on what is its own it acts by itself, without the root helper."""

import json

from agent.app.drills.scenarios import SCENARIOS
from tests.host.helped import RUNS, Helped
from tests.host.patient import PARAMEDIC


def test_every_drill_is_passed_in_the_installed_daemon_and_the_helper_hears_of_none(host: Helped):
    runs = helped_runs(host)
    done = host.machine.outcome(
        PARAMEDIC, "drill", "all", "--json", "--against", "/run/paramedic/paramedic.sock", timeout=120
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{host.journal()}"
    assert [(each["scenario"], each["ok"]) for each in json.loads(done.stdout)] == [(name, True) for name in SCENARIOS]
    assert helped_runs(host) == runs
    assert host.machine.run("ls", "/var/lib/paramedic/drill") == ""
    assert "scratch_" not in host.processes()


def helped_runs(host: Helped) -> str:
    """Return what the helper has run so far; it makes the folder when it first runs something."""
    return host.machine.run("sh", "-c", f"test ! -d {RUNS} || ls {RUNS}")
