"""The root helper on a real host: it repairs what the daemon may not, and whatever is killed, nothing runs twice."""

import secrets

import pytest

from tests.host.helped import ACTIONS, RUNS, Helped
from tests.host.patient import PARAMEDIC
from tests.services.service import eventually

COUNTED = "/var/lib/counted"


def test_a_killed_unit_is_restarted_through_the_helper(host: Helped, record_property):
    killed_at = host.fail("web.service")
    incident = host.await_incident("web.service", "resolved")
    (attempt,) = incident["attempts"]
    assert (incident["resolution"], attempt["outcome"]) == ("fixed", "succeeded")
    assert [effect["target"] for effect in incident["effects"] if effect["kind"] == "remediation"] == ["helper"]
    assert host.starts("web.service") == 2
    (change,) = incident["changes"]
    assert (change["run_id"], change["state"], change["result"]) == (attempt["run_id"], "done", "fixed")
    record_property("systemd host with root helper, seconds after kill -9", f"{attempt['ended_at'] - killed_at:.3f}")


def test_a_script_runs_as_the_configuration_says_and_its_output_is_kept(host: Helped):
    host.fail("scripted.service")
    incident = host.await_incident("scripted.service", "resolved")
    (run,) = incident["runs"]
    assert run["output"] == "mending scripted.service as root\n"
    assert host.starts("scripted.service") == 2


@pytest.mark.parametrize(("unit", "end"), [("crashed.service", "killed"), ("stopped.service", "restarted")])
def test_a_run_outlives_the_daemon_and_its_result_is_collected(host: Helped, unit, end):
    before = host.pid()
    host.fail(unit)
    host.await_incident(unit, "remediating")
    eventually(lambda: host.machine.outcome("pgrep", "-f", f"mend.sh {unit}").returncode == 0, 60.0, host.journal)
    if end == "killed":
        host.machine.run("kill", "-KILL", str(before))
    else:
        host.machine.run("systemctl", "restart", "paramedic")
    host.await_running(before)
    incident = host.await_incident(unit, "resolved")
    (attempt,) = incident["attempts"]
    assert (attempt["outcome"], attempt["detail"]) == ("succeeded", "exit status 0")
    assert [run["output"] for run in incident["runs"]] == [f"mending {unit} as root\n"]
    assert [(each["state"], each["outcome"]) for each in incident["changes"]] == [("done", "succeeded")]
    assert host.starts(unit) == 2


def test_a_policy_that_others_can_write_escalates_the_incident_and_check_says_how_to_mend_it(host: Helped):
    policy = f"{ACTIONS}/restart_unit.toml"
    host.machine.run("chmod", "g+w", policy)
    host.fail("spoilt.service")
    incident = host.await_incident("spoilt.service", "escalated")
    assert f"{policy} can be written by others: chmod go-w {policy}" in incident["escalated_reason"]
    assert host.starts("spoilt.service") == 1
    checked = host.machine.json(PARAMEDIC, "check", "--json")
    assert any(f"chmod go-w {policy}" in problem["message"] for problem in checked["problems"])
    host.machine.run("chmod", "g-w", policy)
    host.client.post("incidents", incident["id"], "retry", reason="the policy is root's alone again")
    assert host.await_incident("spoilt.service", "resolved")["resolution"] == "fixed"


def test_a_unit_that_root_has_taken_off_the_list_is_not_restarted_whatever_the_daemon_believes(host: Helped):
    policy = f"{ACTIONS}/restart_unit.toml"
    text = host.machine.read(policy)
    host.machine.write(policy, text.replace("spoilt.service", "other.service"))
    host.fail("spoilt.service")
    incident = host.await_incident("spoilt.service", "escalated")
    assert "no policy in /etc/paramedic/actions.d allows it" in incident["escalated_reason"]
    change = incident["changes"][-1]
    assert (change["state"], change["approval"]["via"]) == ("rejected", "standing")
    assert change["result"].startswith("refused: by the helper")
    host.machine.write(policy, text)
    host.machine.run("systemctl", "restart", "spoilt.service")


