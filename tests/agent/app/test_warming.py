"""What a first repair would wait for is there before it, where there are repairs."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from agent.app import warming
from agent.config.load import load
from agent.incidents.opening import described
from agent.incidents.policy import Policy
from collectors.sample import labels
from rules.alert import Alert, AlertState
from tests.agent.app.test_reloading import CONFIG, House

KNOWLEDGE = '[knowledge]\nfolders = ["articles"]\n'
REPAIR = """
[[remediations]]
name = "mend"
match = ['alertname="Down"']
mode = "MODE"
steps = [{ action = "restart_command", argv = ["/bin/true"] }]
"""
ALERT = Alert(
    fingerprint="f1",
    rule="test;test;PigeonLoftEmpty",
    rule_version="v1",
    labels=labels(alertname="PigeonLoftEmpty", severity="critical"),
    annotations=(),
    state=AlertState.FIRING,
    value=1.0,
    active_at=0.0,
)
INCIDENT = described(ALERT, Policy(), incident_id="i1", key="k", host="h1", now=0.0)


def warmed(folder, mode):
    """Return a house that was warmed, if it needs that, and then lost its articles; and whether it needed that."""
    articles = folder / "articles"
    articles.mkdir()
    (articles / "pigeon-loft-locked.md").write_text("# The pigeon loft is locked\n\nOpen the pigeon loft.\n")
    house = House(folder, CONFIG + KNOWLEDGE + REPAIR.replace("MODE", mode))
    remediations = load(house.path, {}).remediations
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(warming.warm, remediations, house.engine, house.parts.desk.library)
        while not answer.done():
            house.engine.turn(house.engine.queue.take(0.05, 10))
    (articles / "pigeon-loft-locked.md").unlink()
    return house, answer.result()


@pytest.mark.parametrize(
    ("mode", "needed"), [("auto", True), ("approve", True), ("propose", False), ("observe", False)]
)
def test_articles_are_read_before_they_are_wanted_where_something_may_be_repaired(tmp_path, mode, needed):
    house, was_needed = warmed(tmp_path, mode)
    advice = house.parts.desk.library.advice(INCIDENT)
    assert was_needed is needed
    assert (advice is not None and "pigeon loft" in repr(advice)) is needed
    house.database.close()


def test_a_reload_reads_them_anew(tmp_path):
    house, _ = warmed(tmp_path, "auto")
    house.reload(house.path.read_text())
    assert "pigeon loft" not in repr(house.parts.desk.library.advice(INCIDENT))
    house.database.close()
