"""Where things are when nobody says so."""

from pathlib import Path

from agent.config.options import Config, StateOptions
from agent.config.paths import config_path, control_socket, control_sockets, state_directory

CONFIG = Config()
USER = 1000


def test_the_configuration_is_the_given_one_then_the_environments_then_the_systems(tmp_path):
    system = tmp_path / "paramedic.toml"
    environ = {"PARAMEDIC_CONFIG": "/env.toml"}
    assert config_path(Path("/given.toml"), environ, system) == Path("/given.toml")
    assert config_path(None, environ, system) == Path("/env.toml")
    assert config_path(None, {}, system) is None

    system.touch()
    assert config_path(None, {"PARAMEDIC_CONFIG": ""}, system) == system


def test_state_lives_where_the_configuration_then_systemd_says():
    environ = {"STATE_DIRECTORY": "/var/lib/one:/var/lib/two", "HOME": "/home/ann"}
    configured = Config(state=StateOptions(directory=Path("/srv/state")))
    assert state_directory(configured, environ, USER) == Path("/srv/state")
    assert state_directory(CONFIG, environ, USER) == Path("/var/lib/one")


def test_state_lives_in_the_users_folder_and_for_root_in_the_systems():
    assert state_directory(CONFIG, {"HOME": "/home/ann"}, USER) == Path("/home/ann/.local/state/paramedic")
    assert state_directory(CONFIG, {"XDG_STATE_HOME": "/state"}, USER) == Path("/state/paramedic")
    assert state_directory(CONFIG, {"HOME": "/root"}, 0) == Path("/var/lib/paramedic")


def test_the_control_socket_is_in_the_runtime_directory_or_beside_the_state():
    environ = {"RUNTIME_DIRECTORY": "/run/paramedic", "HOME": "/home/ann"}
    assert control_socket(CONFIG, environ, USER) == Path("/run/paramedic/paramedic.sock")
    assert control_socket(CONFIG, {"HOME": "/h"}, USER) == Path("/h/.local/state/paramedic/paramedic.sock")


def test_a_client_looks_at_its_own_daemon_first_and_then_at_the_hosts():
    own, service = control_sockets(CONFIG, {"HOME": "/h"}, USER)
    assert (own.parent, service) == (Path("/h/.local/state/paramedic"), Path("/run/paramedic/paramedic.sock"))
    mine = Config(state=StateOptions(directory=Path("/s")))
    assert control_sockets(mine, {}, 0, private=True) == (Path("/s/paramedic.sock"),)
