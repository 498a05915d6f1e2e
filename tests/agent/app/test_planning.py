"""What deciding needs of the configuration."""

import pytest

from agent.app.planning import policy
from agent.config.load import load


@pytest.mark.parametrize(
    ("text", "cooldown"),
    [("", 0.0), ("[actions.reboot_host]\nlimits = { runs = 9, per = '1h', cooldown = '2d' }", 172800)],
)
def test_the_host_restarts_once_a_day_at_most_whatever_the_configuration_says(tmp_path, text, cooldown):
    (tmp_path / "a.toml").write_text(text)
    limits = policy(load(tmp_path / "a.toml", {}), publish=[]).kind("reboot_host")
    assert (limits.runs, limits.per, limits.cooldown) == (1, 86_400, cooldown)


LADDER = """
[[remediations]]
name = "restart-web"
match = ['alertname="Down"']
steps = [{ action = "restart_command", argv = ["/bin/true"] }]
"""


def ladder(folder, text):
    (folder / "a.toml").write_text(text)
    (found,) = policy(load(folder / "a.toml", {}), publish=[]).ladders
    return found


@pytest.mark.parametrize(
    ("change", "another"),
    [
        ('mode = "propose"', True),
        ('origins = ["local", "http"]', True),
        ('verify = { hold = "5s" }', True),
        ('compensate = { action = "restart_command", argv = ["/bin/false"] }', True),
        ('max_mode = "approve"', False),
        ('approvers = ["ann"]', False),
        ("limits = { attempts = 2 }", False),
        ("target = { evidence = 9 }", False),
    ],
)
def test_a_remediation_is_another_one_when_what_it_does_changes_and_what_limits_it_does_not(tmp_path, change, another):
    before = ladder(tmp_path, LADDER)
    assert ladder(tmp_path, LADDER).version == before.version
    assert (ladder(tmp_path, LADDER + change).version != before.version) is another


@pytest.mark.parametrize(("old", "new"), [("/bin/true", "/bin/false"), ("Down", "Up")])
def test_another_command_or_another_alert_makes_another_remediation(tmp_path, old, new):
    assert ladder(tmp_path, LADDER).version != ladder(tmp_path, LADDER.replace(old, new)).version


def test_how_far_it_may_be_promoted_is_what_the_configuration_says(tmp_path):
    assert str(ladder(tmp_path, LADDER + 'max_mode = "propose"').rungs.highest) == "propose"
