"""Who is told of an incident, and of what: routes and channels through the engine."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agent.incidents.events import EffectSettled
from agent.incidents.routes import Route
from agent.itsm.catalogue import Catalogue, Service, Target
from agent.itsm.rota import Layer, Rota
from agent.itsm.teams import Person, Roster
from rules import matchers
from tests.agent.engine.conftest import NOW, RULES


@pytest.mark.parametrize(
    ("route", "fits"),
    [
        (Route(channels=("mail",)), True),
        (Route(channels=("mail",), services=frozenset({"shop"})), True),
        (Route(channels=("mail",), services=frozenset({"bank"})), False),
        (Route(channels=("mail",), priorities=frozenset({"P1", "P2"})), True),
        (Route(channels=("mail",), priorities=frozenset({"P1"})), False),
        (Route(channels=("mail",), within=False), False),
    ],
)
def test_a_route_is_for_some_services_priorities_and_hours(route, fits):
    assert route.fits("shop", "P2", NOW) is fits


def notices(bench, channel):
    """Return what the channel is owed, delivered."""
    rows = bench.take(channel)
    for row in rows:
        bench.settle(row)
    return [row.payload["reason"] for row in rows]


ALL = Route(channels=("mail",))


def test_people_hear_of_begin_and_end_once_each(make_bench):
    bench = make_bench(ladders=(), routes=(ALL,))
    bench.process(up=0)
    assert notices(bench, "mail") == ["no_remediation"]
    bench.process(up=0)
    bench.pass_time(60)
    assert notices(bench, "mail") == []
    bench.process(up=1)
    bench.pass_time(60)
    assert notices(bench, "mail") == ["resolved_by_itself"]


def test_a_repair_that_works_is_begin_and_end_and_no_more(make_bench):
    bench = make_bench(routes=(ALL,))
    bench.process(up=0)
    bench.mend()
    assert len(notices(bench, "mail") + notices(bench, "mail")) == 2


def test_channels_are_chosen_by_priority_and_each_once(make_bench):
    routes = (
        ALL,
        Route(channels=("mail", "chat"), priorities=frozenset({"P1"})),
        Route(channels=("other",), priorities=frozenset({"P4"})),
    )
    bench = make_bench(ladders=(), routes=routes)
    bench.process(up=0)
    assert len(notices(bench, "mail")) == 1
    assert len(notices(bench, "chat")) == 1
    assert notices(bench, "other") == []
    assert bench.incidents()[0]["notified"] == ["mail", "chat"]


def test_whoever_is_on_call_is_told_on_their_own_channels(make_bench):
    start = datetime.fromtimestamp(NOW - 3600, UTC).replace(tzinfo=None)
    rota = Rota(name="web", team="web", zone=UTC, layers=(Layer(members=("ann", "bob"), start=start, days=1),))
    people = {name: Person(name=name, channels=("mail", name)) for name in ("ann", "bob")}
    roster = Roster(people=people, rotas={"web": rota})
    bench = make_bench(ladders=(), routes=(Route(rotas=("web",)),), roster=roster)
    bench.process(up=0)
    (row,) = bench.take("mail")
    assert row.payload["person"] == "ann"
    bench.settle(row)
    assert len(notices(bench, "ann")) == 1
    assert notices(bench, "bob") == []
    assert bench.incidents()[0]["notified"] == ["ann@mail", "ann@ann"]
    bench.pass_time(86400)
    bench.process(up=1)
    bench.pass_time(60)
    assert len(notices(bench, "ann")) == 1


def test_one_dead_channel_does_not_stop_the_others_and_gets_everything_in_order_later(make_bench):
    bench = make_bench(ladders=(), routes=(Route(channels=("mail", "chat")),))
    bench.process(up=0)
    (dead,) = bench.take("chat")
    bench.engine.settled(EffectSettled(row=dead.id, claim=dead.claim, reason="no connection"))
    bench.turn()
    assert notices(bench, "mail") == ["no_remediation"]
    bench.clock.advance(1)
    bench.process(up=1)
    bench.pass_time(60)
    assert notices(bench, "mail") == ["resolved_by_itself"]
    told = []
    for _ in range(4):
        told += notices(bench, "chat")
        bench.pass_time(60)
    assert told == ["no_remediation", "resolved_by_itself"]


def test_what_was_owed_is_sent_after_a_restart(make_bench):
    bench = make_bench(ladders=(), routes=(ALL,))
    bench.process(up=0)
    bench.take("mail")
    bench.restart()
    bench.turn()
    assert notices(bench, "mail") == ["no_remediation"]
    bench.restart()
    bench.process(up=0)
    assert notices(bench, "mail") == []


def test_nobody_hears_of_a_drill(make_bench):
    drill = """
