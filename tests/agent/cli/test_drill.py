"""Drills: the phases, following them, and one whole drill."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

from agent.app import scratch_service
from agent.app.phases import PHASES, Progress, failure, seen
from agent.cli import drill, scratch_daemon
from agent.cli.main import main
from agent.config.load import load
from tests.agent.cli.daemons import daemon

OPEN = {
    "id": "i",
    "state": "remediating",
    "active_at": 10.0,
    "opened_at": 10.5,
    "attempts": [{"started_at": 11.0}, {"started_at": 12.0}],
    "ticket_links": [{"state": "open", "updated_at": 10.6}],
}
FIXED = OPEN | {
    "state": "resolved",
    "resolution": "fixed",
    "resolved_at": 15.0,
    "ticket_links": [{"state": "closed", "updated_at": 16.0}],
}


def test_the_record_of_an_incident_shows_its_phases():
    assert seen(OPEN) == {"detected": 10.0, "opened": 10.5, "action started": 11.0, "ticket opened": 10.6}
    assert seen(FIXED)["verified"] == 15.0
    assert seen(FIXED)["ticket closed"] == 16.0


def test_recovery_by_itself_is_no_verified_repair():
    by_itself = FIXED | {"resolution": "by_itself"}
    assert "verified" not in seen(by_itself)
    assert failure(by_itself) == "resolved without the repair: by_itself"


def test_an_escalated_incident_fails_the_drill_with_the_reason():
    assert failure(OPEN | {"state": "escalated", "refusals": ["stop: the file exists"]}) == (
        "escalated: stop: the file exists"
    )
    assert (failure(OPEN), failure(FIXED)) == ("", "")


def progress(count, failed=""):
    at = {phase: 100.0 + number for number, phase in enumerate(PHASES[:count])}
    return Progress(drill="d", killed_at=100.0, at=at, failed=failed)


def test_following_tells_each_phase_once_and_ends_with_the_last():
    looks = iter([progress(0), progress(2), progress(2), progress(7)])
    told = []
    assert drill.follow(lambda: next(looks), 60.0, lambda *each: told.append(each)).complete
    assert told == [(phase, float(number)) for number, phase in enumerate(PHASES)]


def test_following_ends_when_the_drill_failed_or_time_is_up():
    assert drill.follow(lambda: progress(3, "escalated"), 60.0, lambda *_: None).failed == "escalated"
    assert drill.follow(lambda: progress(3), 0.0, lambda *_: None).failed == "not over after 0 s"


def test_the_result_names_every_phase_with_its_time_since_the_kill():
    result = drill.document(progress(6, "too late"))
    assert (result["ok"], result["failed"]) == (False, "too late")
    assert [phase["seconds"] for phase in result["phases"]] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, None]


def test_the_generated_configuration_and_rule_are_good(tmp_path):
    command = scratch_daemon.service_command(tmp_path, 4242)
    text = scratch_daemon.configuration(tmp_path, command)
    (tmp_path / "a.toml").write_text(text)
    (tmp_path / "drill.yml").write_text(scratch_daemon.rules())
    config = load(tmp_path / "a.toml", {})
    assert [name for name, collector in config.collectors.items() if collector.enabled] == ["processes"]
    assert tomllib.loads(text)["remediations"][0]["steps"][0]["argv"] == command
    assert main(["check", "--strict", "--config", str(tmp_path / "a.toml")]) == 0


def test_the_scratch_service_answers_with_its_pid_until_it_is_killed(tmp_path):
    port = scratch_daemon._free_port()
    command = scratch_daemon.service_command(tmp_path, port)
    assert scratch_daemon.answering(port) is None
    try:
        subprocess.run(command, check=True, timeout=20)
        pid = int((tmp_path / scratch_service.PIDFILE).read_text())
        assert scratch_daemon.answering(port) == pid

        taken = subprocess.run(command, check=False, timeout=20, capture_output=True)
        assert (taken.returncode, b"cannot listen" in taken.stderr) == (1, True)
        assert int((tmp_path / scratch_service.PIDFILE).read_text()) == pid
    finally:
        scratch_daemon._end_service(tmp_path)
    assert scratch_daemon.answering(port) is None


@pytest.fixture
def folder():
    """Return a temporary folder with a short name: a socket in it may have a path of 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="drill-test-", dir="/tmp") as name:
        yield Path(name)


def test_a_drill_sees_every_phase_and_leaves_nothing_behind(folder):
    command = [sys.executable, "-m", "agent.cli.main", "drill", "--json"]
    environ = os.environ | {"TMPDIR": str(folder), "PARAMEDIC_WEB_LISTEN": "nonsense", "STATE_DIRECTORY": "/nowhere"}
    done = subprocess.run(command, check=False, timeout=60, capture_output=True, env=environ)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [phase["name"] for phase in result["phases"] if phase["seconds"] >= 0] == list(PHASES)
    assert list(folder.iterdir()) == []
    assert not _processes_below(folder)


def test_a_drill_that_is_terminated_cleans_up(folder):
    command = [sys.executable, "-m", "agent.cli.main", "drill"]
    environ = os.environ | {"TMPDIR": str(folder)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        _wait_for(folder, f"paramedic-drill-*/{scratch_service.PIDFILE}", running)
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 143
    assert list(folder.iterdir()) == []
    assert not _processes_below(folder)


def _wait_for(folder, pattern, process):
    while not list(folder.glob(pattern)):
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail("it ended before its time")


def _processes_below(folder):
    """Return command lines that name the folder; processes of others may end while we look."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in line:
            found.append(line)
    return found


def test_a_drill_against_a_daemon_follows_what_it_tells(tmp_path, capsys):
    phases = [{"name": name, "at": 100.0 + number} for number, name in enumerate(PHASES)]
    answers = {
        "POST /control/drill": (200, {"drill": "d7", "killed_at": 99.0}),
        "GET /control/drill/d7": (200, {"id": "d7", "finished": True, "failed": None, "phases": phases}),
    }
    with daemon(tmp_path / "sock", answers):
        code = main(["drill", "--against", str(tmp_path / "sock"), "--json"])
    result = json.loads(capsys.readouterr().out)
    assert (code, result["drill"], result["phases"][0]["seconds"]) == (0, "d7", 1.0)


def test_a_drill_that_the_daemon_gave_up_fails(tmp_path, capsys):
    answers = {
        "POST /control/drill": (200, {"drill": "d7", "killed_at": 99.0}),
        "GET /control/drill/d7": (200, {"id": "d7", "finished": True, "failed": None, "phases": []}),
    }
    with daemon(tmp_path / "sock", answers):
        assert main(["drill", "--against", str(tmp_path / "sock")]) == 1
    out = capsys.readouterr().out
    assert out.count("not seen") == 7
    assert "the daemon ended the drill" in out
