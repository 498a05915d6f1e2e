"""A recording of a real daemon, and what the simulation makes of it."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.commands import paramedic
from tests.acceptance.daemon import PARAMEDIC, Daemon, Watched, prepared_daemon, repair, rule, rule_file
from tests.acceptance.test_promtool_metrics import NOT_PARSED, checked
from tests.services.service import eventually

RULES = rule_file(rule("Down", "paramedic_process_up == 0"), rule("Broken", "test_broken == 1"))


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(name="web", folder=tmp_path / "web").prepare()
    yield watched
    watched.end()


@pytest.fixture
def daemon(watched: Watched, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that mends the service, and would touch a file."""
    remediations = [
        repair("Down", watched.repair_command),
        repair("Broken", ["/usr/bin/touch", str(tmp_path / "touched")], mode="observe", origins=["textfile"]),
    ]
    watch = {"processes": {"interval": "1s", "watch": [{"name": "web", "pidfile": watched.pidfile}]}}
    with prepared_daemon({"remediations": remediations, "collectors": watch}, RULES) as daemon:
        daemon.tell(it=False)
        daemon.start()
        yield daemon


@contextmanager
def recording(daemon: Daemon, path: Path) -> Iterator[subprocess.Popen[str]]:
    argv = (*PARAMEDIC, "record", "--for", "10m", "--out", str(path), "--config", str(daemon.config))
    with subprocess.Popen(argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            eventually(lambda: path.exists() and "paramedic_process_up" in path.read_text(), what=daemon.tail)
            yield process
        finally:
            process.kill()


def decided(incident: Any) -> list[tuple[str, str]]:
    return [(row["reason"], row["guard"]) for row in incident["timeline"] if row["reason"] != "unchanged"]


def test_a_recording_of_a_repair_leads_to_the_same_decisions(daemon: Daemon, watched: Watched, tmp_path: Path):
    path = tmp_path / "recording.prom"
    with recording(daemon, path) as recorder:
        watched.kill()
        daemon.tell(it=True)
        fixed = daemon.await_state("Down", "resolved")
        daemon.await_incident("Broken", lambda incident: incident["would_run"])
        daemon.tell(it=False)
        over = daemon.await_state("Broken", "resolved")
        recorder.send_signal(signal.SIGINT)
        said, _ = recorder.communicate(timeout=30)
    assert recorder.returncode == 0, said
    assert path.stat().st_mode & 0o777 == 0o600

    done = paramedic("simulate", "--from", path, "--config", daemon.config, "--json")

    assert done.returncode == 0, done.stderr
    decisions = json.loads(done.stdout)["decisions"]
    for incident in (fixed, over):
        again = [(each["reason"], each["guard"]) for each in decisions if each["alertname"] == incident["alertname"]]
        assert again == decided(incident)
    started = next(each for each in decisions if each["reason"] == "attempt_started")
    assert (started["argv"], started["by"]) == (watched.repair_command, "runner")
    assert not (tmp_path / "touched").exists()
    assert len(daemon.incidents()) == 2


def test_the_samples_of_a_recording_are_what_prometheus_can_read(daemon: Daemon, tmp_path: Path):
    done = paramedic("record", "--for", "3s", "--out", tmp_path / "r.prom", "--config", daemon.config)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "r.prom").read_text()
    first = text[: text.index("# paramedic", text.index("paramedic_process_up"))]
    _, findings = checked(first.encode())
    assert [each for each in findings if NOT_PARSED in each] == []
    assert text.splitlines()[-1].startswith('# paramedic {"kind":"end"')


def test_only_one_records_and_no_file_is_overwritten(daemon: Daemon, tmp_path: Path):
    path = tmp_path / "one.prom"
    with recording(daemon, path):
        second = paramedic("record", "--for", "3s", "--out", tmp_path / "two.prom", "--config", daemon.config)
        assert (second.returncode, "somebody is recording already" in second.stderr) == (1, True)
        assert not (tmp_path / "two.prom").exists()
    again = paramedic("record", "--for", "1s", "--out", path, "--config", daemon.config)
    assert (again.returncode, f"{path} exists" in again.stderr) == (1, True)


def test_a_recording_of_a_daemon_that_dies_says_that_it_is_incomplete_and_can_be_used(daemon: Daemon, tmp_path: Path):
    path = tmp_path / "one.prom"
    with recording(daemon, path) as recorder:
        daemon.kill()
        said, _ = recorder.communicate(timeout=30)
    assert recorder.returncode == 1
    assert f"{path} is incomplete" in said
    assert paramedic("simulate", "--from", path, "--config", daemon.config).returncode == 0
    assert os.access(path, os.R_OK)
