"""What guards may read about an incident, put together from the counters, the casebook and the host."""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.engine.casebook import Casebook
from agent.engine.ledger import Ledger
from agent.incidents.incident import Incident
from agent.incidents.policy import Ladder, Policy
from agent.incidents.situation import Situation, Step
from remediations import guards
from remediations.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One step as the planner sees it: a plan, or the reason why there is none."""

    action: str
    timeout: float
    plan: Plan | None = None
    error: str = ""


Planner = Callable[[Ladder, Incident], tuple[Planned, ...]]


class Situations:
    """Builds a `Situation`. `degraded` is why nothing can be made durable now; empty: it can."""

    def __init__(
        self, *, casebook: Casebook, ledger: Ledger, planner: Planner, policy: Policy, stop_file: Path
    ) -> None:
        self._casebook = casebook
        self._ledger = ledger
        self.planner = planner
        self.policy = policy
        self.stop_file = stop_file
        self.phase = guards.HostPhase.RUNNING
        self.settled_at = 0.0
        self.stopped_by: dict[str, str] = {}
        """Why the global stop is on, by whose switch it is."""
        self.maintenance = ""
        """Why there is maintenance, until `maintenance_until`."""
        self.maintenance_until = 0.0
        self.settle_seconds = 0.0
        """How long to settle after maintenance."""
        self.degraded = ""
        self.warming: Callable[[], Mapping[str, bool]] = dict
        """Tells which rules, by identity, lack history still."""

    def stopped(self) -> str:
        """Return why the global stop is on; empty: it is off."""
        if self.degraded:
            return self.degraded
        if self.stopped_by:
            return "; ".join(self.stopped_by.values())
        return f"{self.stop_file} exists" if os.path.exists(self.stop_file) else ""  # noqa: PTH110 - asked for every decision

    def maintained(self, now: float) -> str:
        """Return why there is maintenance; empty: there is none."""
        return f"maintenance: {self.maintenance}" if self.maintenance and now < self.maintenance_until else ""

    def _settled_at(self, now: float) -> float:
        """Return when settling ends: after boot, start, and maintenance."""
        over = self.maintenance_until <= now
        return max(self.settled_at, self.maintenance_until + self.settle_seconds) if over else self.settled_at

    def _quiet_until(self, now: float) -> float:
        """Return before when no ticket is opened."""
        return max(self._settled_at(now), self.maintenance_until if self.maintained(now) else 0.0)

    def of(self, incident: Incident, now: float) -> Situation:
        """Return what a decision about this incident may read now."""
        ladder = self.policy.ladder_for(incident.labels)
        steps = self._steps(ladder, incident, now) if ladder is not None else ()
        return Situation(
            run_id=secrets.token_hex(16),
            remediation=ladder.name if ladder is not None else "",
            steps=steps,
            ticket_hold_until=0.0 if incident.drill else self._quiet_until(now),
            warming=self.warming().get(incident.rule, False),
        )

    def _steps(self, ladder: Ladder, incident: Incident, now: float) -> tuple[Step, ...]:
        return tuple(
            Step(
                action=planned.action,
                plan=planned.plan,
                timeout=planned.timeout,
                guards=self._guards(ladder, incident, planned, now, continuing=index > 0),
            )
            for index, planned in enumerate(self.planner(ladder, incident))
        )

    def _guards(
        self, ladder: Ladder, incident: Incident, planned: Planned, now: float, *, continuing: bool
    ) -> guards.Situation:
        resource = planned.plan.resource if planned.plan is not None else ""
        owner = (ladder.name, resource)
        origin_fine = str(incident.origin) in ladder.origins
        return guards.Situation(
            stopped=self.stopped(),
            phase=self.phase,
            settled_at=0.0 if incident.drill else self._settled_at(now),
            target_error=planned.error,
            origin_error="" if origin_fine else f"alerts of origin {incident.origin} may not start it",
            muted=incident.suppressed or self.maintained(now),
            muted_until=self.maintenance_until if self.maintained(now) else None,
            acknowledged_by=incident.acknowledged_by,
            acknowledged_until=incident.acknowledged_until,
            mode=ladder.mode,
            new_incidents=tuple(at for at, _ in self._casebook.opened_at),
            passes=self._ledger.passes(owner, now, ladder.limits.healthy_reset),
            continuing=continuing,
            runs=self._ledger.runs(owner),
            host_runs=tuple(self._ledger.host_runs),
            last_run_at=self._ledger.last_run_at(owner),
            resource_busy=resource in self._ledger.running.values(),
            running=len(self._ledger.running),
            cooldown_lifted=incident.retry,
        )
