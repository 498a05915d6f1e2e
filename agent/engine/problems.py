"""The problems there are and the counts towards new ones, in memory and in the database."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from agent.engine.batch import Batch
from agent.engine.commands import CloseProblem, CommandError, ExplainProblem
from agent.incidents.incident import Incident
from agent.itsm import problems
from agent.itsm.problems import Happening, Occurrence, Problem, ProblemLimits, ProblemState
from agent.store import documents, quarantine, writes
from agent.store.database import Database, Write
from agent.telemetry import log, metrics

_log = log.get("problem")
Reason = Callable[[Iterable[Occurrence], ProblemLimits, float], tuple[str, bool]]


class ProblemBook:
    """Everything about problems that are not closed. `limits` may say something else each time."""

    def __init__(self, limits: Callable[[], ProblemLimits], new_id: Callable[[float], str]) -> None:
        self._limits = limits
        self._new_id = new_id
        self._by_id: dict[str, Problem] = {}
        self._by_subject: dict[str, str] = {}
        self._seen: dict[str, list[Occurrence]] = defaultdict(list)
        """By subject and by family, the oldest first."""

    def load(self, database: Database, now: float) -> None:
        """Take up what was durable."""

        def count(at: float, key: str, family: str, incident: str, happening: str) -> None:
            self._count(Occurrence(at=at, key=key, family=family, incident=incident, happening=Happening(happening)))

        placed, since = ("WHERE state != 'closed'", ()), now - self._limits().window
        quarantine.each(
            database, "problems", "document", lambda text: self._place(documents.problem(text)), where=placed
        )
        columns = "at, subject, family, incident_id, happening"
        quarantine.each(database, "occurrences", columns, count, where=("WHERE at > ? ORDER BY id", (since,)))

    def marked(self, incident: Incident) -> Incident:
        """Return the incident with the problem it belongs to, and what helps until that is solved."""
        known = self.known(incident)
        if known is None:
            return incident
        return replace(
            incident,
            problem=known.id,
            workaround=known.workaround,
            cause=known.cause,
            permanent_fix=known.permanent_fix,
        )

    def known(self, incident: Incident) -> Problem | None:
        """Return the problem that an incident belongs to, the one about its very subject first."""
        for subject in (incident.key, problems.family(incident)):
            if subject in self._by_subject:
                return self._by_id[self._by_subject[subject]]
        return None

    def happened(self, batch: Batch, before: Incident | None, after: Incident) -> None:
        """Count what a decision brought, and open or extend the problem that follows from it."""
        for happening in problems.happenings(before, after):
            family = problems.family(after)
            seen = Occurrence(at=batch.now, key=after.key, family=family, incident=after.id, happening=happening)
            self._count(seen)
            batch.writes.append(writes.count_occurrence(seen))
            known = self.known(after)
            if known is not None:
                why, masked = problems.reason(self._seen[after.key], self._limits(), batch.now)
                known = problems.linked(known, [after.id], batch.now)
                self._keep(batch, problems.unmasked(known, why, batch.now) if masked else known)
            else:
                self._judge(batch, after.key, after, problems.reason)
                self._judge(batch, family, after, problems.family_reason)

    def _judge(self, batch: Batch, subject: str, incident: Incident, reason: Reason) -> None:
        seen = self._seen[subject]
        why, masked = reason(seen, self._limits(), batch.now)
        if not why or self.known(incident) is not None:
            return
        found = problems.opened(self._new_id(batch.now), subject, incident, why, masked=masked, now=batch.now)
        self._keep(batch, problems.linked(found, (each.incident for each in seen), batch.now))
        batch.writes.append(writes.audit_order(batch.now, "problem_opened", actor="", detail=f"{found.id}: {why}"))
        metrics.PROBLEMS_OPENED.labels(incident.service).inc()
        _log.warning("problem opened", problem=found.id, alertname=found.alertname, service=found.service, why=why)

    def carry_out(self, batch: Batch, command: ExplainProblem | CloseProblem) -> Mapping[str, Any]:
        """Raise CommandError."""
        return self.explain(batch, command) if isinstance(command, ExplainProblem) else self.close(batch, command)

    def explain(self, batch: Batch, command: ExplainProblem) -> Mapping[str, Any]:
        """Write down what somebody found out. Raise CommandError."""
        problem = problems.explained(self._get(command.problem_id), dict(command.found), batch.now)
        return self._ordered(batch, problem, "problem_explained", command.actor, ", ".join(command.found))

    def close(self, batch: Batch, command: CloseProblem) -> Mapping[str, Any]:
        """Declare the cause removed; the count starts again. Raise CommandError."""
        problem = problems.closed(self._get(command.problem_id), command.reason, batch.now)
        self._seen.pop(problem.subject, None)
        batch.writes.append(writes.forget_occurrences(problem.subject))
        return self._ordered(batch, problem, "problem_closed", command.actor, command.reason)

    def open(self) -> list[Problem]:
        return list(self._by_id.values())

    def prune(self, now: float) -> list[Write]:
        """Forget what is too old to count. Return what must be written."""
        since = now - self._limits().window
        for subject, seen in list(self._seen.items()):
            kept = [each for each in seen if each.at > since]
            if kept:
                self._seen[subject] = kept
            else:
                del self._seen[subject]
        return [writes.drop_occurrences(since)]

    def _ordered(self, batch: Batch, problem: Problem, event: str, actor: str, detail: str) -> Mapping[str, Any]:
        self._keep(batch, problem)
        batch.writes.append(writes.audit_order(batch.now, event, actor=actor, detail=f"{problem.id}: {detail}"))
        _log.info(event.replace("_", " "), problem=problem.id, actor=actor)
        return asdict(problem)

    def _get(self, problem_id: str) -> Problem:
        problem = self._by_id.get(problem_id)
        if problem is None:
            raise CommandError(f"there is no open problem {problem_id!r}", 404)
        return problem

    def _keep(self, batch: Batch, problem: Problem) -> None:
        if self._by_id.get(problem.id) != problem:
            self._place(problem)
            batch.writes.append(writes.put_problem(problem))

    def _place(self, problem: Problem) -> None:
        if problem.state is ProblemState.CLOSED:
            self._by_id.pop(problem.id, None)
            self._by_subject.pop(problem.subject, None)
        else:
            self._by_id[problem.id] = problem
            self._by_subject[problem.subject] = problem.id

    def _count(self, occurrence: Occurrence) -> None:
        for subject in (occurrence.key, occurrence.family):
            self._seen[subject].append(occurrence)
