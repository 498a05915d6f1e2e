"""Rotas and digests as configured, through the engine's parts as the daemon builds them."""

from agent.app import attaching, building, planning
from agent.config.load import load
from agent.engine.commands import StandIn
from agent.engine.engine import Engine
from agent.engine.parts import Appointments, Outside
from agent.incidents.events import EffectSettled
from agent.itsm import rota
from agent.store.database import Database
from collectors.sample import Reading, Sample, Source, labels
from tests.agent.engine.conftest import FakeClock

CONFIG = """
[drill]
enabled = false
[incidents]
settle = "0s"
[rules]
packs = []
files = ["rules.yml"]
[[channels]]
name = "chat"
kind = "slack"
url_file = "url"
audience = "business"
[[digests]]
name = "hourly"
channels = ["chat"]
at = ["*:15"]
[[routes]]
channels = ["hourly"]
[[people]]
name = "ann"
channels = ["chat"]
[[people]]
name = "bob"
channels = ["chat"]
[[teams]]
name = "web"
members = ["ann", "bob"]
[[rotas]]
name = "web"
team = "web"
layers = [{ members = ["ann", "bob"], start = "2026-01-01", every = "1d" }]
"""
RULES = """
groups:
- name: test
  interval: 1h
  rules:
  - alert: Down
    expr: test_up == 0
    labels: {severity: critical}
    annotations: {summary: "{{ $labels.name }} is down"}
"""


def built(tmp_path, text):
    (tmp_path / "paramedic.toml").write_text(text)
    (tmp_path / "rules.yml").write_text(RULES)
    handed, clock = [], FakeClock()
    database = Database(tmp_path / "state")
    config = load(tmp_path / "paramedic.toml", {})
    parts = building.parts(config, database, clock, Outside(hand_over=handed.append), owner="me", publish=False)
    return parts, Engine(parts), clock, handed


def test_a_digest_and_a_hand_over_go_out_as_configured(tmp_path):
    parts, engine, clock, handed = built(tmp_path, CONFIG)
    engine.turn(())
    sample = Sample("test_up", 0.0, labels(name="web"))
    engine.read(Reading(source=Source("x", ""), at=clock.now(), samples=[sample], complete=True, pushed=True))
    engine.turn(engine.queue.take(0.0, 10))
    assert handed == []
    clock.advance(900)
    engine.turn(())
    (row,) = handed
    assert (row.target, row.payload["notice"]["audience"]) == ("chat", "business")
    assert "Down web on" in row.payload["notice"]["text"]
    engine.settled(EffectSettled(row=row.id, claim=row.claim, done=True))
    clock.advance(2700)
    engine.turn(engine.queue.take(0.0, 10))
    notice = handed[1].payload["notice"]
    assert (notice["reason"], notice["person"]) == ("handover", "bob")
    assert "Down web on" in notice["text"]
    parts.database.close()


def test_a_stand_in_outlives_a_reload(tmp_path):
    parts, engine, clock, _ = built(tmp_path, CONFIG)
    order = StandIn(actor="eve", rota="web", person="bob", seconds=600.0, reason="")
    for _ in range(2):
        answer = engine.queue.order(order)
        engine.turn(engine.queue.take(0.0, 10))
        assert answer.result(0)["person"] == "bob"
        config = load(tmp_path / "paramedic.toml", {})
        parts.situations.policy = planning.policy(config, publish=())
        parts.appointments = attaching.appointments(config, parts)
        assert rota.on_call(parts.situations.policy.roster.rotas["web"], clock.now()) == "bob"
    parts.database.close()


def test_without_rotas_and_digests_nothing_is_looked_at(tmp_path):
    parts, engine, _, _ = built(tmp_path, CONFIG.partition("[[digests]]")[0])
    assert type(parts.appointments) is Appointments
    assert parts.appointments.next_at() is None
    engine.turn(())
    parts.database.close()
