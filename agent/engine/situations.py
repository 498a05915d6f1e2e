"""What guards may read about an incident, put together from the counters, the casebook and the host."""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.engine.casebook import Casebook
from agent.engine.ledger import Ledger, owner, subject
from agent.engine.newcomers import Newcomers
from agent.engine.outages import Outages
from agent.incidents import spans
from agent.incidents.incident import DEFAULT_SERVICE, Incident
from agent.incidents.muting import Mute, MuteKind, Muting
from agent.incidents.policy import Ladder, Policy
from agent.incidents.situation import Situation, Step
from remediations import situation as guards
from remediations.mode import Mode, lowest
from remediations.plan import Plan
from remediations.standing import rung


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One step as the planner sees it: a plan, or the reason why there is none."""

    action: str
    timeout: float
    disruptive: bool = True
    """It interrupts a service."""
    restarts_host: bool = False
    """It never runs without approval, and another boot is what shows that it ran."""
    plan: Plan | None = None
    error: str = ""
    precondition: tuple[str, ...] = ()
    diagnostics: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What is the same for all steps of a ladder."""

    muted: str
    muted_until: float | None
    frozen: str
    frozen_until: float | None
    settled_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Who or what is at work on this host by hand (empty: nobody), and when that is over if nothing more is heard."""

    what: str = ""
    until: float | None = None


Planner = Callable[[Ladder, Incident], tuple[Planned, ...]]
"""Plans the steps of a ladder and, behind them, what compensates if there is such a thing."""


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
        self.boot_id = ""
        self.phase = guards.HostPhase.RUNNING
        self.settled_at = 0.0
        self.stopped_by: dict[str, str] = {}
        """Why the global stop is on, by whose switch it is."""
        self.muting = Muting()
        self.outages = Outages()
        self.newcomers = Newcomers()
        self.settle_seconds = 0.0
        """How long to settle after what muted has ended."""
        self.degraded = ""
        self.warming: Callable[[], Mapping[str, bool]] = dict
        """Tells which rules, by identity, lack history still."""
        self.presence: Callable[[float], Presence] = lambda _now: Presence()
        """Looks who is at work on this host. Asked when an action is decided about, never otherwise."""
        self.stopped_on_purpose: Callable[[str, float], bool] = lambda _unit, _now: False
        """Tells whether a person told a unit to stop: what somebody wants to be down is not started."""
        self.unmet: Callable[[str, float], str] = lambda _expression, _now: ""
        """Tells why a pre-flight expression does not hold; empty: it does."""
        self._seen: tuple[float, Presence] = (0.0, Presence())

    def host_is(self, phase: guards.HostPhase, now: float) -> None:
        """Take note of what the host's service manager does; what has started needs its time to settle."""
        before, self.phase = self.phase, phase
        if before is guards.HostPhase.STARTING and phase is guards.HostPhase.RUNNING:
            self.settled_at = max(self.settled_at, now + self.settle_seconds)

    def stopped(self) -> str:
        """Return why the global stop is on; empty: it is off."""
        if self.degraded:
            return self.degraded
        if self.stopped_by:
            return "; ".join(self.stopped_by.values())
        return f"{self.stop_file} exists" if os.path.exists(self.stop_file) else ""  # noqa: PTH110 - asked for every decision

    def muted(self, incident: Incident, now: float, ladder: Ladder | None = None) -> tuple[str, float | None]:
        """Return what mutes the incident's alert, empty if nothing does, and when all of it will be over.

        `ladder` is the one that would act, where that is not the first that matches.
        """
        labels = incident.member_labels or incident.labels
        mutes = [*self.muting.of(labels, now), *self._dependencies(incident)]
        if any(mute.kind is MuteKind.FREEZE for mute in mutes) and _goes_through(
            ladder or self.policy.ladder_for(labels)
        ):
            mutes = [mute for mute in mutes if mute.kind is not MuteKind.FREEZE]
        return _joined(mutes)

    def _frozen(self, incident: Incident, now: float, *, both: bool) -> tuple[str, float | None]:
        """Return which freeze windows are open that forbid to act and do not mute; or both kinds of them."""
        labels = dict(incident.member_labels or incident.labels) if self.muting.freezes else {}
        kinds = (True, False) if both else (True,)
        return _joined([mute for kind in kinds for mute in self.muting.freezing(labels, now, escalating=kind)])

    def _dependencies(self, incident: Incident) -> Iterator[Mute]:
        """Yield the services that are down and without which this one cannot work."""
        for name in sorted(self.policy.catalogue.below(incident.service)):
            if down := self.outages.of(name):
                says = f"dependency {name}, which is down (incident {down})"
                yield Mute(kind=MuteKind.DEPENDENCY, id=down, says=says)

    def note(self, incident: Incident, now: float) -> None:
        """Take an incident as it is from now on: others may depend on its service."""
        if incident.service in self.policy.catalogue.needed:
            self.muting.changed |= self.outages.note(incident, now)

    def _settled_at(self, incident: Incident, now: float, *, freezes: bool) -> float:
        """Return when settling ends: after boot, start, and what muted the incident's alert."""
        labels = incident.member_labels or incident.labels
        ended = max(
            self.muting.ended_at(labels, now, self.settle_seconds, freezes=freezes),
            self.outages.back_at(self.policy.catalogue.below(incident.service)),
        )
        return max(self.settled_at, ended + self.settle_seconds if ended else 0.0)

    def of(self, incident: Incident, now: float, ladder: Ladder | None = None) -> Situation:
        """Return what a decision about this incident may read now; `ladder` is not the one that would take it."""
        ladder = ladder or self.policy.ladder_for(incident.labels)
        muted, muted_until = self.muted(incident, now, ladder)
        emergency = _goes_through(ladder)
        frozen, frozen_until = self._frozen(incident, now, both=emergency)
        shared = _Shared(
            muted=muted,
            muted_until=muted_until,
            frozen="" if emergency else frozen,
            frozen_until=frozen_until,
            settled_at=0.0 if incident.drill else self._settled_at(incident, now, freezes=not emergency),
        )
        steps = self._steps(ladder, incident, now, shared) if ladder is not None else ()
        number = len(ladder.steps) if ladder is not None else 0
        return Situation(
            run_id=secrets.token_hex(16),
            remediation=ladder.name if ladder is not None else "",
            steps=steps[:number],
            compensation=steps[number] if len(steps) > number else None,
            ticket_hold_until=shared.settled_at,
            warming=self.warming().get(incident.rule, False),
            muted=muted,
            muted_until=muted_until,
            emergency=frozen if emergency else "",
        )

    def _steps(self, ladder: Ladder, incident: Incident, now: float, shared: _Shared) -> tuple[Step, ...]:
        """Return the steps of the ladder and, last, what compensates if there is such a thing."""
        return tuple(
            Step(
                action=planned.action,
                plan=planned.plan,
                timeout=planned.timeout,
                guards=self._guards(ladder, incident, planned, now, shared, continuing=index > 0),
                boot_id=self.boot_id if planned.restarts_host else "",
                precondition=planned.precondition,
                diagnostics=planned.diagnostics,
            )
            for index, planned in enumerate(self.planner(ladder, incident))
        )

    def _guards(
        self, ladder: Ladder, incident: Incident, planned: Planned, now: float, shared: _Shared, *, continuing: bool
    ) -> guards.Situation:
        resource = planned.plan.resource if planned.plan is not None else ""
        counted = owner(ladder.name, resource, drill=incident.drill)
        limits = ladder.limits
        origin_fine = str(incident.origin) in ladder.origins
        present = self._present(now) if planned.disruptive and not incident.drill else Presence()
        standing = self._ledger.standing(subject(ladder.name, drill=incident.drill))
        most = self._most(incident, planned, now)
        return guards.Situation(
            stopped=self.stopped(),
            phase=self.phase,
            settled_at=shared.settled_at,
            target_error=planned.error or self._unwanted(resource, now),
            origin_error="" if origin_fine else f"alerts of origin {incident.origin} may not start it",
            muted=shared.muted,
            muted_until=shared.muted_until,
            frozen=shared.frozen,
            frozen_until=shared.frozen_until,
            acknowledged_by=incident.acknowledged_by,
            acknowledged_until=incident.acknowledged_until,
            disruptive=planned.disruptive,
            operator=present.what,
            operator_until=present.until,
            mode=lowest(rung(standing, ladder.rungs), most),
            most=most,
            standing=standing,
            kind=self._kind(planned.action, now),
            new_incidents=self._casebook.opened_since(now - limits.storm_within),
            passes=self._ledger.passes(counted, spans.since(incident, now), limits.healthy_reset),
            continuing=continuing,
            runs=self._ledger.runs(counted, now - limits.per),
            host_runs=self._ledger.host_runs(now - _HOUR),
            last_run_at=self._ledger.last_run_at(counted),
            resource_busy=resource in self._ledger.running.values(),
            running=len(self._ledger.running),
            side_effect_of=self._side_effect(incident, resource),
            unmet=self.unmet(ladder.precondition, now) if ladder.precondition else "",
            cooldown_lifted=incident.retry,
        )

    def _unwanted(self, resource: str, now: float) -> str:
        kind, _, unit = resource.partition(":")
        if kind != "unit" or not self.stopped_on_purpose(unit, now):
            return ""
        return f"{unit} was stopped on purpose"

    def _most(self, incident: Incident, planned: Planned, now: float) -> Mode:
        """Return how far service, action and the age of the rule let a remediation go."""
        if self.newcomers.until(incident.rule, now) is not None and not incident.drill:
            return Mode.OBSERVE
        allowed = self.policy.catalogue.get(incident.service).automation
        return lowest(allowed, Mode.APPROVE) if planned.restarts_host else allowed

    def _kind(self, action: str, now: float) -> guards.ActionKind:
        limits = self.policy.kind(action)
        return guards.ActionKind(
            name=action,
            limits=limits,
            runs=self._ledger.runs_of(action, now - limits.per),
            last_run_at=self._ledger.last_run_of(action),
            standing=self._ledger.standing(("action", action)),
        )

    def _present(self, now: float) -> Presence:
        """Look once for all decisions of an instant."""
        if self._seen[0] != now:
            self._seen = (now, self.presence(now))
        return self._seen[1]

    def _side_effect(self, incident: Incident, resource: str) -> str:
        """Return the work that may have caused this incident: on its resource or service, begun before it did."""
        service = incident.service if incident.service != DEFAULT_SERVICE else ""
        for other in self._casebook.working():
            work = other.work
            if other.id == incident.id or work is None or incident.active_at < work.began_at:
                continue
            if work.resource == resource or (service and other.service == service):
                return f"{work.remediation} on {work.resource}, incident {other.id}"
        return ""


def _goes_through(ladder: Ladder | None) -> bool:
    """Tell whether freeze windows do not hold for a remediation."""
    return ladder is not None and ladder.emergency


def _joined(mutes: Sequence[Mute]) -> tuple[str, float | None]:
    """Return what mutes say together, and when all of them will be over; None: when something happens."""
    ends = [mute.until for mute in mutes if mute.until is not None]
    until = max(ends) if ends and len(ends) == len(mutes) else None
    return "; ".join(mute.says for mute in mutes), until


_HOUR = 3600.0
