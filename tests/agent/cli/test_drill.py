"""`paramedic drill`: following a drill, showing what drills came to, and leaving nothing behind."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from agent.app.drills import scratch_service
from agent.app.drills.scenarios import SCENARIOS, with_people
from agent.app.drills.scoring import Held, document
from agent.cli import drill, scratch_daemon
from agent.cli.main import main
from agent.config.load import load
from tests.agent.cli.daemons import daemon
from tests.services.service import eventually

PHASES = [phase.name for phase in SCENARIOS["service-down"].phases]


def result(seen=7, *, finished=True, **changes):
    at = dict.fromkeys(PHASES[:seen], 101.0)
    made = {"id": "d7", "scenario": SCENARIOS["service-down"], "actor": "ann", "struck_at": 100.0}
    return document(Held(**(made | {"at": at, "finished": finished} | changes)))


def test_following_tells_each_phase_once_and_ends_with_the_last():
    looks = iter([result(0, finished=False), result(2, finished=False), result(2, finished=False), result()])
    told = []
    assert drill.follow(lambda: next(looks), 60.0, lambda *each: told.append(each[:2]))["ok"]
    assert told == [(phase, 1.0) for phase in PHASES]


def test_following_ends_when_the_drill_failed_or_time_is_up():
    assert drill.follow(lambda: result(3, failed="escalated"), 60.0, lambda *_: None)["failed"] == "escalated"
    late = drill.follow(lambda: result(3, finished=False), 0.0, lambda *_: None)
    assert (late["ok"], late["failed"]) == (False, "not over after 0 s")


def test_the_generated_configuration_is_good(tmp_path):
    (tmp_path / "a.toml").write_text(scratch_daemon.configuration(tmp_path))
    config = load(tmp_path / "a.toml", {})
    assert [name for name, collector in config.collectors.items() if collector.enabled] == ["processes"]
    assert main(["check", "--strict", "--config", str(tmp_path / "a.toml")]) == 0


@pytest.fixture
def folder():
    """Return a temporary folder with a short name: a socket in it may have a path of 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="drill-test-", dir="/tmp") as name:
        yield Path(name)


def drilling(folder, *words, **options):
    command = [sys.executable, "-m", "agent.cli.main", "drill", *words]
    environ = os.environ | {"TMPDIR": str(folder), "PARAMEDIC_WEB_LISTEN": "nonsense", "STATE_DIRECTORY": "/nowhere"}
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_a_drill_that_is_terminated_cleans_up(folder):
    with drilling(folder) as running:
        _wait_for(folder, f"paramedic-drill-*/drill/{scratch_service.PIDFILE}", running)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=120)
        assert running.returncode == 143
    assert list(folder.iterdir()) == []
    assert not _processes_below(folder)


def test_what_a_drill_that_is_killed_leaves_goes_with_the_next_one(folder):
    with drilling(folder) as running:
        _wait_for(folder, f"paramedic-drill-*/drill/{scratch_service.PIDFILE}", running)
        running.kill()
        running.communicate(timeout=120)
    assert list(folder.iterdir()) != []
    scratch_daemon.sweep(folder)
    assert list(folder.iterdir()) == []
    eventually(lambda: not _processes_below(folder))


def test_the_folder_of_a_drill_that_goes_on_is_left_alone(folder):
    mine = folder / f"{scratch_daemon.PREFIX}mine"
    mine.mkdir()
    (mine / "owner").write_text(scratch_daemon._born(os.getpid()))
    scratch_daemon.sweep(folder)
    assert mine.exists()


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


def started(**result):
    return {
        "POST /control/drill": (200, {"drill": "d7", "killed_at": 100.0}),
        "GET /control/drill/d7": (200, result),
    }


def test_a_drill_against_a_daemon_follows_what_it_tells(tmp_path, capsys):
    report = tmp_path / "report.md"
    with daemon(tmp_path / "sock", started(**result())) as asked:
        words = ["drill", "disk-filling", "--against", str(tmp_path / "sock"), "--json", "--report", str(report)]
        code = main(words)
    shown = json.loads(capsys.readouterr().out)
    assert asked[0] == ("POST /control/drill", {"scenario": "disk-filling", "people_seconds": 0.0})
    assert (code, shown["drill"], shown["phases"][0]["seconds"]) == (0, "d7", 1.0)
    assert "100 of 100 points" in report.read_text()


def test_a_drill_that_the_daemon_gave_up_fails(tmp_path, capsys):
    with daemon(tmp_path / "sock", started(**result(0, failed="the daemon was stopped"))):
        assert main(["drill", "--against", str(tmp_path / "sock")]) == 1
    out = capsys.readouterr().out
    assert out.count("missing") == 7
    assert "failed: the daemon was stopped, 0 of 100 points" in out


@pytest.mark.parametrize(("status", "code"), [(503, os.EX_TEMPFAIL), (409, 1)], ids=["not now", "never"])
def test_a_drill_at_the_wrong_time_is_no_failure(tmp_path, capsys, status, code):
    refused = {"POST /control/drill": (status, {"error": "no drill now: freeze window month-end is open"})}
    with daemon(tmp_path / "sock", refused):
        assert main(["drill", "--against", str(tmp_path / "sock")]) == code
    assert "freeze window month-end is open" in capsys.readouterr().err


def test_with_people_the_command_to_acknowledge_is_told(tmp_path, capsys):
    people = with_people(SCENARIOS["service-down"], 60.0)
    at = {"acknowledged": 103.0} | dict.fromkeys(PHASES, 103.5) | {"opened": 101.0, "detected": 101.0}
    passed = result(scenario=people, at=at, incidents=["inc1"], acknowledged_by="ann")
    with daemon(tmp_path / "sock", started(**passed)) as asked:
        main(["drill", "--people", "1m", "--against", str(tmp_path / "sock")])
    assert asked[0][1] == {"scenario": "service-down", "people_seconds": 60.0}
    said = capsys.readouterr()
    assert f"paramedic incident ack inc1 --socket {tmp_path / 'sock'}" in said.err
    assert "passed, 100 of 100 points, acknowledged by ann" in said.out


def test_the_record_shows_drills_and_who_is_certified_by_them(tmp_path, capsys):
    people = with_people(SCENARIOS["service-down"], 60.0)
    at = {"acknowledged": 103.0} | dict.fromkeys(PHASES, 103.5) | {"opened": 101.0, "detected": 101.0}
    kept = [result(scenario=people, at=at, acknowledged_by="ann"), result(2, failed="no")]
    with daemon(tmp_path / "sock", {"GET /control/drill": (200, kept)}):
        assert main(["drill", "list", "--socket", str(tmp_path / "sock")]) == 0
        listed = capsys.readouterr().out
        assert main(["drill", "operators", "--socket", str(tmp_path / "sock")]) == 0
    assert "ann after 2 s" in listed
    assert [line.split()[4] for line in listed.splitlines()[1:]] == ["passed", "failed"]
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["ann", "service-down"]
