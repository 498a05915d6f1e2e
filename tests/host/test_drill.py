"""Drills in the hardened daemon of a real host: on what is its own it acts by itself, without the root helper."""

import json

from agent.app.drills.scenarios import SCENARIOS
from tests.host.helped import RUNS, Helped
from tests.host.patient import PARAMEDIC


def test_every_drill_is_passed_in_the_installed_daemon_and_the_helper_hears_of_none(host: Helped):
    host.await_calm()
    runs = helped_runs(host)
    done = host.machine.outcome(
        PARAMEDIC, "drill", "all", "--json", "--against", "/run/paramedic/paramedic.sock", timeout=120
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{host.journal()}"
    assert [(each["scenario"], each["ok"]) for each in json.loads(done.stdout)] == [(name, True) for name in SCENARIOS]
    assert helped_runs(host) == runs
    assert host.machine.run("ls", "/var/lib/paramedic/drill") == ""
    assert "scratch_" not in host.processes()


def test_a_drill_that_comes_again_is_held_by_its_unit_and_at_the_wrong_time_not(host: Helped):
    machine, unit, timer = host.machine, "paramedic-drill@service-down.service", "paramedic-drill@service-down.timer"
    host.await_calm()
    assert machine.run("systemd-analyze", "verify", timer, unit) == ""
    machine.run("systemctl", "enable", "--now", timer)
    try:
        assert machine.show(timer, "ActiveState") == "active"
        assert machine.show(timer, "NextElapseUSecRealtime").startswith("Mon ")
        machine.run("systemctl", "start", unit, timeout=120)
        held = json.loads(machine.run(PARAMEDIC, "drill", "list", "--json"))
        assert (held[0]["scenario"], held[0]["ok"]) == ("service-down", True), machine.journal(unit)
        machine.run(PARAMEDIC, "maintenance", "--for", "5m", "--reason", "a new disk")
        machine.run("systemctl", "start", unit, timeout=120)
        assert machine.show(unit, "ExecMainStatus") == "75"
        assert "no drill now: maintenance: a new disk" in machine.journal(unit)
        assert len(json.loads(machine.run(PARAMEDIC, "drill", "list", "--json"))) == len(held)
    finally:
        machine.run(PARAMEDIC, "maintenance", "--end")
        machine.run("systemctl", "disable", "--now", timer)


def helped_runs(host: Helped) -> str:
    """Return what the helper has run so far; it makes the folder when it first runs something."""
    return host.machine.run("sh", "-c", f"test ! -d {RUNS} || ls {RUNS}")
