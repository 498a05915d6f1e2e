"""The ends of attempts: written down, counted, and told to their incidents."""

from agent.engine.batch import Batch
from agent.engine.delivery import Answered
from agent.engine.parts import Parts
from agent.incidents.events import AttemptSettled
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
    ended(parts, batch, answer.incident_id, event, str(answer.payload["remediation"]))


def ended(parts: Parts, batch: Batch, incident_id: str, event: AttemptSettled, remediation: str) -> None:
    """Write the end of a run down and tell its incident. What was refused never ran, and counts for nothing."""
    parts.ledger.ended(event.run_id, batch.now)
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
    incident = parts.casebook.get(incident_id)
    if incident is not None:
        parts.desk.happened(batch, incident, event)
