"""Rules that are new here: what they would have done is recorded, and nothing is done."""

from agent.engine.newcomers import Newcomers
from tests.agent.engine.conftest import RULES

DAY = 86400.0
DISK = """
  - alert: DiskDown
    expr: paramedic_process_up{name="disk"} == 0
    labels: {severity: critical}
"""


def observing(bench, days=3.0):
    bench.parts.situations.newcomers.seconds = days * DAY


def fault(bench):
    """Let the fault come, and return what is started because of it."""
    bench.process(up=0)
    return bench.take("runner")


def over(bench):
    bench.clock.advance(1)
    bench.process(up=1)
    bench.pass_time(7200.0)


def test_a_rule_that_is_new_only_observes_and_after_so_many_days_it_acts(bench):
    observing(bench)
    assert fault(bench) == []
    assert bench.incident()["would_run"] == ["/bin/true"]
    over(bench)
    bench.pass_time(3 * DAY)
    assert len(fault(bench)) == 1


def test_its_days_go_on_over_a_restart(bench):
    bench.restart(seconds=2 * DAY)
    observing(bench)
    assert fault(bench) == []
    over(bench)
    bench.restart(seconds=DAY)
    observing(bench)
    assert len(fault(bench)) == 1


def test_what_was_there_before_this_was_known_is_not_new(bench):
    with bench.database.connection as connection:
        connection.execute("DELETE FROM meta WHERE key = 'rules_seen'")
    bench.restart()
    observing(bench)
    assert len(fault(bench)) == 1


def test_without_the_option_nothing_is_new(bench):
    assert len(fault(bench)) == 1


def test_only_the_rule_that_came_last_is_new(bench):
    bench.rules = RULES + DISK
    bench.restart(seconds=10 * DAY)
    observing(bench)
    found = bench.parts.situations.newcomers.all(bench.clock.now())
    assert [rule.split(";")[2] for rule in found] == ["DiskDown"]


def test_a_rule_that_was_gone_is_new_again():
    newcomers = Newcomers()
    newcomers.seconds = 10.0
    assert newcomers.take(["a", "b"], 100.0)
    assert not newcomers.take(["a", "b"], 105.0), "nothing has changed, so nothing is written"
    newcomers.take(["b"], 120.0)
    newcomers.take(["a", "b"], 130.0)
    assert newcomers.all(131.0) == {"a": 140.0}
