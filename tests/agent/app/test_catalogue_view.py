"""The service catalogue as people see it: what was agreed, and how each service stands now."""

import pytest

from agent.app.catalogue_view import services
from agent.itsm.catalogue import Agreement, Catalogue, Criticality, Objective, Service, Target
from remediations.mode import Mode
from rules import matchers
from tests.agent.engine.conftest import LATER, RULES, Bench

DAY = 86400.0
SHOP = Service(
    name="shop",
    owner="Ada",
    team="web",
    criticality=Criticality.HIGH,
    match=(matchers.parse_all('{name="web"}'),),
    depends_on=("database",),
    targets={"P1": Target(respond=900.0, resolve=14400.0)},
    objective=Objective(availability=0.999, window=DAY, agreement=Agreement(by="Head of Sales", on="2026-01-01")),
    automation=Mode.APPROVE,
)
DATABASE = Service(name="database", match=(matchers.parse_all('{name="postgres"}'),))


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path / "state", ladders=(), catalogue=Catalogue([SHOP, DATABASE]))
    yield made
    made.database.close()


def shown(bench):
    found = services(bench.policy.catalogue, bench.reader, bench.clock.now())
    return {each["name"]: each for each in found}


def test_every_service_is_there_with_what_was_agreed(bench):
    found = shown(bench)
    assert list(found) == ["database", "shop", "default"]
    shop = found["shop"]
    assert (shop["owner"], shop["team"], shop["criticality"], shop["automation"]) == ("Ada", "web", "high", "approve")
    assert (shop["depends_on"], found["database"]["needed_by"]) == (["database"], ["shop"])
    assert shop["targets"] == {"P1": {"respond": 900.0, "resolve": 14400.0}}
    assert shop["objective"]["agreement"] == {"by": "Head of Sales", "on": "2026-01-01", "review_by": ""}
    assert (shop["down"], shop["incidents"], shop["objective"]["budget_used"]) == (False, [], 0.0)


def test_it_says_what_is_down_and_how_much_of_the_budget_that_has_used(bench):
    bench.pass_time(DAY)
    bench.processes({"web": 0, "worker": 0})
    bench.pass_time(86.4)
    found = shown(bench)
    (incident,) = found["shop"]["incidents"]
    assert (incident["priority"], incident["alertname"], incident["state"]) == ("P1", "ProcessDown", "escalated")
    assert found["shop"]["down"]
    assert found["shop"]["objective"]["budget_used"] == pytest.approx(1.0)
    assert found["shop"]["objective"]["availability"] == pytest.approx(0.999)
    assert [len(found[name]["incidents"]) for name in ("default", "database")] == [1, 0]
    bench.processes({"web": 1, "worker": 1})
    bench.pass_time(LATER)
    found = shown(bench)
    assert (found["shop"]["down"], found["shop"]["incidents"]) == (False, [])
    assert found["shop"]["objective"]["budget_used"] == pytest.approx(1.0)


def test_a_drill_and_what_is_only_slow_bring_nothing_down(tmp_path):
    for more in ('severity: critical, drill: "true"', "severity: warning"):
        rules = RULES.replace("severity: critical", more)
        bench = Bench(tmp_path / more[:17], rules=rules, ladders=(), catalogue=Catalogue([SHOP, DATABASE]))
        bench.process(up=0)
        assert len(bench.incidents()) == 1
        assert not shown(bench)["shop"]["down"]
        bench.database.close()