groups:
- name: process
  rules:
  - alert: ProcessDown
    expr: paramedic_process_up == 0
    labels: {severity: critical, drill: "true"}
"""
    bench = make_bench(ladders=(), rules=drill, routes=(ALL,))
    bench.process(up=0)
    assert notices(bench, "mail") == []


def test_a_channel_added_to_the_routes_hears_of_what_is_going_on(make_bench):
    bench = make_bench(ladders=(), routes=())
    bench.process(up=0)
    assert notices(bench, "mail") == []
    bench.parts.situations.policy = replace(bench.policy, routes=(ALL,))
    bench.clock.advance(1)
    bench.process(up=1)
    bench.pass_time(30)
    bench.process(up=0)
    assert len(notices(bench, "mail")) == 1


def test_nobody_hears_of_anything_before_settling_is_over(make_bench):
    bench = make_bench(ladders=(), routes=(ALL,), settling=300.0)
    bench.process(up=0)
    bench.pass_time(299)
    assert notices(bench, "mail") == []
    bench.pass_time(1)
    assert len(notices(bench, "mail")) == 1


def test_of_a_storm_people_hear_once_and_not_of_its_rows(make_bench):
    bench = make_bench(ladders=(), routes=(ALL,))
    bench.processes({f"p{number}": 0 for number in range(60)})
    rows = []
    while taken := bench.take("mail"):
        rows += taken
        for row in taken:
            bench.settle(row)
    quiet = {each["id"] for each in bench.incidents() if each["parent"]}
    assert quiet
    assert quiet.isdisjoint(row.incident_id for row in rows)


def test_whoever_knows_of_an_incident_hears_that_a_person_is_needed(make_bench):
    bench = make_bench(routes=(ALL,))
    bench.process(up=0)
    assert len(notices(bench, "mail")) == 1
    (row,) = bench.take("runner")
    bench.clock.advance(1)
    bench.settle(row, outcome="failed")
    told = []
    for _ in range(8):
        bench.process(up=0)
        bench.pass_time(15)
        told += notices(bench, "mail")
    assert told == ["exhausted"]


def test_people_hear_that_a_promise_is_at_risk_and_that_it_is_broken(make_bench):
    shop = Service(
        name="shop", match=(matchers.parse_all('{name="web"}'),), targets={"P1": Target(respond=100.0, resolve=None)}
    )
    bench = make_bench(ladders=(), routes=(ALL,), catalogue=Catalogue([shop]))
    bench.process(up=0)
    heard = notices(bench, "mail")
    for _ in range(12):
        bench.pass_time(10.0)
        heard += notices(bench, "mail")
    assert heard == ["no_remediation", "promise_at_risk", "promise_broken"]


def test_people_hear_that_it_has_become_more_urgent_and_not_that_it_is_less_so(make_bench):
    rules = RULES.replace("== 0", "< 1").replace(
        "severity: critical", "severity: '{{ if eq $value 0.0 }}critical{{ else }}warning{{ end }}'"
    )
    bench = make_bench(ladders=(), routes=(ALL,), rules=rules)
    heard = []
    for up in (0.5, 0.0, 0.5):
        bench.process(up=up)
        bench.pass_time(1.0)
        (incident,) = bench.incidents()
        heard.append((incident["priority"], len(notices(bench, "mail"))))
    assert heard == [("P3", 1), ("P1", 1), ("P3", 0)]
