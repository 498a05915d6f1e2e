"""`paramedic check` on what gives the daemon privilege: owners, modes, links and what is out of date."""

import os

import pytest

from agent.cli.main import main
from agent.config.load import load
from agent.install.inspecting import inspected
from tests.agent.install.test_install import CONFIG, HELPER, POLICY

OWN = "etc/paramedic/actions.d/own.toml"


@pytest.fixture
def host(tmp_path):
    """Return an installed host: `host()` inspects it."""
    root = tmp_path / "root"
    (root / "usr/bin").mkdir(parents=True)
    for path in (root, root / "usr", root / "usr/bin"):
        path.chmod(0o755)
    (root / "usr/bin/systemctl").write_text("")
    (root / "usr/bin/systemctl").chmod(0o755)
    config = tmp_path / "paramedic.toml"
    config.write_text(CONFIG)

    def inspect():
        return list(inspected(load(config, {}), root, os.geteuid()))

    inspect.root, inspect.config = root, config
    inspect.install = lambda: main(["install", "--config", str(config), "--root", str(root)])
    inspect.install()
    return inspect


def test_a_fresh_installation_is_fine(host):
    assert host() == []


def test_where_nothing_is_installed_nothing_is_missed(tmp_path):
    (tmp_path / "paramedic.toml").write_text(CONFIG)
    assert list(inspected(load(tmp_path / "paramedic.toml", {}), tmp_path, os.geteuid())) == []


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda root: (root / POLICY).chmod(0o664), "chmod go-w"),
        (lambda root: (root / HELPER).chmod(0o666), "chmod go-w"),
        (lambda root: (root / POLICY).parent.chmod(0o777), "chmod go-w"),
        (lambda root: (root / HELPER).unlink() or (root / HELPER).symlink_to("x"), None),
        (lambda root: (root / "usr/bin/systemctl").chmod(0o777), "chmod go-w"),
        (lambda root: (root / "usr/bin/systemctl").unlink(), "No such file"),
        (lambda root: (root / POLICY).unlink(), "run `paramedic install` as root"),
        (lambda root: (root / "etc/systemd/system/paramedic-exec.socket").unlink(), "run `paramedic install` as root"),
        (lambda root: (root / POLICY).write_text("argv = ['/usr/bin/systemctl']\n"), "is not what this configuration"),
        (lambda root: (root / HELPER).write_bytes(b"old"), "is not what this configuration and version make"),
        (lambda root: (root / OWN).write_text("argv = 7\n"), "own.toml: argv: not a value that can be used"),
        (lambda root: (root / OWN).write_text("argv = ['/usr/bin/systemctl']\nuser = 'ghost'\n"), "no account 'ghost'"),
        (lambda root: (root / OWN).symlink_to("restart_unit.toml"), "is a link"),
    ],
)
def test_what_is_wrong_is_named_with_the_way_to_mend_it(host, spoil, says):
    spoil(host.root)
    found = host()
    if says is None:
        assert found == []  # a link to nowhere is no installation
        return
    assert any(says in problem for problem in found), found


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")
def test_a_file_that_was_given_away_is_named(host):
    os.chown(host.root / POLICY, 65534, 65534)
    assert any("belongs to user 65534: chown 0" in problem for problem in host())


def test_a_policy_that_the_configuration_has_outgrown_is_noticed_and_mended_by_install(host):
    host.config.write_text(CONFIG.replace("web.service", "other.service"))
    assert any("restart_unit.toml is not what this configuration" in problem for problem in host())
    host.config.write_text(CONFIG.replace("restart_unit", "reload_unit"))
    assert any("gives more than the configuration needs" in problem for problem in host())
    host.install()
    assert host() == []
