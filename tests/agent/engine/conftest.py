"""An engine with everything real but time, processes and the network."""

import os
from dataclasses import replace

import pytest

from agent.engine import recovery
from agent.engine.casebook import Casebook
from agent.engine.delivery import Delivery
from agent.engine.desk import Desk, DeskRules
from agent.engine.engine import Engine
from agent.engine.intake import Intake
from agent.engine.ledger import Ledger
from agent.engine.orders import Keep, Orders
from agent.engine.parts import Outside, Parts
from agent.engine.situations import Planned, Situations
from agent.incidents.events import EffectSettled
from agent.incidents.policy import Ladder, Policy, TicketPolicy, Verify
from agent.store.database import Database
from agent.store.reader import Reader
from collectors.sample import Failure, Reading, Sample, Source, labels
from remediations.limits import Limits
from remediations.mode import Mode
from remediations.plan import Plan
from rules import matchers, rulefile
from rules.ruleset import Ruleset
from rules.series import SeriesStore

NOW = 1_800_000_000.0
LATER = 2 * 3600.0
"""So much later a recurrence is another incident."""
RULES = """
groups:
- name: process
  interval: 15s
  rules:
  - alert: ProcessDown
    expr: paramedic_process_up == 0
    labels: {severity: critical}
    annotations: {summary: "{{ $labels.name }} is down"}
"""


class FakeClock:
    boot_id = "boot-1"

    def __init__(self):
        self.offset = NOW
        self.elapsed = 0.0
        self.stepped = 0.0

    def now(self):
        return self.offset + self.elapsed

    def boottime(self):
        return self.elapsed

    def drift(self):
        return self.stepped

    def follow(self):
        self.offset += self.stepped
        self.stepped = 0.0

    def advance(self, seconds):
        self.elapsed += seconds


