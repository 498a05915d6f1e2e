"""The unit file on a real host: reload, watchdog, and what the account may do."""

import subprocess
import time
import zipfile

import pytest

from tests.host import wheels
from tests.host.freezing import frozen
from tests.host.patient import LATE, PARAMEDIC, STRANGER
from tests.services.service import eventually, need

UNIT = wheels.TREE / "systemd/paramedic.service"
DROP_IN = "/etc/systemd/system/paramedic.service.d/test.conf"


def reload(patient, change=lambda text: text):
    """Change the configuration and have it read; return once the daemon has said how that went."""
    said = patient.journal().count("reload")
    patient.configure(change)
    patient.machine.run("systemctl", "reload", "paramedic")
    eventually(lambda: patient.journal().count("reload") > said, 60.0, patient.journal)


def test_a_reload_takes_a_changed_configuration_over(patient):
    before = patient.pid()
    reload(patient, lambda text: text.replace('mode = "observe"', 'mode = "auto"'))
    patient.fail(LATE)
    assert patient.await_incident(LATE, "resolved")["resolution"] == "fixed"
    assert patient.starts(LATE) == 2
    assert patient.pid() == before
    reload(patient)


def test_a_broken_configuration_leaves_the_running_one(patient):
    before = patient.pid()
    reload(patient, lambda text: text.replace("actions_per_hour", "actions_per_our"))
    assert "did you mean 'actions_per_hour'" in patient.journal()
    assert patient.metric("paramedic_config_last_reload_successful") == 0
    patient.fail("still.service")
    assert patient.await_incident("still.service", "resolved")["resolution"] == "fixed"
    assert patient.pid() == before
    reload(patient)
    assert patient.metric("paramedic_config_last_reload_successful") == 1


@pytest.fixture
def impatient(patient):
    """The watchdog waits eight seconds."""
    patient.machine.write(DROP_IN, "[Service]\nWatchdogSec=8\n")
    patient.machine.run("systemctl", "daemon-reload")
    patient.machine.run("systemctl", "restart", "paramedic")
    yield patient
    (patient.machine.root / DROP_IN.lstrip("/")).unlink()
    patient.machine.run("systemctl", "daemon-reload")
    patient.machine.run("systemctl", "restart", "paramedic")


def test_an_engine_that_hangs_is_restarted_by_the_watchdog_and_shows_where_it_stood(impatient):
    # More than the watchdog's time is enough for a daemon that does not feed it to be killed.
    deadline = time.monotonic() + 10.0
    eventually(lambda: time.monotonic() > deadline)
    assert impatient.machine.show("paramedic", "NRestarts") == "0"

    pid = impatient.pid()
    with frozen(impatient.engine_thread()):
        assert impatient.metric("paramedic_ready") == 1  # the rest of the daemon goes on
        eventually(lambda: impatient.machine.show("paramedic", "NRestarts") == "1", 60.0, impatient.journal)
    impatient.await_running(pid)
    shown = ("Watchdog timeout", "Fatal Python error: Aborted", "agent/engine/engine.py")
    eventually(lambda: all(each in impatient.journal() for each in shown), 60.0, impatient.journal)


def test_a_daemon_that_stands_still_is_restarted_by_the_watchdog(impatient):
    pid = impatient.pid()
    impatient.machine.run("kill", "-STOP", str(pid))
    eventually(lambda: impatient.machine.show("paramedic", "NRestarts") == "1", 60.0, impatient.journal)
    impatient.await_running(pid)


@pytest.mark.parametrize("verb", ["start", "stop", "kill", "enable", "disable", "mask", "isolate", "set-property"])
def test_the_account_may_do_nothing_else_to_a_listed_unit(patient, verb):
    words = ("web.service", "CPUWeight=1") if verb == "set-property" else ("web.service",)
    assert as_paramedic(patient, verb, *words).returncode, verb


@pytest.mark.parametrize("verb", ["restart", "try-restart", "reload", "reset-failed"])
def test_the_account_may_do_nothing_to_an_unlisted_unit(patient, verb):
    done = as_paramedic(patient, verb, STRANGER)
    assert done.returncode
    assert "Access denied" in done.stdout


@pytest.mark.parametrize("verb", ["restart", "try-restart", "reset-failed"])
def test_the_account_may_do_the_listed_verbs_to_a_listed_unit(patient, verb):
    done = as_paramedic(patient, verb, "web.service")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_account_cannot_make_a_unit_of_its_own(patient):
    uid = patient.machine.run("id", "--user", "paramedic").strip()
    for name in ("web.service", "ghost.service"):
        argv = ("systemd-run", "--no-ask-password", f"--unit={name}", "/usr/bin/touch", "/run/owned")
        assert patient.machine.outcome("setpriv", f"--reuid={uid}", "--clear-groups", *argv).returncode
    assert patient.machine.outcome("test", "-e", "/run/owned").returncode


def test_a_listed_unit_that_is_not_installed_is_left_out_and_named(patient):
    done = patient.machine.outcome(PARAMEDIC, "polkit")
    assert done.returncode == 1
    assert "ghost.service is left out" in done.stdout
    assert '"ghost.service"' not in done.stdout
    checked = patient.machine.json(PARAMEDIC, "check", "--json")
    assert any("ghost.service" in problem["message"] for problem in checked["problems"])


def test_systemd_finds_nothing_wrong_with_the_unit(patient):
    assert patient.machine.run("systemd-analyze", "verify", "paramedic.service") == ""


@pytest.mark.parametrize("unit", ["paramedic.service", "paramedic-exec.service", "paramedic-drill@.service"])
def test_the_unit_is_hardened(unit):
    analyze = need("systemd-analyze", "systemd")
    argv = (analyze, "security", "--offline=true", "--threshold=20", "--no-pager", str(UNIT.with_name(unit)))
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def test_the_wheel_has_everything_that_is_no_python(tmp_path):
    names = set(zipfile.ZipFile(wheels.build(tmp_path)).namelist())
    tree = wheels.TREE
    packs = {f"rules/packs/{path.name}" for path in tree.glob("rules/packs/*.yml")}
    migrations = {f"agent/store/migrations/{path.name}" for path in tree.glob("agent/store/migrations/*.sql")}
    scripts = {f"remediations/scripts/{path.name}" for path in tree.glob("remediations/scripts/*.py")}
    service = {f"agent/share/{path.relative_to(tree)}" for path in tree.glob("systemd/**/*") if path.is_file()}
    dashboards = {f"agent/share/{path.relative_to(tree)}" for path in tree.glob("dashboards/**/*.json")}
    for shipped in (packs, migrations, scripts, service, dashboards):
        assert shipped
        assert shipped <= names
    assert not any(name.startswith("tests/") for name in names)


def as_paramedic(patient, verb, *words):
    uid = patient.machine.run("id", "--user", "paramedic").strip()
    argv = ("systemctl", "--no-ask-password", verb, "--", *words)
    return patient.machine.outcome("setpriv", f"--reuid={uid}", "--clear-groups", *argv)
