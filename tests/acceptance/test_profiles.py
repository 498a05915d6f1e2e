"""The example profiles: each is free of mistakes, decides as its own drill wants, and mends a drill as a daemon."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.commands import paramedic
from tests.acceptance.daemon import PARAMEDIC
from tests.services.service import eventually, private_directory

PROFILES = Path(__file__).parents[2] / "docs/profiles"
EXPECTED: dict[str, tuple[str, list[list[str]]]] = {
    "web-service": ("ShopDown", [["restart", "--", "shop.service"], ["restart", "--", "nginx.service"]]),
    "batch-host": ("SystemdUnitFailed", [["restart", "--", "warehouse-import.service"]]),
    "build-host": (
        "BuildDiskLow",
        [["--root=/srv/build/cache", f"--older-than-seconds={seconds}"] for seconds in (259200, 21600)],
    ),
}
"""What its drill is about, and what must be among the words of each attempt, in order."""
LIVE = {"web-service": "service-down", "batch-host": "ticket-system-down", "build-host": "disk-filling"}


def test_there_is_a_profile_for_each_case():
    assert sorted(path.name for path in PROFILES.iterdir() if path.is_dir()) == sorted(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_its_configuration_rules_and_articles_have_no_mistake(name: str):
    checked = paramedic("check", "--strict", "--config", str(PROFILES / name / "paramedic.toml"))
    assert checked.returncode == 0, checked.stdout
    tested = paramedic("test", "rules", str(PROFILES / name / "rules.test.yml"))
    assert tested.returncode == 0, tested.stdout


@pytest.mark.parametrize("name", EXPECTED)
def test_it_passes_its_own_drill(name: str):
    folder = PROFILES / name
    words = ("--from", str(folder / "drill.prom"), "--config", str(folder / "paramedic.toml"), "--json")
    said = json.loads(paramedic("simulate", *words).stdout)
    alert, steps = EXPECTED[name]
    attempts = [each["argv"] for each in said["decisions"] if each["argv"]]
    assert {each["alertname"] for each in said["decisions"] if each["argv"]} == {alert}
    assert [each for each in said["decisions"] if each["state"] == "escalated"] == []
    assert len(attempts) == len(steps)
    assert all(set(wanted) <= set(argv) for wanted, argv in zip(steps, attempts, strict=True)), attempts
    assert "fixed" in {each["reason"] for each in said["decisions"] if each["alertname"] == alert}


@pytest.mark.parametrize("name", LIVE)
def test_a_daemon_with_it_mends_a_drill(name: str):
    with private_directory("profile") as folder:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PARAMEDIC_", "NOTIFY_"))}
        own |= {"PARAMEDIC_STATE_DIRECTORY": str(folder), "PARAMEDIC_WEB_LISTEN": ""}
        log = folder / "log"
        command = (*PARAMEDIC, "run", "--config", str(PROFILES / name / "paramedic.toml"))
        with log.open("wb") as file:
            process = subprocess.Popen(command, env=own, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        try:
            eventually(lambda: ready(folder), 60.0, log.read_text)
            drilled = paramedic("drill", LIVE[name], "--against", str(folder / "paramedic.sock"), "--json")
            assert drilled.returncode == 0, f"{drilled.stdout}{drilled.stderr}\n{log.read_text()}"
            assert json.loads(drilled.stdout)["points"] == 100
        finally:
            process.terminate()
            assert process.wait(60) == 0, log.read_text()


def ready(folder: Path) -> Any:
    said = paramedic("status", "--json", "--socket", str(folder / "paramedic.sock"))
    return said.returncode == 0 and json.loads(said.stdout)["ready"]
