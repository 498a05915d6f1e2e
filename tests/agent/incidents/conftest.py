"""Builders for incidents and the situations they are decided in."""

from dataclasses import replace

import pytest

from agent.incidents.advance import Context
from agent.incidents.events import AlertChanged
from agent.incidents.opening import described, opened
from agent.incidents.policy import Ladder, Policy, TicketPolicy, Verify
from agent.incidents.situation import Situation, Step
from collectors.sample import labels
from remediations import limits as limiting
from remediations import situation as guards
from remediations.plan import Plan
from rules.alert import Alert, AlertChange, AlertState, Recovery

NOW = 1_800_000_000.0


class World:
    """An incident desk without a desk: alerts, a ladder of two steps, and situations that tests bend."""

    now = NOW
    ladder = Ladder(
        name="restart-web",
        matchers=(),
        mode=guards.Mode.AUTO,
        steps=("restart_unit", "run_script"),
        origins=frozenset({"local"}),
        verify=Verify(hold=30.0, timeout=120.0),
        limits=limiting.Limits(),
    )

    def __init__(self):
        self.policy = Policy(ladders=(self.ladder,), publish=("mqtt",))
        self.guards = guards.Situation(mode=guards.Mode.AUTO)
        self.runs = 0

    def alert(self, state=AlertState.FIRING, **changes):
        base = Alert(
            fingerprint="f1",
            rule="host;systemd;UnitFailed",
            rule_version="v1",
            labels=labels(alertname="UnitFailed", name="web.service", severity="critical"),
            annotations=(),
            state=state,
            value=1.0,
            active_at=NOW - 5,
        )
        return replace(base, **changes)

    def event(self, state=AlertState.FIRING, **changes):
        change = AlertChange(alert=self.alert(state, **changes), before=AlertState.FIRING, at=self.now)
        return AlertChanged(change=change)

    def recovered(self, recovery=Recovery.HEALTHY):
        return self.event(AlertState.RESOLVED, recovery=recovery, resolved_at=self.now)

    def situation(self, **changes):
        self.runs += 1
        steps = tuple(
            Step(
                action=action,
                plan=Plan(argv=("/bin/true", str(index)), resource="unit:web.service"),
                timeout=30.0,
                guards=replace(self.guards, continuing=index > 0),
            )
            for index, action in enumerate(self.ladder.steps)
        )
        base = Situation(run_id=f"run{self.runs}", remediation="restart-web", steps=steps)
        return replace(base, **changes)

    def context(self, **changes):
        return Context(situation=self.situation(**changes), policy=self.policy, now=self.now)

    def opened(self, **changes):
        incident = described(self.alert(), self.policy, incident_id="i1", key="k1", host="h1", now=self.now)
        return opened(incident, self.context(**changes))

    def tickets(self, policy):
        self.policy = replace(self.policy, tickets=(TicketPolicy(name="rt", open=policy),))


@pytest.fixture
def world():
    return World()


@pytest.fixture
def undo(world):
    plan = Plan(argv=("/bin/true", "undo"), resource="unit:web.service")
    return Step(action="restart_unit", plan=plan, timeout=30.0, guards=replace(world.guards, continuing=True))
