"""Overrides through the engine: who set them, for how long, and what is left of them afterwards."""

import pytest

from agent.app.attaching import overrides
from agent.engine.commands import CommandError
from agent.engine.housekeeping import ALIVE_SECONDS
from agent.engine.improvements import EndOverride, SetOverride
from agent.itsm.catalogue import Catalogue, Service
from agent.itsm.overrides import points
from rules import matchers
from tests.agent.engine.conftest import RULES, Bench

CATALOGUE = Catalogue([Service(name="shop", match=(matchers.parse_all('{name="web"}'),))])


class Host:
    def __init__(self, directory):
        self.bench = Bench(directory, catalogue=CATALOGUE, rules=RULES.replace("== 0", "< 0.5"))
        self.attach()

    def attach(self):
        parts = self.bench.parts
        overrides(parts)
        parts.orders.improve = parts.overrides.carry_out

    def order(self, command):
        return self.bench.order(command)

    def set(self, limit, service="shop", seconds=3600.0, rule="ProcessDown", instead_of=None):
        return self.order(
            SetOverride(
                actor="ann",
                rule=rule,
                service=service,
                limit=limit,
                instead_of=instead_of,
                seconds=seconds,
                reason="sale",
            )
        )

    def alerts(self):
        return sorted(dict(alert.labels)["name"] for alert in self.bench.parts.ruleset.active())

    def audit(self):
        query = "SELECT event, actor FROM audit WHERE event LIKE 'override%' ORDER BY id"
        return self.bench.database.connection.execute(query).fetchall()


@pytest.fixture
def host(tmp_path):
    made = Host(tmp_path / "state")
    yield made
    made.bench.database.close()


def test_an_override_is_about_its_service_only_and_says_what_is_asked_now(host):
    made = host.set(-1.0)
    assert made["expression"] == "paramedic_process_up < -1"
    assert (made["instead_of"], made["by"], made["ends_at"] - made["created_at"]) == (0.5, "ann", 3600.0)
    host.bench.processes({"web": 0, "worker": 0})
    assert host.alerts() == ["worker"]


def test_an_override_expires_by_itself_and_its_whole_life_is_in_the_audit(host):
    host.set(-1.0)
    host.bench.processes({"web": 0})
    assert host.alerts() == []
    host.bench.pass_time(3601.0)
    host.bench.processes({"web": 0})
    assert host.alerts() == ["web"]
    host.bench.pass_time(ALIVE_SECONDS)
    assert host.bench.parts.overrides.held() == ()
    assert host.audit() == [("override_set", "ann"), ("override_expired", "")]


def test_an_override_survives_a_restart_and_is_in_the_review_until_it_is_ended(host):
    made = host.set(-1.0)
    host.bench.restart(10.0)
    host.attach()
    host.bench.processes({"web": 0})
    assert host.alerts() == []
    (point,) = points(host.bench.parts.overrides.held())
    assert "ProcessDown for service shop: -1 instead of 0.5" in point.says
    assert "ann" in point.says
    host.order(EndOverride(actor="bob", override_id=made["id"]))
    host.bench.processes({"web": 0})
    assert host.alerts() == ["web"]
    assert list(points(host.bench.parts.overrides.held())) == []
    with pytest.raises(CommandError, match="no override"):
        host.order(EndOverride(actor="bob", override_id=made["id"]))
    assert host.audit() == [("override_set", "ann"), ("override_ended", "bob")]


def test_an_override_that_expired_while_the_daemon_was_away_does_not_come_back(host):
    host.set(-1.0)
    host.bench.restart(4000.0)
    host.attach()
    host.bench.processes({"web": 0})
    assert host.alerts() == ["web"]
    assert host.bench.parts.overrides.held() == ()
    host.bench.turn()
    assert host.audit() == [("override_set", "ann"), ("override_expired", "")]


def test_another_override_of_the_same_rule_and_service_takes_the_place_of_the_first(host):
    host.set(-1.0)
    second = host.set(2.0)
    assert [each.id for each in host.bench.parts.overrides.held()] == [second["id"]]
    assert host.audit() == [("override_set", "ann"), ("override_replaced", "ann"), ("override_set", "ann")]


def test_a_services_own_override_goes_before_one_for_all(host):
    host.set(2.0, service="")
    host.set(-1.0, service="shop")
    host.bench.processes({"web": 1, "worker": 1})
    assert host.alerts() == ["worker"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rule": "Nothing"}, "there is no rule 'Nothing'"),
        ({"service": "shed"}, "there is no service 'shed'"),
        ({"instead_of": 7.0}, "ProcessDown: its expression compares nothing with 7, but with 0.5"),
    ],
)
def test_what_makes_no_sense_is_refused(host, wrong, message):
    with pytest.raises(CommandError, match=message):
        host.set(0.1, **wrong)
    assert host.audit() == []