class Bench:
    """One engine life on one state directory; `restart` begins the next."""

    def __init__(self, directory, rules=RULES, settling=0.0, **policy):
        self.settling = settling
        self.directory = directory
        self.rules = rules
        self.clock = FakeClock()
        self.handed = []
        self.told = []
        self.planned = Planned(
            action="restart_command", timeout=30.0, plan=Plan(argv=("/bin/true",), resource="command:web")
        )
        ladder = Ladder(
            name="restart-web",
            matchers=matchers.parse_all('{alertname="ProcessDown"}'),
            mode=Mode.AUTO,
            steps=("restart_command",),
            origins=frozenset({"local"}),
            verify=Verify(hold=10.0, timeout=60.0),
            limits=Limits(cooldown=0.0),
        )
        self.policy = replace(
            Policy(ladders=(ladder,), tickets=(TicketPolicy(name="rt"),), publish=("mqtt",)), **policy
        )
        self.survivors = []
        self.never_began = set()
        self.live()

    def live(self):
        self.database = Database(self.directory)
        self.parts = recovery.take_up(self.build, self.end_survivors, lambda run: run not in self.never_began)
        self.engine = Engine(self.parts)
        self.reader = Reader(self.database.path)

    def build(self):
        series = SeriesStore(external=labels(job="node", instance="web1"))
        ruleset = Ruleset(rulefile.parse(self.rules, "test.yml").groups, series)
        casebook, ledger = Casebook(), Ledger()
        situations = Situations(
            casebook=casebook,
            ledger=ledger,
            planner=lambda ladder, _incident: (self.planned,) * len(ladder.steps),
            policy=self.policy,
            stop_file=self.directory / "stop",
        )
        situations.boot_id = self.clock.boot_id
        situations.warming = lambda: ruleset.warming
        connection = self.database.connection
        delivery = Delivery(
            owner="me",
            next_row=recovery.next_row(connection, "outbox"),
            presenter=lambda _effect, incident: {"title": incident.alertname, "state": str(incident.state)},
            inline={},
        )
        rules = DeskRules(
            host="h1",
            match=matchers.parse_all('{severity=~"warning|critical"}'),
            ignore_labels={"pid"},
            limits=Limits(),
        )
        desk = Desk(casebook=casebook, ledger=ledger, situations=situations, delivery=delivery, rules=rules)
        intake = Intake(
            next_row=recovery.next_row(connection, "inbox"), next_alert=recovery.next_row(connection, "posted")
        )
        orders = Orders(
            casebook=casebook,
            desk=desk,
            situations=situations,
            intake=intake,
            keep=Keep(incidents=1e9, output=1e9),
        )
        situations.settled_at = self.clock.now() + self.settling
        return Parts(
            database=self.database,
            series=series,
            ruleset=ruleset,
            clock=self.clock,
            casebook=casebook,
            ledger=ledger,
            situations=situations,
            delivery=delivery,
            desk=desk,
            intake=intake,
            orders=orders,
            outside=Outside(hand_over=self.handed.append, told_alerts=self.told.extend),
        )

    def end_survivors(self, run):
        self.survivors.append(run)
        return "nothing was left of it"

    def kill(self):
        """End this life as kill -9 would: nothing more is written."""
        self.database.connection.close()
        os.close(self.database._lock)
        self.handed.clear()

    def restart(self, seconds=1.0, boot_id=None):
        self.kill()
        self.clock.advance(seconds)
        if boot_id is not None:
            self.clock.boot_id = boot_id
        self.live()

    def turn(self):
        self.engine.turn(self.engine.queue.take(0.0, 1000))

    def order(self, command):
        """Return the answer to a command; raise what refuses it."""
        answer = self.engine.queue.order(command)
        self.turn()
        return answer.result(0)

    def process(self, *, up, name="web"):
        sample = Sample("paramedic_process_up", float(up), labels(name=name))
        source = Source("processes", "")
        self.engine.read(Reading(source=source, at=self.clock.now(), samples=[sample], complete=True, pushed=True))
        self.turn()

    def processes(self, ups):
        samples = [Sample("paramedic_process_up", float(up), labels(name=name)) for name, up in ups.items()]
        source = Source("processes", "")
        self.engine.read(Reading(source=source, at=self.clock.now(), samples=samples, complete=True, pushed=True))
        self.turn()

    def failed(self, reason="cannot read it"):
        self.engine.fail(Failure(source=Source("processes", ""), at=self.clock.now(), reason=reason))
        self.turn()

    def pass_time(self, seconds):
        self.clock.advance(seconds)
        self.turn()

    def fault(self, name="web"):
        """Let a fault come and go, long enough ago for the next one to be an incident of its own."""
        self.process(up=0, name=name)
        self.clock.advance(1)
        self.process(up=1, name=name)
        self.pass_time(LATER)

    def mend(self):
        """Let the remediation that was started help."""
        (row,) = self.take("runner")
        self.clock.advance(1)
        self.settle(row, outcome="succeeded")
        for _ in range(2):
            self.process(up=1)
            self.pass_time(15)

    def helped(self):
        """Let the repair that was handed over succeed, and what it repaired be healthy for as long as is asked for."""
        (row,) = self.take("runner")
        self.settle(row, outcome="succeeded")
        self.clock.advance(1)
        self.process(up=1)
        self.pass_time(11)

    def take(self, target):
        """Return the rows handed over to a target, and forget them."""
        rows = [row for row in self.handed if row.target == target]
        self.handed[:] = [row for row in self.handed if row.target != target]
        return rows

    def settle(self, row, **result):
        self.engine.settled(EffectSettled(row=row.id, claim=row.claim, done=True, result=result))
        self.turn()

    def incidents(self):
        return self.reader.incidents((), 1000)

    def incident(self):
        (incident,) = self.incidents()
        return incident


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path / "state")
    yield bench
    bench.database.close()


@pytest.fixture
def make_bench(tmp_path):
    made = []

    def make(**options):
        made.append(Bench(tmp_path / f"state{len(made)}", **options))
        return made[-1]

    yield make
    for bench in made:
        bench.database.close()
