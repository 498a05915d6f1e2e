"""What tells one configuration from another."""

import subprocess
import sys
from dataclasses import replace

import pytest

from agent.app import building
from agent.app.configuration_changes import sections
from agent.config.load import load

PRINT = """
import sys
from pathlib import Path
from agent.app import building
from agent.app.configuration_changes import sections
from agent.config.load import load
config = load(Path(sys.argv[1]), {})
print(sections(config, building.groups(config)))
"""


def told(config):
    return sections(config, building.groups(config))


def changed(before, after):
    old, new = told(before), told(after)
    return {name for name in new if old[name] != new[name]}


def test_every_process_tells_the_same_of_the_same_file(tmp_path):
    file = tmp_path / "paramedic.toml"
    file.write_text('[[services]]\nname = "shop"\nmatch = [\'name="a"\']\n')
    argv = [sys.executable, "-P", "-c", PRINT, str(file)]
    seen = {
        subprocess.run(
            argv, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True, timeout=60
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(seen) == 1


def test_the_section_that_differs_is_named_and_no_other():
    config = load(None, {})
    assert changed(config, config) == set()
    assert changed(config, replace(config, incidents=replace(config.incidents, reopen_window=7.0))) == {"incidents"}
    assert changed(config, replace(config, rules=replace(config.rules, packs=("host",)))) == {"rules"}


def test_a_rule_that_says_something_else_is_another_configuration(tmp_path):
    file = tmp_path / "rules.yml"
    config = load(None, {})
    config = replace(config, rules=replace(config.rules, files=(str(file),)))
    text = "groups: [{name: g, rules: [{alert: A, expr: up == %s}]}]"
    file.write_text(text % 0)
    before = told(config)
    file.write_text(f"# a comment\n{text % 0}")
    assert told(config) == before
    file.write_text(text % 1)
    after = told(config)
    assert {name for name in after if after[name] != before[name]} == {"rules"}


def test_what_root_allows_the_helper_counts_too(tmp_path):
    config = load(None, {})
    none = sections(config, (), tmp_path)
    (tmp_path / "restart_unit.toml").write_text('argv = ["systemctl"]')
    some = sections(config, (), tmp_path)
    assert {name for name in some if some[name] != none[name]} == {"policy"}
    (tmp_path / "restart_unit.toml").rename(tmp_path / "restart_other.toml")
    assert sections(config, (), tmp_path)["policy"] not in {none["policy"], some["policy"]}


@pytest.mark.parametrize("section", ["state", "web", "guards", "mqtt", "collectors", "remediations"])
def test_every_section_counts(section):
    assert section in told(load(None, {}))
