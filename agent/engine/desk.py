"""The incident desk: alerts and events come in, decisions are taken and written down with all they owe."""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.engine import scoring
from agent.engine.batch import Batch
from agent.engine.casebook import Casebook
from agent.engine.changes import ChangeBook, turn
from agent.engine.delivery import Delivery
from agent.engine.ledger import Ledger, owner
from agent.engine.library import Library
from agent.engine.problems import ProblemBook
from agent.engine.situations import Situations
from agent.engine.tally import Tally
from agent.incidents import approval
from agent.incidents.advance import Context
from agent.incidents.decide import decide
from agent.incidents.decision import Decision, Reason
from agent.incidents.declined import is_declined
from agent.incidents.events import (
    AlertChanged,
    AttemptNeverBegan,
    Event,
    MuteChanged,
    PlanWord,
    RuleRemoved,
)
from agent.incidents.identity import incident_key, new_id
from agent.incidents.incident import ACTIVE, Incident, State
from agent.incidents.opening import described, is_storm, opened, preexisting, recovered, storm
from agent.incidents.policy import Policy
from agent.incidents.posted import is_posted
from agent.incidents.replay import Taken
from agent.incidents.retelling import retold
from agent.itsm.problems import DEFAULT_LIMITS, ProblemLimits
from agent.store import writes
from agent.store.documents import OPENED
from agent.telemetry import log, metrics
from remediations.limits import Limits
from rules.alert import Alert, AlertChange, AlertState, Recovery
from rules.matchers import Matcher

_log = log.get("incident")
STORM_ROWS = 100
"""So many members of a storm get an incident of their own; the rest is counted."""


@dataclass(slots=True, kw_only=True)
class DeskRules:
    """What the configuration says about which alerts become which incidents."""

    host: str
    match: Sequence[Matcher]
    ignore_labels: Collection[str]
    limits: Limits
    problems: ProblemLimits = DEFAULT_LIMITS
    approvers: tuple[str, ...] = ()
    """Who may approve changes that are no remediation's."""
    keep_resolved: bool = False
    """Whether somebody must hear of an alert's end even if a crash comes first: it stays on record for a while."""


