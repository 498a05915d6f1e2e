"""The example configuration."""

import re
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path

import agent.config.mqtt_options as mqtt_module
import agent.config.options as options_module
from agent.config.acting import (
    LimitOptions,
    StepOptions,
    VerifyOptions,
)
from agent.config.example import render
from agent.config.load import load
from agent.config.options import CollectorOptions, Config, TokenOptions
from agent.config.registries import shipped
from agent.tickets.registry import ADAPTERS
from remediations.limits import Limits
from remediations.spec import Context

COMMITTED = Path(__file__).parents[3] / "config.example.toml"
TEXT = render(shipped())
UNSHOWN = {Config, CollectorOptions, LimitOptions, VerifyOptions, StepOptions, TokenOptions, Limits, Context}
"""Not tables of their own, or shown inline, or of others."""


def uncommented(text):
    return re.sub(r"^# (?=\S)", "", text, flags=re.MULTILINE)


def test_the_committed_example_is_what_the_options_say():
    assert COMMITTED.read_text() == TEXT, "run: python -m agent.config.example > config.example.toml"


def test_the_example_as_it_stands_changes_nothing(tmp_path):
    (tmp_path / "a.toml").write_text(TEXT)
    assert load(tmp_path / "a.toml", {}) == load(None, {})


def test_the_example_loads_with_everything_uncommented_and_shows_the_defaults(tmp_path):
    (tmp_path / "a.toml").write_text(uncommented(TEXT))
    config = load(tmp_path / "a.toml", {})
    default = load(None, {})
    assert (config.collectors, config.incidents, config.log) == (default.collectors, default.incidents, default.log)
    assert [ticket.system for ticket in config.tickets] == ["book", *ADAPTERS]
    assert [step.action for remediation in config.remediations for step in remediation.steps] == ["restart_unit"]


def test_the_example_knows_every_table_and_every_plugin():
    tables = tomllib.loads(uncommented(TEXT))
    assert list(tables) == list(Config.__dataclass_fields__)
    assert set(tables["collectors"]) == set(shipped().collectors)
    assert all(re.search(rf"^##   {action} ", TEXT, re.MULTILINE) for action in shipped().actions)


def test_every_option_of_ours_is_shown_with_a_help_text():
    shown = set(re.findall(r"^## .+\n# (\w+) = ", TEXT, re.MULTILINE))
    shown |= set(re.findall(r"^# \[\[\w+\.(\w+)\]\]$", TEXT, re.MULTILINE))
    everything = vars(options_module) | vars(mqtt_module)
    sections = {options for options in everything.values() if is_dataclass(options)} - UNSHOWN
    for section in sections:
        names = {field.name for field in fields(section) if not field.metadata.get("rest")}
        assert names <= shown, section


def test_no_line_ends_in_a_space():
    assert not [line for line in TEXT.splitlines() if line != line.rstrip()]
