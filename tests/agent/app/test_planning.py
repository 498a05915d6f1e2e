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
