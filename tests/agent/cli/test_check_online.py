"""`paramedic check --online`: ticket systems are asked whether they can be used."""

import json
import os
from pathlib import Path

import pytest

from agent.cli import online
from agent.cli.main import main
from tests.agent.notify.servers import mail_server, web_server
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
    assert "not reached" in said[0]


def test_nobody_is_asked_without_the_option(check):
    assert check(free_port()) == (0, [])


def test_credentials_of_the_service_are_found_by_those_who_may_read_them(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(online, "_OF_THE_SERVICE", tmp_path)
    assert online.environment({"A": "b"}) == {"A": "b", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert online.environment({"CREDENTIALS_DIRECTORY": "/x"}) == {"CREDENTIALS_DIRECTORY": "/x"}
    monkeypatch.setattr(online, "_OF_THE_SERVICE", tmp_path / "nonsuch")
    assert online.environment(os.environ) == os.environ


CHANNELS = """
[[channels]]
name = "mail"
host = "127.0.0.1"
port = {mail}
tls = "off"
sender = "me@example.org"
to = ["ops@example.org"]
user = "me"
password_file = "secret"
[[channels]]
name = "chat"
kind = "slack"
url_file = "url"
[[channels]]
name = "gone"
kind = "webhook"
url_file = "gone"
"""


def test_channels_are_asked_whether_they_can_be_used_and_nobody_is_told_anything(tmp_path, capsys):
    def said(**answers):
        with mail_server(**answers) as (mail, heard), web_server() as (web, posted):
            for name, text in {"secret": "canary", "url": f"http://127.0.0.1:{web}/canary", "gone": "canary"}.items():
                (tmp_path / name).write_text(text)
            (tmp_path / "a.toml").write_text(CHANNELS.format(mail=mail))
            main(["check", "--json", "--online", "--config", str(tmp_path / "a.toml")])
        assert (heard["data"], posted) == (b"", [])
        found = json.loads(capsys.readouterr().out)["problems"]
        return {each["path"]: each["message"] for each in found if each["level"] == "error"}

    gone = "gone cannot be used: url_file holds no address that begins with https://"
    assert said() == {"channels[2]": gone}
    assert said(auth="535 no") == {"channels[0]": "mail cannot be used: login refused (535)", "channels[2]": gone}
