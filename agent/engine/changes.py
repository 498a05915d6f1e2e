"""The changes there are, in memory and in the database: written down in the transaction of what they are about."""

import shlex

from agent.engine.batch import Batch
from agent.incidents.events import AttemptSettled
from agent.incidents.incident import Incident
from agent.incidents.replay import Taken
from agent.itsm import action_changes, changes
from agent.itsm.action_changes import A_PERSON, Turn
from agent.itsm.changes import OPEN, Change, ChangeKind, ChangeState, Deed, Proposal
from agent.store import documents, quarantine, writes
from agent.store.database import Database, Write
from agent.telemetry import log, metrics

_log = log.get("change")


class ChangeBook:
    """Everything about changes that are open, wait for review, or were answered a short while ago."""

    def __init__(self) -> None:
        self._by_id: dict[str, Change] = {}
        self._by_key: dict[str, str] = {}
        """The newest change about each thing."""
        self._of_incident: dict[str, set[str]] = {}
        """Open ones."""
        self._by_run: dict[str, str] = {}
        """Those that are being carried out."""

    def load(self, database: Database, now: float) -> None:
        """Take up what was durable."""
        recent = ("WHERE wanted = 1 OR updated_at > ? ORDER BY opened_at, id", (now - changes.REST_SECONDS,))
        quarantine.each(database, "changes", "document", lambda text: self._place(documents.change(text)), where=recent)

    def propose(self, batch: Batch, proposal: Proposal) -> Change:
        """Ask for a change, or bring what was asked for up to date. Return the record.

        One that was rejected or carried out a short while ago stays as it is and is returned: the answer is known.
        """
        known = self.about(proposal.key)
        if known is not None and known.state in OPEN:
            change = changes.proposed_again(known, proposal, batch.now)
        elif known is not None and changes.rests(known, batch.now):
            return known
        else:
            change = changes.proposed(proposal, batch.now)
            self._note(batch, change, "change_proposed", proposal.requested_by, proposal.reason)
        self.keep(batch, change)
        return change

    def concern(self, incident: Incident) -> bool:
        """Tell whether a decision about an incident may mean anything for changes."""
        return bool(incident.attempts or incident.awaiting or self._of_incident.get(incident.id))

    def followed(self, batch: Batch, turn: Turn) -> None:
        """Write down what a decision about an incident means for the changes that automation makes."""
        known = [self._by_id[each] for each in sorted(self._of_incident.get(turn.after.id, ()))]
        for change in list(action_changes.followed(known, turn)):
            self.keep(batch, change)

    def ran(self, batch: Batch, event: AttemptSettled, incident: Incident | None) -> None:
        """Close the change of a run that has ended if its incident has nothing more to say about it."""
        change = self._by_id.get(self._by_run.get(event.run_id, ""))
        if change is not None and not (incident and action_changes.is_worked_on(incident, event.run_id)):
            self.keep(batch, action_changes.ended(change, event.outcome, event.detail, batch.now))

    def never_began(self, batch: Batch, run_id: str) -> None:
        """Close the change of a run that never began, if its incident is over and has not."""
        change = self._by_id.get(self._by_run.get(run_id, ""))
        if change is not None:
            self.keep(batch, action_changes.lost(change, batch.now))

    def deed(self, batch: Batch, deed: Deed) -> None:
        """Write down what has been changed already."""
        change = changes.carried_out(deed, batch.now)
        self._note(batch, change, f"change_{change.state}", deed.requested_by, f"{deed.subject}: {deed.result}")
        self.keep(batch, change)

    def withdraw(self, batch: Batch, key: str, why: str) -> None:
        """Close what was proposed and is not needed any more; without such a proposal, do nothing."""
        known = self.about(key)
        if known is not None and known.state is ChangeState.PROPOSED:
            self.keep(batch, changes.closed(known, ChangeState.EXPIRED, why, batch.now))

    def about(self, key: str) -> Change | None:
        """Return the newest change about something, if it is open or was answered a short while ago."""
        return self._by_id.get(self._by_key.get(key, ""))

    def get(self, change_id: str) -> Change | None:
        """Return a change that somebody has something to do about; None if there is none."""
        change = self._by_id.get(change_id)
        return change if change is not None and _wanted(change) else None

    def open(self) -> list[Change]:
        return [change for change in self._by_id.values() if change.state in OPEN]

    def unreviewed(self) -> int:
        """Return how many changes somebody has yet to look at."""
        return sum(1 for change in self._by_id.values() if change.unreviewed)

    def keep(self, batch: Batch, change: Change) -> None:
        """Write a change down, if anything about it is new."""
        before = self._by_id.get(change.id)
        if before == change:
            return
        self._place(change)
        batch.writes.append(writes.put_change(change))
        if change.state not in OPEN and (before is None or before.state in OPEN):
            if not change.drill:
                metrics.CHANGES.labels(change.type, change.state).inc()
            _log.info("change closed", change=change.id, kind=str(change.kind), state=str(change.state))

    def shift(self, delta: float) -> list[Write]:
        """Move what automation is doing by a step of the wall clock; what people have dated stays at its date."""
        mine = [action_changes.moved(change, delta) for change in self.open() if change.kind is ChangeKind.ACTION]
        for change in mine:
            self._place(change)
        return [writes.put_change(change) for change in mine]

    def prune(self, now: float) -> list[Write]:
        """Close what can no longer be done in time, and let go of what is over. Return what must be written."""
        batch = Batch(now=now)
        for change in [each for each in self.open() if changes.overdue(each, now)]:
            self.keep(batch, changes.closed(change, ChangeState.EXPIRED, "its time is over", now))
        for change in list(self._by_id.values()):
            if not _wanted(change) and (change.incident or now - change.updated_at >= changes.REST_SECONDS):
                del self._by_id[change.id]
                if self._by_key.get(change.key) == change.id:
                    del self._by_key[change.key]
                if not self._of_incident.get(change.incident, True):
                    del self._of_incident[change.incident]
        return batch.writes

    def _place(self, change: Change) -> None:
        newest = self.about(change.key)
        self._by_id[change.id] = change
        if newest is None or newest.opened_at <= change.opened_at:
            self._by_key[change.key] = change.id
        if change.incident and change.state in OPEN:
            self._of_incident.setdefault(change.incident, set()).add(change.id)
        elif change.incident:
            self._of_incident.get(change.incident, set()).discard(change.id)
        if change.run_id and change.state is ChangeState.IN_PROGRESS:
            self._by_run[change.run_id] = change.id
        elif change.run_id:
            self._by_run.pop(change.run_id, None)

    @staticmethod
    def _note(batch: Batch, change: Change, event: str, actor: str, detail: str) -> None:
        batch.writes.append(writes.audit_order(batch.now, event, actor=actor, detail=f"{change.id}: {detail}"))
        _log.info(event.replace("_", " "), change=change.id, kind=str(change.kind), actor=actor)


def _wanted(change: Change) -> bool:
    return change.state in OPEN or change.unreviewed


def turn(before: Incident | None, after: Incident, taken: Taken | None, now: float) -> Turn:
    """Return what a decision about an incident may mean for the changes that automation makes."""
    undo = taken.situation.compensation if taken is not None else None
    argv = undo.plan.argv if undo is not None and undo.plan is not None else ()
    return Turn(
        before=before,
        after=after,
        event=taken.event if taken is not None else None,
        fallback=shlex.join(argv) or A_PERSON,
        remediation=taken.situation.remediation if taken is not None else "",
        now=now,
    )
