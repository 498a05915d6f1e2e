"""What guards may read about an incident, put together from the counters, the casebook and the host."""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.engine.casebook import Casebook
from agent.engine.ledger import Ledger
from agent.incidents.incident import Incident
from agent.incidents.muting import Muting
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What is the same for all steps of a ladder."""

    muted: str
    muted_until: float | None
    settled_at: float


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
        self.muting = Muting()
        self.settle_seconds = 0.0
        """How long to settle after what muted has ended."""
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

    def muted(self, incident: Incident, now: float) -> tuple[str, float | None]:
        """Return what mutes the incident's alert, empty if nothing does, and when all of it will be over."""
        mutes = self.muting.of(incident.labels, now)
        ends = [mute.until for mute in mutes]
        return "; ".join(mute.says for mute in mutes), max((at for at in ends if at), default=None) if all(
            ends
        ) else None

    def _settled_at(self, incident: Incident, now: float) -> float:
        """Return when settling ends: after boot, start, and what muted the incident's alert."""
        ended = self.muting.ended_at(incident.labels, now, self.settle_seconds)
        return max(self.settled_at, ended + self.settle_seconds if ended else 0.0)

    def of(self, incident: Incident, now: float) -> Situation:
        """Return what a decision about this incident may read now."""
        ladder = self.policy.ladder_for(incident.labels)
        muted, muted_until = self.muted(incident, now)
        shared = _Shared(
            muted=muted,
            muted_until=muted_until,
            settled_at=0.0 if incident.drill else self._settled_at(incident, now),
        )
        steps = self._steps(ladder, incident, now, shared) if ladder is not None else ()
        return Situation(
            run_id=secrets.token_hex(16),
            remediation=ladder.name if ladder is not None else "",
            steps=steps,
            ticket_hold_until=shared.settled_at,
            warming=self.warming().get(incident.rule, False),
            muted=muted,
            muted_until=muted_until,
        )

    def _steps(self, ladder: Ladder, incident: Incident, now: float, shared: _Shared) -> tuple[Step, ...]:
        return tuple(
            Step(
                action=planned.action,
                plan=planned.plan,
                timeout=planned.timeout,
                guards=self._guards(ladder, incident, planned, now, shared, continuing=index > 0),
            )
            for index, planned in enumerate(self.planner(ladder, incident))
        )

    def _guards(
        self, ladder: Ladder, incident: Incident, planned: Planned, now: float, shared: _Shared, *, continuing: bool
    ) -> guards.Situation:
        resource = planned.plan.resource if planned.plan is not None else ""
        owner = (ladder.name, resource)
        origin_fine = str(incident.origin) in ladder.origins
        return guards.Situation(
            stopped=self.stopped(),
            phase=self.phase,
            settled_at=shared.settled_at,
            target_error=planned.error,
            origin_error="" if origin_fine else f"alerts of origin {incident.origin} may not start it",
            muted=shared.muted,
            muted_until=shared.muted_until,
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