@pytest.fixture(params=["kept", "brief"])
def counted(host: Helped, request):
    """Return what starts a run that counts itself, tells, waits, and ends."""
    host.machine.write("/opt/count.sh", f"#!/bin/sh\necho $1 >> {COUNTED}/$1\nsleep $2\necho done\n", 0o755)
    (host.machine.root / COUNTED.lstrip("/")).mkdir(exist_ok=True)
    host.allow(
        "count",
        'argv = ["/opt/count.sh", "{name}", "{seconds}"]\nuser = "root"\n'
        f'writable = ["{COUNTED}"]\nhost_runs_per_hour = 1000\nbrief = {str(request.param == "brief").lower()}\n'
        "[words]\nname = '[0-9a-f]+'\nseconds = '[0-9.]+'\n",
    )

    def start(seconds, run_id=None):
        run_id = run_id or secrets.token_hex(16)
        request = {"op": "run", "run": run_id, "argv": ["/opt/count.sh", run_id, seconds], "timeout": 20}
        return run_id, host.ask(request)["answer"]

    def count(run_id):
        path = host.machine.root / COUNTED.lstrip("/") / run_id
        return path.read_text().count(run_id) if path.exists() else 0

    start.count = count
    return start


def test_a_helper_that_is_killed_in_the_middle_loses_nothing_and_repeats_nothing(host: Helped, counted):
    run_id, answer = counted("1.5")
    assert answer == "started"
    before = host.helper_pid()
    host.machine.run("kill", "-KILL", str(before))
    assert counted("1.5", run_id)[1] == "duplicate"
    assert host.helper_pid() not in {0, before}
    assert host.await_finished(run_id)["output"] == "done\n"
    assert counted.count(run_id) == 1


def test_the_helper_goes_when_it_is_idle_and_what_it_knew_stays(host: Helped, counted):
    run_id, _ = counted("0")
    host.await_finished(run_id)
    host.machine.run("systemctl", "stop", "paramedic-exec.service")
    assert counted("0", run_id)[1] == "duplicate"
    assert host.ask({"op": "status", "run": run_id})["result"] == "success"


@pytest.mark.parametrize("whom", ["main", "all", "child"])
def test_a_run_that_is_killed_has_a_verdict(host: Helped, counted, whom):
    run_id, _ = counted("15")
    unit = f"paramedic-run-{run_id}.service"
    eventually(lambda: counted.count(run_id), 60.0, host.journal)
    if whom == "child":
        host.machine.run("pkill", "-KILL", "-f", f"count.sh {run_id}")
    else:
        host.machine.run("systemctl", "kill", "--signal=KILL", f"--kill-whom={whom}", unit)
    finished = host.await_finished(run_id)
    assert (finished["result"], finished["code"], finished["status"]) == ("signal", "killed", "KILL")
    assert host.incident(unit) is None
    assert counted("15", run_id)[1] == "duplicate"
    assert counted.count(run_id) == 1


def test_a_verdict_that_could_not_be_written_is_lost_and_said_to_be(host: Helped, counted):
    run_id, _ = counted("0.5")
    host.await_finished(run_id)
    host.machine.run("rm", f"{RUNS}/{run_id}/verdict")
    assert eventually(lambda: host.ask({"op": "status", "run": run_id}).get("result"), 60.0, host.journal) == "lost"
    assert counted("0.5", run_id)[1] == "duplicate"


def test_systemd_answers_a_short_question_while_nothing_else_happens(host: Helped):
    code = (
        "import sys, time; sys.path.insert(0, '/usr/lib/paramedic/exec-helper.pyz')\n"
        "from remediations.exec_helper import bus\n"
        "began = time.monotonic()\n"
        "for _ in range(3): bus.call('ListUnitsByNames', 'as', ('web.service',))\n"
        "print(time.monotonic() - began)\n"
    )
    assert float(host.machine.run("/usr/bin/python3", "-I", "-S", "-c", code)) < 5.0


def test_the_account_of_the_daemon_cannot_read_or_change_what_the_helper_keeps(host: Helped):
    uid = str(host.uid())
    for argv in (
        ("ls", RUNS),
        ("touch", f"{ACTIONS}/own.toml"),
        ("touch", "/usr/lib/paramedic/exec-helper.pyz"),
        ("rm", "/run/paramedic-exec.sock"),
    ):
        assert host.machine.outcome("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *argv).returncode


def test_nobody_but_the_daemons_account_is_heard(host: Helped):
    request = '{"op": "status", "run": "00000000000000000000000000000000"}\n'
    assert host.send(request, uid=host.uid())
    assert host.send(request, uid=0) == ""
    nobody = host.machine.outcome(
        "setpriv", "--reuid=65534", "--clear-groups", "test", "-w", "/run/paramedic-exec.sock"
    )
    assert nobody.returncode


def test_systemd_finds_nothing_wrong_with_the_units(host: Helped):
    for unit in ("paramedic-exec.socket", "paramedic-exec.service", "paramedic.service"):
        assert host.machine.run("systemd-analyze", "verify", unit) == ""
