"""`paramedic polkit`: the rules for the listed units, and what is left out of them."""

import json
import re

import pytest

from agent.app import polkit, units
from agent.cli.main import main

CONFIG = """
[guards]
units = ["web.service", "alias.service", "ghost.service", "masked.service", "made-up.service"]
[[remediations]]
name = "r"
match = ['alertname="A"']
steps = [{ action = "restart_unit", unit = "db@main.service" }, { action = "reload_unit", unit = "{{ $labels.name }}" }]
"""
UNITS = {
    "web.service": ("web.service", "loaded", "/lib/systemd/system/web.service"),
    "alias.service": ("real.service", "loaded", "/lib/systemd/system/real.service"),
    "ghost.service": ("ghost.service", "not-found", ""),
    "masked.service": ("masked.service", "masked", "/etc/systemd/system/masked.service"),
    "made-up.service": ("made-up.service", "loaded", "/run/systemd/transient/made-up.service"),
    "db@main.service": ("db@main.service", "loaded", "/lib/systemd/system/db@.service"),
}


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """A systemctl that knows the units of this page."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    shown = {name: "Id={}\nLoadState={}\nFragmentPath={}\n".format(*told) for name, told in UNITS.items()}
    program.write_text(
        "#!/usr/bin/python3 -I\nimport sys\n"
        f"shown = {shown!r}\n"
        "assert sys.argv[1:4] == ['show', '--property=Id,LoadState,FragmentPath', '--'], sys.argv\n"
        "print('\\n'.join(shown[name] for name in sys.argv[4:]))\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    return program


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "paramedic.toml"
    path.write_text(CONFIG)
    return str(path)


def listed(rules: str) -> list[str]:
    found = re.search(r"var units = (.*);", rules)
    return json.loads(found[1]) if found else []


def test_the_rules_name_installed_units_as_systemd_calls_them(systemctl, config, capsys):
    assert main(["polkit", "--config", config]) == 1
    shown = capsys.readouterr()
    assert listed(shown.out) == ["db@main.service", "real.service", "web.service"]
    left_out = re.findall(r"(\S+) is left out", shown.err)
    assert left_out == ["ghost.service", "made-up.service", "masked.service"]


def test_check_names_listed_units_that_are_not_installed(systemctl, config, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(units, "SYSTEMD", tmp_path)
    assert main(["check", "--config", config]) == 0
    named = re.findall(r"guards.units: (\S+) has no unit file", capsys.readouterr().out)
    assert named == ["ghost.service", "made-up.service", "masked.service"]


def test_check_asks_nobody_where_there_is_no_systemd(config, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(units, "SYSTEMD", tmp_path / "absent")
    main(["check", "--config", config])
    assert "guards.units" not in capsys.readouterr().out


def test_without_a_systemd_there_are_no_rules(config, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["polkit", "--config", config]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "systemd cannot be asked" in shown.err


def test_no_verb_lets_anybody_start_or_stop():
    verbs = re.search(r"var verbs = (.*);", polkit.rules([], "paramedic"))
    assert verbs
    assert json.loads(verbs[1]) == ["restart", "try-restart", "reload", "reset-failed"]


def test_a_hostile_name_stays_inside_its_quotes():
    name = '"]; return polkit.Result.YES; //\n\u2028.service'
    rules = polkit.rules([name], name)
    assert listed(rules) == [name]
    assert len(rules.splitlines()) == len(polkit.rules([], "paramedic").splitlines())
    assert f"subject.user != {json.dumps(name)})" in rules


def test_how_long_units_took_to_start_is_what_systemd_measured(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    fields = ("InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic")
    program.write_text(
        "#!/usr/bin/python3 -I\nimport sys\n"
        f"assert sys.argv[1:4] == ['show', '--property={','.join(fields)}', '--'], sys.argv\n"
        f"print('\\n'.join('{fields[0]}=1000000\\n{fields[1]}=91000000\\n' for _ in sys.argv[4:]))\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert units.start_seconds(["web.service", "db.service"]) == {"web.service": 90.0, "db.service": 90.0}


def test_a_unit_that_is_starting_or_was_never_started_tells_nothing(tmp_path, monkeypatch):
    program = tmp_path / "systemctl"
    began = "InactiveExitTimestampMonotonic=5\nActiveEnterTimestampMonotonic"
    program.write_text(f"#!/usr/bin/python3 -I\nprint({began!r} + '=0\\n\\n' + {began!r} + '=4')\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert units.start_seconds(["a.service", "b.service"]) == {}
