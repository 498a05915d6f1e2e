"""The ends of attempts: written down, counted, and told to their incidents."""

from dataclasses import replace

from agent.engine.batch import Batch
from agent.engine.delivery import Answered
from agent.engine.parts import Parts
from agent.incidents.effects import TicketOp
from agent.incidents.events import AttemptSettled, TicketClosed
from agent.incidents.incident import Outcome
from agent.store import writes
from agent.telemetry import metrics


def answered(parts: Parts, batch: Batch, answer: Answered) -> None:
    """Take what an executor said about an attempt."""
    settled, run_id = answer.settled, str(answer.payload["run_id"])
    result = settled.result
    if result.get("never_began"):
        parts.desk.take_back(batch, answer.incident_id, run_id)
        return
    event = AttemptSettled(
        run_id=run_id,
        outcome=Outcome(result.get("outcome", Outcome.FAILED)),
        detail=str(result.get("detail", settled.reason)),
        exit_code=result.get("exit_code"),
        output=str(result.get("output", "")),
        diagnostics=str(result.get("diagnostics", "")),
        unmet=bool(result.get("unmet")),
    )
    told = by_boot(event, str(answer.payload.get("boot_id", "")), parts.clock.boot_id)
    ended(parts, batch, answer.incident_id, told, str(answer.payload["remediation"]))


def doubt(parts: Parts, batch: Batch, lost: float) -> None:
    """Nobody looked for so many seconds: only what is seen from now on counts for what is under verification."""
    for incident in parts.casebook.verifying():
        work = incident.work
        if work is None or work.deadline is None:
            continue
        until = max(work.deadline, batch.now) + lost
        again = replace(work, settled_at=batch.now, healthy_since=None, deadline=until)
        doubted = replace(incident, work=again, wake_at=until)
        parts.casebook.put(doubted)
        batch.writes.append(writes.put_incident(doubted))


def ticket_told(parts: Parts, batch: Batch, answer: Answered) -> None:
    """Take what a ticket system said: a ticket that is closed while its incident lasts was closed by somebody."""
    incident, state = parts.casebook.get(answer.incident_id), answer.settled.result.get("state")
    closed = answer.payload.get("op") == TicketOp.UPDATE and state == "closed"
    if incident is not None and (closed or state == "declined"):
        event = TicketClosed(system=answer.row.target, declined=state == "declined")
        parts.desk.happened(batch, incident, event)


def by_boot(event: AttemptSettled, asked_on: str, boot_id: str) -> AttemptSettled:
    """Return how a restart of the host really ended: it succeeded if another boot has begun since, and only then.

    `asked_on` is the boot on which it was asked for; empty: it was no restart.
    """
    if not asked_on or event.outcome is Outcome.REFUSED:
        return event
    if asked_on != boot_id:
        return replace(event, outcome=Outcome.SUCCEEDED, detail="the host has restarted")
    if event.outcome is Outcome.SUCCEEDED:
        return replace(event, outcome=Outcome.FAILED, detail="the host has not restarted")
    return event


def ended(parts: Parts, batch: Batch, incident_id: str, event: AttemptSettled, remediation: str) -> None:
    """Write the end of a run down and tell its incident. What was refused never ran, and counts for nothing."""
    parts.ledger.ended(event.run_id, batch.now)
    incident = parts.casebook.get(incident_id)
    if incident is None or not incident.drill:
        metrics.ATTEMPTS.labels(remediation, event.outcome).inc()
    batch.writes.append(
        writes.end_run(
            event.run_id,
            at=batch.now,
            outcome=event.outcome,
            exit_code=event.exit_code,
            output=event.output,
            diagnostics=event.diagnostics,
        )
    )
    if event.outcome is Outcome.REFUSED:
        batch.writes += parts.ledger.never_ran(event.run_id)
    batch.settled = True
    if incident is not None:
        incident = parts.desk.happened(batch, incident, event)
    parts.desk.changes.ran(batch, event, incident)
