"""`paramedic check --online`: ticket systems are asked whether they can be used."""

import json
import os
from pathlib import Path

import pytest

from agent.cli import online
from agent.cli.main import main
from tests.agent.tickets.fakes import rt
from tests.agent.tickets.fakes.site import serving
from tests.services.service import free_port


@pytest.fixture
def check(tmp_path, capsys):
    """Return what `check --json` says about a configuration with one RT at this port."""

    def run(port: int, *options: str, password: str = rt.PASSWORD) -> tuple[int, list[str]]:
        secret = tmp_path / "password"
        secret.write_text(password)
        secret.chmod(0o600)
        config = tmp_path / "paramedic.toml"
        desk = f'system = "rt"\nurl = "http://127.0.0.1:{port}"\nuser = "{rt.USER}"\npassword_file = "{secret}"'
        config.write_text(f"[[tickets]]\n{desk}\n")
        code = main(["check", "--json", "--config", str(config), *options])
        problems = json.loads(capsys.readouterr().out)["problems"]
        return code, [each["message"] for each in problems if each["path"] == "tickets[0]"]

    return run


def test_a_ticket_system_that_lets_us_in_has_nothing_to_be_said_about(check):
    with serving(rt.FakeRt()) as port:
        assert check(port, "--online") == (0, [])


def test_a_wrong_password_is_said_and_not_shown(check):
    with serving(rt.FakeRt()) as port:
        code, said = check(port, "--online", password="canary-0123")
        assert code == 1
        assert said[0].startswith("rt cannot be used: answered 401")
        assert "canary" not in said[0]


def test_a_server_that_is_down_is_said(check):
    code, said = check(free_port(), "--online")
    assert code == 1
    assert "connection failed" in said[0]


def test_nobody_is_asked_without_the_option(check):
    assert check(free_port()) == (0, [])


def test_credentials_of_the_service_are_found_by_those_who_may_read_them(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(online, "_OF_THE_SERVICE", tmp_path)
    assert online.environment({"A": "b"}) == {"A": "b", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert online.environment({"CREDENTIALS_DIRECTORY": "/x"}) == {"CREDENTIALS_DIRECTORY": "/x"}
    monkeypatch.setattr(online, "_OF_THE_SERVICE", tmp_path / "nonsuch")
    assert online.environment(os.environ) == os.environ
