"""Taking leave: tickets are commented, alerts ended, and nothing is begun or told afterwards."""

from agent.app.farewell import Leaving
from agent.engine.commands import Farewell
from rules.alert import AlertState


def leave(bench):
    return bench.order(Farewell(actor="root"))


def test_open_tickets_are_commented_and_stay_open(bench):
    Leaving(bench.parts, None).attach()
    bench.process(up=0)
    (opened,) = bench.take("rt")
    bench.settle(opened, id="1", url="", state="open")
    assert leave(bench) == {"tickets": 1, "alerts": 1, "topics": 0}
    (comment,) = bench.take("rt")
    assert (comment.payload["op"], comment.payload["reason"]) == ("update", "farewell")
    assert len(bench.parts.delivery.outbox) >= 1


def test_firing_alerts_are_told_as_over_and_nothing_is_told_afterwards(bench):
    Leaving(bench.parts, None).attach()
    bench.process(up=0)
    leave(bench)
    assert bench.told[-1].state is AlertState.RESOLVED
    told = len(bench.told)
    bench.process(up=1)
    bench.pass_time(60)
    bench.process(up=0)
    assert len(bench.told) == told


def test_nothing_is_begun_afterwards(bench):
    Leaving(bench.parts, None).attach()
    leave(bench)
    bench.process(up=0)
    assert bench.take("runner") == []
    assert "being removed" in bench.incident()["refusals"][0]