class Desk:
    """Owns nothing by itself: it joins casebook, ledger, situations and delivery around `decide`."""

    def __init__(
        self, *, casebook: Casebook, ledger: Ledger, situations: Situations, delivery: Delivery, rules: DeskRules
    ) -> None:
        self._casebook = casebook
        self._ledger = ledger
        self._situations = situations
        self._delivery = delivery
        self.changes = ChangeBook()
        self.tally = Tally(ledger, lambda: situations.policy, self.changes)
        self.rules = rules
        self.problems = ProblemBook(lambda: self.rules.problems, lambda now: f"problem-{self._new_id(now)}")
        self.library = Library()
        self.first_start = False
        """True while faults that are there already at the very first start are taken in."""

    @property
    def policy(self) -> Policy:
        return self._situations.policy

    def alert_changed(self, batch: Batch, change: AlertChange) -> None:
        """Write the alert down and tell its incident, opening or closing one as the case may be."""
        batch.judged = True
        alert = change.alert
        self._situations.muting.note([alert], batch.now)
        gone = alert.state is AlertState.RESOLVED and change.before is AlertState.PENDING
        over = alert.state is AlertState.RESOLVED and not self.rules.keep_resolved
        if not is_posted(alert):  # those the intake writes down
            batch.writes.append(writes.drop_alert(alert.fingerprint) if gone or over else writes.put_alert(alert))
        if not gone and alert.state is not AlertState.PENDING:
            batch.alerts.append(alert)
        if alert.state is AlertState.PENDING or gone or not self.wants(dict(alert.labels)):
            return
        if self._casebook.is_folded(alert.fingerprint):
            if alert.state is AlertState.RESOLVED:
                self._calm(batch, self._casebook.unfold(alert.fingerprint))
            return
        key = incident_key(self.rules.host, alert.rule, alert.labels, self.rules.ignore_labels)
        incident = self._casebook.by_key(key)
        if alert.state is AlertState.FIRING:
            self._fired(batch, incident, alert, change, key)
            if not self._casebook.is_folded(alert.fingerprint):
                self._casebook.hold(key, alert)
        elif alert.state is AlertState.NO_DATA and incident is not None:
            self._casebook.hold(key, alert)
            self.happened(batch, incident, AlertChanged(change=change))
        elif alert.state is AlertState.RESOLVED:
            self._ended_alert(batch, incident, change, self._casebook.release(key, alert.fingerprint))

    def _ended_alert(self, batch: Batch, incident: Incident | None, change: AlertChange, left: Alert | None) -> None:
        """Tell the incident; while another alert is `left` it lasts, and is about that one if it was about this."""
        removed = change.alert.recovery is Recovery.RULE_REMOVED
        if incident is None or (left is not None and incident.fingerprint != change.alert.fingerprint):
            return
        if left is None:
            self.happened(batch, incident, RuleRemoved() if removed else AlertChanged(change=change))
        elif left.state is AlertState.FIRING and incident.state in ACTIVE:
            other = AlertChange(alert=left, before=AlertState.FIRING, at=batch.now)
            self.happened(batch, incident, AlertChanged(change=other))

    def hears(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an alert with these labels makes any difference here."""
        return self.wants(labels) or bool(self._situations.muting.sources.rules)

    def wants(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an alert with these labels becomes an incident."""
        return all(matcher.matches(labels) for matcher in self.rules.match)

    def _fired(self, batch: Batch, incident: Incident | None, alert: Alert, change: AlertChange, key: str) -> None:
        if incident is not None and not self.policy.is_outdated(incident, batch.now):
            known = incident if incident.state in ACTIVE else self.problems.marked(incident)
            self.happened(batch, known, AlertChanged(change=change))
            return
        if incident is not None:
            self._put(
                batch, incident, Decision(incident=replace(incident, state=State.CLOSED), reason=Reason.WINDOW_OVER), ""
            )
        fresh = described(
            alert, self.policy, incident_id=self._new_id(batch.now), key=key, host=self.rules.host, now=batch.now
        )
        self._open(batch, replace(fresh, preexisting=self.first_start))

    def _new_id(self, now: float) -> str:
        return new_id(now, secrets.randbits(20))

    def _open(self, batch: Batch, incident: Incident) -> None:
        limits = self.rules.limits
        muted, _ = self._situations.muted(incident, batch.now)
        apart = muted or ("drill" if incident.drill else "")
        kind = ";".join(filter(None, (incident.alertname, incident.origin, apart)))
        alike = self._casebook.note_opening(kind, batch.now, apart=bool(apart), most=limits.storm_incidents)
        if is_storm(alike, batch.now, incidents=limits.storm_incidents, within=limits.storm_within):
            parent = self._storm_of(batch, incident, kind)
            if parent.members > STORM_ROWS and incident.fingerprint:
                self._casebook.fold(incident.fingerprint, parent.id)
                return
            incident = replace(incident, parent=parent.id, suppressed=f"storm {parent.id}")
        incident = self.problems.marked(incident)
        self._opened(batch, incident)

    def _storm_of(self, batch: Batch, incident: Incident, kind: str) -> Incident:
        """Return the storm incident of this kind of incidents, opening it if need be, with one more member."""
        key = f"storm;{self.rules.host};{kind}"
        parent = self._casebook.by_key(key)
        if parent is None or parent.state not in ACTIVE:
            fresh = replace(storm(incident, incident_id=self._new_id(batch.now), key=key), members=1)
            self._opened(batch, fresh)
            return fresh
        grown = replace(parent, members=parent.members + 1)
        self._casebook.put(grown)
        batch.grown.add(grown.id)
        return grown

    def flush(self, batch: Batch) -> None:
        """Write down how many members storms have now."""
        for incident_id in batch.grown:
            incident = self._casebook.get(incident_id)
            if incident is not None:
                batch.writes.append(writes.put_incident(incident))
        batch.grown.clear()

    def take_up(self, alerts: Iterable[Alert]) -> None:
        """After a restart: find what each alert holds open, its own incident or the storm incident that counts it."""
        crowded = {(i.alertname, i.origin): i.id for i in self._casebook.active() if i.members > STORM_ROWS}
        for alert in alerts:
            if alert.state is AlertState.PENDING or not self.wants(dict(alert.labels)):
                continue
            key = incident_key(self.rules.host, alert.rule, alert.labels, self.rules.ignore_labels)
            if self._casebook.by_key(key) is not None:
                self._casebook.hold(key, alert)
            elif (alert.name, alert.origin) in crowded:
                self._casebook.fold(alert.fingerprint, crowded[alert.name, alert.origin])

    def first_start_over(self, batch: Batch, limit: int) -> None:
        """End the settling of the very first start: more than `limit` faults found get one ticket together."""
        self.first_start = False
        found = [i for i in self._casebook.active() if i.preexisting and not (i.tickets or i.drill or i.suppressed)]
        if len(found) <= limit:
            return
        summary = preexisting(found, incident_id=self._new_id(batch.now), key=f"preexisting;{self.rules.host}")
        self._opened(batch, summary)
        for incident in found:
            covered = replace(incident, covered_by=summary.id)
            self._casebook.put(covered)
            batch.writes.append(writes.put_incident(covered))

    def mutes_changed(self, batch: Batch) -> None:
        """Tell every incident whose mute began, ended or is another one now."""
        for incident in self._casebook.active():
            muted, _ = self._situations.muted(incident, batch.now)
            if muted != incident.suppressed and not incident.parent:
                self.happened(batch, incident, MuteChanged())

    def happened(self, batch: Batch, incident: Incident, event: Event) -> Incident:
        """Decide about an event. Return the incident as it is afterwards."""
        told = retold(incident, event, self.policy.catalogue)  # what guards and plans go by is what is so now
        situation = self._situations.of(told, batch.now)
        decision = decide(incident, event, situation, self.policy, batch.now)
        if decision.incident != incident or decision.effects:
            taken = Taken(before=incident, event=event, situation=situation)
            self._put(batch, incident, decision, type(event).__name__, taken)
        return decision.incident

    def take_back(self, batch: Batch, incident_id: str, run_id: str) -> None:
        """Undo an attempt that never began: it does not count, and what to do is decided anew."""
        batch.writes += [writes.drop_run(run_id), *self._ledger.never_ran(run_id)]
        incident = self._casebook.get(incident_id)
        if incident is not None:
            self.happened(batch, incident, AttemptNeverBegan(run_id=run_id))
        self.changes.never_began(batch, run_id)

    def owes(self, system: str, incident: Incident) -> bool:
        """Tell whether a ticket system has yet to be told something about an incident."""
        return self._delivery.outbox.owes(system, f"{incident.id}:{system}")

    def objection(self, incident: Incident, event: PlanWord, now: float) -> str:
        """Return why somebody's word on a plan does not count."""
        return approval.objection(incident, event, self._context(incident, now))

    def _context(self, incident: Incident, now: float) -> Context:
        return Context(situation=self._situations.of(incident, now), policy=self.policy, now=now)

    def _opened(self, batch: Batch, incident: Incident) -> None:
        context = self._context(incident, batch.now)
        taken = Taken(before=incident, event=None, situation=context.situation)
        self._put(batch, None, opened(incident, context), OPENED, taken)

    def _put(
        self, batch: Batch, before: Incident | None, decision: Decision, event: str, taken: Taken | None = None
    ) -> None:
        after = decision.incident
        batch.decided = True
        self._casebook.put(after)
        self._situations.note(after, batch.now)
        batch.writes.append(writes.put_incident(after))
        if decision.reason is not Reason.UNCHANGED:
            batch.writes.append(writes.audit(batch.now, event, decision, taken))
            self._tell(before, decision)
        if decision.reason in (Reason.ATTEMPT_STARTED, Reason.COMPENSATION_STARTED):
            self.tally.started(batch, after)
        self.tally.judged(batch, before, after)
        self.tally.weighed(batch, before, decision)
        self.tally.promised(batch, decision, event)
        self.problems.happened(batch, before, after)
        if self.changes.concern(after):
            self.changes.followed(batch, turn(before, after, taken, batch.now))
        for effect in decision.effects:
            self._delivery.owe(batch, effect, after)
        ended = before is not None and before.state in ACTIVE and after.state not in ACTIVE
        if ended:
            self._ended(batch, after)
        if after.state is State.CLOSED and before is not None and before.state is not State.CLOSED:
            scoring.ended(after, self.policy.worth)

    def _ended(self, batch: Batch, after: Incident) -> None:
        """The healthy time of what was repaired begins; a storm or summary ends with its last member."""
        for each in {owner(a.remediation, a.resource, drill=after.drill) for a in after.attempts}:
            batch.writes += self._ledger.unhealthy(each, batch.now)
        self.library.ended(batch, after)
        for head in (after.parent, after.covered_by):
            self._calm(batch, head)

    def _calm(self, batch: Batch, head: str) -> None:
        parent = self._casebook.get(head) if head else None
        lasts = parent is not None and (parent.state in ACTIVE or is_declined(parent))
        if parent is not None and lasts and self._casebook.is_over(head):
            self.happened(batch, parent, AlertChanged(change=recovered(parent, batch.now)))

    def _tell(self, before: Incident | None, decision: Decision) -> None:
        incident = decision.incident
        if not incident.drill:
            self._count(before, decision)
        _log.info(
            str(decision.reason),
            incident=incident.id,
            alertname=incident.alertname,
            state=str(incident.state),
            priority=incident.priority,
            **({"guard": str(decision.guard)} if decision.guard else {}),
            **({"detail": decision.detail} if decision.detail else {}),
            **({"actor": decision.actor} if decision.actor else {}),
        )

    def _count(self, before: Incident | None, decision: Decision) -> None:
        incident = decision.incident
        metrics.DECISIONS.labels(decision.reason).inc()
        ladder = self.policy.ladder_for(incident.labels)
        name = ladder.name if ladder is not None else "none"
        for level in decision.reached:
            metrics.PAGES.labels(incident.page.chain if incident.page else "", str(level + 1)).inc()
        if before is None:
            metrics.INCIDENTS_OPENED.labels(incident.priority).inc()
        if decision.guard is not None and decision.reason is not Reason.WOULD_RUN:
            metrics.REFUSALS.labels(name, decision.guard).inc()
            self.tally.refused[name][decision.guard] += 1
        if decision.reason is Reason.WOULD_RUN:
            metrics.WOULD_RUN.labels(name).inc()
        if incident.resolution is not None and (before is None or before.resolution is None):
            metrics.INCIDENTS_RESOLVED.labels(incident.resolution).inc()
