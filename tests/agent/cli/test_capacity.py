"""The command that says when resources will be full."""

import json
import time

import pytest

from agent.cli.main import main
from tests.agent.cli.daemons import daemon

DAY = 86400.0
FORECAST = dict.fromkeys(("used", "limit", "full_at", "earliest", "latest", "per_day", "fit", "since", "why"))


def outlook(resource, name="", unit="", plan=None, **forecast):
    return {
        "subject": {"resource": resource, "name": name, "labels": []},
        "at": 0.0,
        "unit": unit,
        "measured_at": 0.0,
        "forecast": {**FORECAST, "note": "", **forecast},
        "plan": plan,
    }


@pytest.fixture
def ask(tmp_path, capsys):
    now = time.time()
    known = [
        outlook("cpu", unit="ratio", used=0.25, limit=1.0, why="noisy"),
        outlook(
            "filesystem",
            "/srv",
            "bytes",
            {"change": "CHG-1", "full_at": now, "tickets": ["rt"]},
            used=2.0**39,
            limit=2.0**40,
            per_day=2.0**30,
            full_at=now + 20 * DAY,
            earliest=now + 18 * DAY,
            fit=0.95,
            note="counting on import \x1b[31m",
        ),
    ]

    def ask(*words):
        code = main(["capacity", *words, "--socket", str(tmp_path / "socket")])
        return code, capsys.readouterr().out

    with daemon(tmp_path / "socket", {"GET /control/capacity": (200, known)}):
        yield ask


def test_the_table_has_a_line_for_each_resource_with_its_date_or_the_reason(ask):
    code, out = ask()
    assert code == 0
    cpu, disk = out.splitlines()[1:]
    assert cpu.split() == ["cpu", "25%", "100%", "it", "varies", "more", "than", "it", "grows"]
    assert "512GiB" in disk
    assert "1GiB" in disk
    assert "(20 d)" in disk
    assert "… open" in disk
    assert "95%" in disk
    assert "CHG-1" in disk
    assert "\x1b" not in disk


def test_one_resource_or_what_will_be_full_soon_can_be_asked_for(ask):
    assert [each["unit"] for each in json.loads(ask("filesystem", "--json")[1])] == ["bytes"]
    assert [each["unit"] for each in json.loads(ask("--soon", "30d", "--json")[1])] == ["bytes"]
    assert ask("--soon", "10d")[1] == "nothing is known yet: resources are looked at once an hour\n"
