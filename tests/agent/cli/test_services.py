"""The command that shows the service catalogue."""

import pytest

from agent.cli.main import main
from tests.agent.cli.daemons import daemon

SHOP = {
    "name": "shop",
    "owner": "Ada \x1b[31m",
    "team": "web",
    "criticality": "high",
    "automation": "approve",
    "calendar": "office",
    "in_hours": False,
    "depends_on": ["database"],
    "needed_by": [],
    "targets": {"P1": {"respond": 900.0, "resolve": 14400.0}, "P4": {"respond": None, "resolve": 86400.0}},
    "down": True,
    "incidents": [{"id": "i-1", "priority": "P1", "alertname": "Down", "state": "escalated", "quiet_because": ""}],
    "objective": {
        "goal": 0.999,
        "window": 30 * 86400.0,
        "agreement": {"by": "Head of Sales", "on": "2026-01-01", "review_by": "2026-12-31"},
        "availability": 0.9995,
        "budget": 2592.0,
        "budget_used": 0.5,
    },
}
DEFAULT = SHOP | {"name": "default", "owner": "", "team": "", "down": False, "incidents": [], "objective": None}


@pytest.fixture
def ask(tmp_path, capsys):
    def ask(*words):
        code = main(["service", *words, "--socket", str(tmp_path / "socket")])
        said = capsys.readouterr()
        return code, said.out, said.err

    with daemon(tmp_path / "socket", {"GET /control/services": (200, [SHOP, DEFAULT])}):
        yield ask


def test_each_service_has_a_line_with_its_goal_and_how_it_stands(ask):
    code, out, _ = ask()
    shop, default = out.splitlines()[1:]
    assert code == 0
    words = ["shop", "down", "1", "(P1)", "high", "Ada", "database", "99.900%", "99.950%", "50%", "approve"]
    assert [word for word in shop.split() if "31m" not in word] == words
    assert default.split()[:2] == ["default", "up"]
    assert "\x1b" not in out


def test_one_service_is_shown_with_what_was_promised_and_agreed(ask):
    _, out, _ = ask("shop")
    for text in (
        "office (now outside of them)",
        "P1 respond within 15m, resolve within 4h; P4 resolve within 1d",
        "99.900% available within 30d",
        "Head of Sales 2026-01-01, to be reviewed by 2026-12-31",
        "50.0% of 43m12s used",
        "i-1 P1 Down (escalated)",
    ):
        assert text in out
    code, _, err = ask("shpo")
    assert code == 1
    assert "there is no service 'shpo'" in err
