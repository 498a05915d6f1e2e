"""Secrets that systemd hands over."""

import pytest

from agent.config.credentials import VARIABLE, resolved
from agent.config.load import load
from agent.config.problems import ConfigError
from tests.agent.config.fakes import registries

FILE = """
[[tickets]]
system = "desk"
url = "http://desk"
password_file = "${CREDENTIALS_DIRECTORY}/desk"
"""


def test_a_credential_is_found_where_systemd_put_it(tmp_path):
    config = tmp_path / "paramedic.toml"
    config.write_text(FILE)
    (ticket,) = load(config, {"CREDENTIALS_DIRECTORY": str(tmp_path / "given")}, registries()).tickets
    assert ticket.options.password_file == tmp_path / "given" / "desk"


def test_without_systemd_the_variable_stays_visible(tmp_path):
    config = tmp_path / "paramedic.toml"
    config.write_text(FILE)
    (ticket,) = load(config, {}, registries()).tickets
    assert ticket.options.password_file == tmp_path / VARIABLE / "desk"


def test_nothing_but_the_beginning_of_a_file_option_is_expanded():
    tables = {"name": f"{VARIABLE}/a", "x_file": f"/etc/{VARIABLE}/b", "y_file": "$HOME/c", "z_file": f"{VARIABLE}s/d"}
    assert resolved(tables, {"CREDENTIALS_DIRECTORY": "/run/c", "HOME": "/root"}) == tables


@pytest.mark.parametrize(
    "name",
    ["nginx", "nginx.*", "*.service", "web@.service", "multi-user.target", 'a".service', "a\nb.service", "-x.service"],
)
def test_only_whole_names_of_units_can_be_listed(tmp_path, name):
    config = tmp_path / "paramedic.toml"
    config.write_text(f"[guards]\nunits = ['''{name}''']\n")
    with pytest.raises(ConfigError) as raised:
        load(config, {}, registries())
    assert [problem.path for problem in raised.value.problems] == ["guards.units[0]"]
