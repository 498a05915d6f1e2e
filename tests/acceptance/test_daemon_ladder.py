"""The ladder of automation at a running daemon: people promote by one rung, and only on what fresh data proved."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.acceptance.commands import command, told
from tests.acceptance.daemon import Daemon, prepared_daemon, repair, rule, rule_file

RULES = rule_file(rule("Broken", "test_broken == 1"))
OTHER: dict[str, Any] = {"verify": {"hold": "2s", "timeout": "20s"}}
WELL = '# TYPE test_broken gauge\ntest_broken{name="it"} 0\n'


def promote(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    return command(daemon, "remediation", "promote", "broken", "--reason", "it was right", *arguments)


def shown(daemon: Daemon) -> dict[str, Any]:
    return dict(told(daemon, "remediation", "show", "broken"))


def configure(daemon: Daemon, fix: Path, **more: Any) -> None:
    """Let what is broken be mended by a file that is put into the place of another one."""
    argv = ["/bin/mv", "-f", str(fix), str(daemon.faults)]
    usual = {"mode": "observe", "target": {"evidence": 2}, "origins": ["textfile"]}
    remediation = repair("Broken", argv, **usual | more)
    daemon.configure({"remediations": [remediation], "approvals": {"approvers": ["cli:root"]}}, RULES)


def proven_right(daemon: Daemon, fix: Path, nth: int) -> None:
    """Break it, and have what is proposed run by a person's word; fresh data says that it helped."""
    fix.write_text(WELL)
    daemon.tell(it=True)
    incident = daemon.await_incident("Broken", lambda each: each["state"] == "open" and each["would_run"])
    assert fix.exists(), "nothing is run before somebody says so"
    answer = command(daemon, "incident", "approve", incident["id"], "--comment", f"number {nth}")
    assert answer.returncode == 0, answer.stderr
    after = daemon.await_incident("Broken", lambda each: each["resolution"] == "fixed")
    assert after["proposal"]["proof"] == "correct"


def test_people_promote_by_one_rung_and_only_on_what_was_proven_right_through_a_crash_and_a_reload(tmp_path: Path):
    fix = tmp_path / "well.prom"
    with prepared_daemon({}, RULES) as daemon:
        configure(daemon, fix)
        daemon.tell(it=False)
        daemon.start()
        proven_right(daemon, fix, 1)

        early = promote(daemon)
        assert early.returncode == 1
        assert "1 of 2 proposals proven correct (0 wrong, 0 unproven) in mode observe" in early.stderr

        proven_right(daemon, fix, 2)
        far = promote(daemon, "--to", "auto")
        assert far.returncode == 1
        assert "it goes one rung at a time: from observe to propose, not to auto" in far.stderr
        step = promote(daemon, "--to", "propose")
        assert step.returncode == 0, step.stderr
        daemon.kill()
        daemon.start()

        assert (shown(daemon)["mode"], shown(daemon)["effective_mode"]) == ("observe", "propose")
        changes = json.loads(command(daemon, "change", "list", "--json").stdout)
        (promotion,) = [each for each in changes if each["result"] == "promoted"]
        assert (promotion["before"], promotion["after"]) == ("mode observe", "mode propose")
        assert (promotion["requested_by"], promotion["reason"]) == ("root", "it was right")
        assert daemon.metric("paramedic_remediation_proposals_total", proof="correct") == 0, "since the restart"

        configure(daemon, fix, **OTHER)
        daemon.reload()
        assert shown(daemon)["effective_mode"] == "observe", "what it does now was never proven"
        assert "0 of 2 proposals" in promote(daemon).stderr


def test_what_was_earned_does_not_come_back_with_the_old_configuration(tmp_path: Path):
    fix = tmp_path / "well.prom"
    usual = {"target": {"evidence": 1}}
    with prepared_daemon({}, RULES) as daemon:
        configure(daemon, fix, **usual)
        daemon.tell(it=False)
        daemon.start()
        for swap in (daemon.reload, lambda: (daemon.kill(), daemon.start())):
            proven_right(daemon, fix, 1)
            assert promote(daemon).returncode == 0
            assert shown(daemon)["effective_mode"] == "propose"

            configure(daemon, fix, **usual, **OTHER)
            swap()
            configure(daemon, fix, **usual)
            daemon.reload()

            assert shown(daemon)["effective_mode"] == "observe"
