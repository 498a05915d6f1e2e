"""What there is to drill: what breaks, which rule notices it, and how long each phase may take. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from agent.config.values import RESERVED
from collectors.sample import Metric, gauge

SERVICE = RESERVED
"""What the scratch service is called in `paramedic_process_up`; every remediation of a drill begins with it."""
TICKETS = RESERVED
"""The scratch ticket system, as the outbox knows it."""
TICKETS_ALERT = "DrillTicketSystemDown"

DISK = gauge("paramedic_drill_disk_used_ratio", "How full the scratch folder of a drill is.")
MEMORY = gauge("paramedic_drill_memory_used_ratio", "How much of its share the scratch service of a drill uses.")
TICKETS_DOWN = gauge("paramedic_drill_tickets_down", "1 in a drill in which the ticket system is down.")
HELD = gauge("paramedic_drill_held", "1 while a drill waits for somebody to acknowledge its incident.")
METRICS: tuple[Metric, ...] = (DISK, MEMORY, TICKETS_DOWN, HELD)

_GONE = f'paramedic_process_up{{name="{SERVICE}"}} == 0'


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A step on the way back to health, and how many seconds it may take from the phase named by `since`."""

    name: str
    target: float
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One kind of fault. `faults` is how often it strikes, each time after the one before is over."""

    name: str
    alert: str
    expr: str
    says: str
    article: str
    phases: tuple[Phase, ...]
    faults: int = 1


FAULT = "fault"
ACKNOWLEDGED = "acknowledged"
BACK = "ticket system back"
_PHASES = (
    Phase(name="detected", target=5.0, since=FAULT),
    Phase(name="opened", target=5.0, since="detected"),
    Phase(name="action started", target=5.0, since="opened"),
    Phase(name="mended", target=15.0, since="action started"),
    Phase(name="verified", target=15.0, since="mended"),
    Phase(name="ticket opened", target=5.0, since="opened"),
    Phase(name="ticket closed", target=5.0, since="verified"),
)
_DELIVERED = (
    *_PHASES[:5],
    Phase(name=BACK, target=30.0, since="verified"),
    Phase(name="ticket opened", target=15.0, since=BACK),
    Phase(name="ticket closed", target=15.0, since=BACK),
)

SCENARIOS: Mapping[str, Scenario] = {
    each.name: each
    for each in (
        Scenario(
            name="service-down",
            alert="DrillServiceDown",
            expr=f"{_GONE} unless on() {TICKETS_DOWN.name} == 1",
            says="the scratch service is down",
            article="process-down",
            phases=_PHASES,
        ),
        Scenario(
            name="disk-filling",
            alert="DrillDiskFilling",
            expr=f"{DISK.name} > 0.9",
            says="the scratch folder is nearly full",
            article="disk-space-low",
            phases=_PHASES,
        ),
        Scenario(
            name="memory-pressure",
            alert="DrillMemoryPressure",
            expr=f"{MEMORY.name} > 0.8",
            says="the scratch service uses up its memory",
            article="host-memory-low",
            phases=_PHASES,
        ),
        Scenario(
            name="ticket-system-down",
            alert=TICKETS_ALERT,
            expr=f"{_GONE} and on() {TICKETS_DOWN.name} == 1",
            says="the scratch service is down, and so is the ticket system",
            article="process-down",
            phases=_DELIVERED,
            faults=2,
        ),
    )
}


def with_people(scenario: Scenario, seconds: float) -> Scenario:
    """Return the scenario in which nothing is done before somebody has acknowledged, within so many seconds."""
    taken = Phase(name=ACKNOWLEDGED, target=seconds, since="opened")
    acted = replace(scenario.phases[2], since=ACKNOWLEDGED)
    return replace(scenario, phases=(*scenario.phases[:2], taken, acted, *scenario.phases[3:]))


def rules() -> str:
    """Return the rules that notice the faults, as a rule file: JSON is YAML."""
    listed = [
        {
            "alert": each.alert,
            "expr": each.expr,
            "labels": {"severity": "critical", "drill": "true"},
            "annotations": {"summary": f"Drill: {each.says}", "article": each.article},
        }
        for each in SCENARIOS.values()
    ]
    return json.dumps({"groups": [{"name": "drill", "rules": listed}]})
