"""What follows from a look at capacity, inside the engine: roll-ups kept, dated changes asked for, tickets told."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from agent.config.capacity_options import CapacityOptions
from agent.engine.batch import Batch
from agent.engine.commands import KeepSurvey
from agent.engine.parts import Parts
from agent.incidents.effects import Effect, Kind, TicketOp
from agent.itsm import capacity_plan
from agent.itsm.capacity import DAY, SAYS, Forecast
from agent.itsm.capacity_plan import Outlook, Plan, Step, Subject
from agent.itsm.capacity_words import amount, day, figures
from agent.itsm.catalogue import Service
from agent.itsm.changes import OPEN, Change, ChangeKind, ChangeState, Proposal
from agent.store import rollups, writes
from agent.telemetry import log
from agent.tickets.contract import Draft, Update
from agent.tickets.plaintext import one_line, redacted

_log = log.get("capacity")
_REQUESTER = "capacity"
_TITLE_LENGTH = 180
_FAREWELL = "paramedic is being removed from this host: nothing watches this any more."
_LEAST_DAYS = 2.0
"""A change is never due sooner than in so many days, or it would expire before anybody could begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One outlook whose consequences are drawn."""

    outlook: Outlook
    service: Service
    batch: Batch

    @property
    def found(self) -> Forecast:
        return self.outlook.forecast


class CapacityDesk:
    """Belongs to the engine's thread. What was asked for stands in the database, beside the outlook.

    `watched` are the names of the resources that there are now.
    """

    def __init__(self, options: CapacityOptions, watched: Collection[str], parts: Parts, host_name: str) -> None:
        self._options = options
        self._watched = watched
        self._parts = parts
        self._host_name = host_name

    def keep(self, batch: Batch, command: KeepSurvey) -> Mapping[str, Any]:
        """Write a survey down and draw the consequences. Return how many changes were asked for, moved, withdrawn."""
        survey = command.survey
        batch.writes += [rollups.put_outlook(each) for each in survey.outlooks]
        batch.writes += [rollups.put_hour(subject, hour) for subject, hour in survey.hours.items()]
        planned = list(rollups.plans(self._parts.database.connection))
        plans = {each.subject: plan for each, plan in planned}
        taken = [self._follow(batch, each, plans.get(each.subject)) for each in survey.outlooks]
        for outlook, plan in planned:
            if outlook.subject.resource not in self._watched and not self._is_taken_on(outlook.subject):
                self._give_up(self._case(batch, outlook), plan, "it is not watched any more")
                taken.append(Step.WITHDRAW)
        return {str(step): taken.count(step) for step in (Step.ASK, Step.MOVE, Step.WITHDRAW)}

    def leave(self, batch: Batch) -> int:
        """Owe a comment to every ticket, because nobody looks any more; it stays open. Return how many there are."""
        told = 0
        for outlook, plan in rollups.plans(self._parts.database.connection):
            for system in plan.tickets:
                self._tell(self._case(batch, outlook), plan.change, system, TicketOp.UPDATE, _FAREWELL)
            told += len(plan.tickets)
        return told

    def _case(self, batch: Batch, outlook: Outlook) -> _Case:
        labels = (*outlook.subject.labels, ("resource", outlook.subject.resource))
        return _Case(outlook=outlook, service=self._parts.situations.policy.catalogue.of(labels), batch=batch)

    def _follow(self, batch: Batch, outlook: Outlook, plan: Plan | None) -> Step:
        case = self._case(batch, outlook)
        change = self._parts.desk.changes.about(outlook.subject.key)
        if plan is not None and (change is None or change.state not in OPEN):
            result = change.result if change is not None else ""
            self._end(case, plan, f"The change is closed. {result}".rstrip())
            return Step.NOTHING
        step = capacity_plan.step(plan, outlook, self._options.threshold, batch.now)
        if step is Step.WITHDRAW and self._is_taken_on(outlook.subject):
            return Step.NOTHING
        if step is Step.WITHDRAW and plan is not None:
            self._give_up(case, plan, _why_not(case.found, batch.now))
        elif step in (Step.ASK, Step.MOVE, Step.URGE):
            return step if self._ask(case, plan) else Step.NOTHING
        elif plan is not None and change is not None:
            self._prolong(case, change)
        return step

    def _is_taken_on(self, subject: Subject) -> bool:
        """Tell whether somebody has allowed the change: then it ends with their work."""
        change = self._parts.desk.changes.about(subject.key)
        return change is not None and change.state in OPEN and change.state is not ChangeState.PROPOSED

    def _ask(self, case: _Case, plan: Plan | None) -> bool:
        """Propose the change, or give it another date. Return False if somebody has said no a short while ago."""
        batch, full_at = case.batch, case.found.full_at or case.batch.now
        change = self._parts.desk.changes.propose(batch, self._proposal(case))
        if change.state not in OPEN:
            return False
        systems = self._systems()
        told = plan.tickets if plan is not None else ()
        for system in systems:
            self._tell(case, change.id, system, TicketOp.UPDATE if system in told else TicketOp.OPEN, self._news(case))
        subject = case.outlook.subject
        urgency = capacity_plan.priority(full_at, batch.now)
        asked = Plan(change=change.id, full_at=full_at, tickets=systems, priority=urgency)
        batch.writes.append(rollups.put_plan(subject, asked))
        if plan is not None and day(full_at) != day(plan.full_at):
            detail = f"{change.id}: {subject} is full on {day(full_at)}, no longer on {day(plan.full_at)}"
            batch.writes.append(writes.audit_order(batch.now, "capacity_moved", actor="", detail=detail))
        _log.warning("capacity", subject=str(subject), full=day(full_at), change=change.id, moved=plan is not None)
        return True

    def _prolong(self, case: _Case, change: Change) -> None:
        """Keep a change from expiring as long as it is needed, without a word to anybody."""
        least = case.batch.now + _LEAST_DAYS * DAY
        if change.ends_at is not None and change.ends_at < least - DAY:
            self._parts.desk.changes.keep(case.batch, replace(change, ends_at=least, updated_at=case.batch.now))

    def _give_up(self, case: _Case, plan: Plan, why: str) -> None:
        self._parts.desk.changes.withdraw(case.batch, case.outlook.subject.key, why)
        self._end(case, plan, f"Not needed any more: {why}.")

    def _end(self, case: _Case, plan: Plan, words: str) -> None:
        for system in plan.tickets:
            self._tell(case, plan.change, system, TicketOp.CLOSE, words)
        case.batch.writes.append(rollups.put_plan(case.outlook.subject, None))

    def _systems(self) -> tuple[str, ...]:
        return tuple(each.name for each in self._parts.situations.policy.tickets if each.open != "never")

    def _proposal(self, case: _Case) -> Proposal:
        now, found, subject = case.batch.now, case.found, case.outlook.subject
        full_at = found.full_at or now
        starts_at = capacity_plan.begin(full_at, self._options.lead, case.service.calendar, now)
        return Proposal(
            key=subject.key,
            kind=ChangeKind.CAPACITY,
            subject=str(subject),
            reason=f"{subject} will be full on {day(full_at)}",
            requested_by=_REQUESTER,
            details=tuple(figures(case.outlook)),
            before=amount(found.used, case.outlook.unit),
            fallback="none: it is left as it is",
            starts_at=starts_at,
            ends_at=max(full_at, now + _LEAST_DAYS * DAY),
        )

    def _news(self, case: _Case) -> str:
        return "\n".join((f"It will be full on {day(case.found.full_at or 0.0)}.", *figures(case.outlook)))

    def _tell(self, case: _Case, change: str, system: str, op: TicketOp, words: str) -> None:
        now = case.batch.now
        key = f"{change}:{system}:{op}:{round(now)}"
        urgency = capacity_plan.priority(case.found.full_at, now) if case.found.full_at is not None else ""
        update = Update(key=key, comment=words, priority=urgency)
        payload = {"op": str(op), "draft": asdict(self._draft(case, change, urgency)), "update": asdict(update)}
        lane = f"{change}:{system}"
        effect = Effect(kind=Kind.TICKET, key=key, lane=lane, target=system, incident_id=change, payload=payload)
        self._parts.delivery.owe_as_written(case.batch, effect)

    def _draft(self, case: _Case, change: str, urgency: str) -> Draft:
        proposal, options = self._proposal(case), self._options
        far = capacity_plan.CALM * options.threshold / DAY
        lines = [
            f"{proposal.reason[0].upper()}{proposal.reason[1:]}, on {self._host_name}.",
            "",
            *figures(case.outlook),
            f"To be begun by {day(proposal.starts_at or 0.0)}: {options.lead / DAY:g} days before, in working time.",
            "",
            f"Change: {change} (paramedic change show {change})",
            f"This is brought up to date when the date moves, and closed once it is far enough away ({far:g} days).",
        ]
        title = f"[{urgency or 'P4'}] Capacity: {proposal.subject} on {self._host_name}"
        return Draft(
            correlation=f"{self._parts.desk.rules.host}:{change}",
            title=one_line(redacted(title), _TITLE_LENGTH),
            body="\n".join(one_line(redacted(line), 500) for line in lines),
            priority=urgency or "P4",
            service=case.service.name,
        )


def _why_not(found: Forecast, now: float) -> str:
    if found.full_at is not None:
        return f"it will be full in {(found.full_at - now) / DAY:.0f} days only"
    return SAYS[found.why] if found.why is not None else ""
