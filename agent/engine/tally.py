"""Counting what attempts came to: runs and passes when they start, standings when fresh data has judged them."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from agent.engine.batch import Batch
from agent.engine.changes import ChangeBook
from agent.engine.ledger import DRILL, Ledger, Run, Subject, subject
from agent.incidents import promises, spans
from agent.incidents.decision import Decision, Reason
from agent.incidents.incident import Attempt, Incident
from agent.incidents.policy import Ladder, Policy
from agent.itsm.changes import STANDING, ChangeKind, Deed, Word
from agent.store import writes
from agent.store.database import Write
from agent.telemetry import log, metrics
from remediations.limits import BreakerLimits
from remediations.mode import Mode, above
from remediations.standing import (
    Breaker,
    Standing,
    about,
    breaker,
    correct,
    demoted,
    falls_short,
    half_opens_at,
    objection,
    promoted,
    proposed,
    rung,
    success,
)

_log = log.get("standing")
_SHOWN = {Breaker.CLOSED: 0, Breaker.HALF_OPEN: 1, Breaker.OPEN: 2}


class Tally:
    """Joins the ledger with the policy by which it is read."""

    def __init__(self, ledger: Ledger, policy: Callable[[], Policy], changes: ChangeBook) -> None:
        self._ledger = ledger
        self._policy = policy
        self._changes = changes
        self.refused: dict[str, Counter[str]] = defaultdict(Counter)
        """How often each guard refused each remediation, since the start."""

    def started(self, batch: Batch, incident: Incident) -> None:
        """Count the attempt that was begun last."""
        attempt = incident.attempts[-1]
        ladder = self._policy().ladder(attempt.remediation)
        batch.writes.append(writes.start_run(incident, attempt))
        run = Run(
            run_id=attempt.run_id,
            remediation=attempt.remediation,
            resource=attempt.resource,
            action=attempt.action,
            started_at=batch.now,
            first_step=attempt.step == 0 and not attempt.compensates,
            drill=incident.drill,
        )
        reset = ladder.limits.healthy_reset if ladder is not None else 0.0
        subjects = _subjects(attempt, incident)
        batch.writes += self._ledger.started(
            run,
            ill_since=spans.since(incident, batch.now),
            reset=reset,
            breakers=[(each, self.breaker_limits(each)) for each in subjects],
        )

    @staticmethod
    def promised(batch: Batch, decision: Decision, event: str) -> None:
        """Count what promises had to say, and put it on record where the decision itself is about something else."""
        for kind, call in decision.said:
            metrics.PROMISES.labels(decision.incident.service, kind, call).inc()
            reason = promises.REASONS[call]
            if decision.reason not in promises.REASONS.values():
                told = replace(decision, reason=reason, detail=f"{kind} {call}", actor="", guard=None)
                batch.writes.append(writes.audit(batch.now, event, told))

    def judged(self, batch: Batch, before: Incident | None, after: Incident) -> None:
        """Take verdicts that this decision brought into the standings."""
        known = {a.run_id for a in before.attempts if a.verified is not None} if before is not None else set()
        for attempt in after.attempts:
            if attempt.verified is not None and attempt.run_id not in known:
                if not after.drill:
                    metrics.VERIFICATIONS.labels(attempt.remediation, attempt.verdict or "ineffective").inc()
                self._judge(batch, attempt, after)

    def _judge(self, batch: Batch, attempt: Attempt, incident: Incident) -> None:
        if attempt.compensates:  # it is there to undo harm, not to help
            return
        for each in _subjects(attempt, incident):
            limits = self.breaker_limits(each)
            was = breaker(self._ledger.standing(each), limits, batch.now)
            batch.writes += self._ledger.judged(each, limits, helped=bool(attempt.verified), now=batch.now)
            now_is = breaker(self._ledger.standing(each), limits, batch.now)
            if now_is is not was and now_is is not Breaker.HALF_OPEN:
                word = Reason.BREAKER_OPENED if now_is is Breaker.OPEN else Reason.BREAKER_CLOSED
                self._note(batch, incident, word, " ".join(each))
        self._demote(batch, attempt, incident)
        self.report(batch.now)

    def weighed(self, batch: Batch, before: Incident | None, decision: Decision) -> None:
        """Count what is proven now about a proposal, unless it was made in a drill or by what is configured no more."""
        made, proof = before.proposal if before is not None else None, decision.proof
        if made is None or proof is None:
            return
        said = f"{proof}: {decision.proof_says}"
        judged = Decision(incident=decision.incident, reason=Reason.PROPOSAL_JUDGED, detail=said)
        batch.writes.append(writes.audit(batch.now, "Standing", judged))
        ladder = self._policy().ladder(made.remediation)
        if decision.incident.drill or ladder is None or made.version != ladder.version:
            return
        metrics.PROPOSALS.labels(ladder.name, proof).inc()
        own = subject(ladder.name, drill=False)
        standing = proposed(self._ledger.standing(own), ladder.rungs, proof, made_at=made.at, now=batch.now)
        batch.writes += self._ledger.stand(own, standing)

    def configured(self, now: float) -> list[Write]:
        """Take back what was earned by remediations that the configuration has changed. Return what must be written."""
        changes = []
        for ladder in self._policy().ladders:
            own = subject(ladder.name, drill=False)
            changes += self._ledger.stand(own, about(self._ledger.standing(own), ladder.rungs, now))
        return changes

    def _demote(self, batch: Batch, attempt: Attempt, incident: Incident) -> None:
        """Take the right to act alone from a remediation that does not do what it is trusted for."""
        ladder = self._policy().ladder(attempt.remediation)
        own = subject(attempt.remediation, drill=incident.drill)
        standing = self._ledger.standing(own)
        if incident.drill or ladder is None or rung(standing, ladder.rungs) is not Mode.AUTO:
            return
        if falls_short(standing, ladder.target):
            share = success(standing, ladder.target.attempts) or 0.0
            batch.writes += self._ledger.stand(own, demoted(standing, batch.now))
            detail = (
                f"{ladder.name} needs approval from now on: {share:.0%} of its last {ladder.target.attempts} attempts"
                f" helped, the target is {ladder.target.success:.0%}"
            )
            self._note(batch, incident, Reason.DEMOTED, detail)
            allowed = Word(by=f"target of {ladder.name}", via=STANDING, at=batch.now)
            why = f"{share:.0%} of its attempts helped"
            self._changes.deed(batch, _mode_changed(ladder, (Mode.AUTO, Mode.APPROVE), "demoted", why, allowed))

    def promote(self, batch: Batch, name: str, word: Word, to: Mode | None = None) -> str:
        """Let a remediation go one rung further, on somebody's word. Return why not; empty: it is done."""
        ladder = self._policy().ladder(name)
        if ladder is None:
            return f"there is no remediation {name!r}"
        own = subject(name, drill=False)
        standing = self._ledger.standing(own)
        if not (why := objection(standing, ladder.target, ladder.rungs, to)):
            higher = promoted(standing, ladder.rungs, batch.now)
            modes = (rung(standing, ladder.rungs), rung(higher, ladder.rungs))
            batch.writes += self._ledger.stand(own, higher)
            self._changes.deed(batch, _mode_changed(ladder, modes, "promoted", word.comment, word))
            self.report(batch.now)
        return why

    def shown(self, name: str, now: float) -> Mapping[str, Any]:
        """Return what people want to know about a configured remediation. May be called from any thread."""
        ladder = self._policy().ladder(name)
        if ladder is None:
            return {}
        standing = self._ledger.standing(subject(name, drill=False))
        limits = ladder.limits.breaker
        state = breaker(standing, limits, now)
        return {
            "name": name,
            "steps": list(ladder.steps),
            "mode": str(ladder.mode),
            "max_mode": str(ladder.max_mode),
            "effective_mode": str(rung(standing, ladder.rungs)),
            "demoted_at": standing.demoted_at,
            "success": success(standing, ladder.target.attempts),
            "judged": len(standing.verdicts[-ladder.target.attempts :]),
            "target": ladder.target.success,
            "proposals": _proposals(standing, ladder),
            "breaker": str(state),
            "half_opens_at": half_opens_at(standing, limits) if state is Breaker.OPEN else None,
            "actions": {
                action: str(
                    breaker(self._ledger.standing(("action", action)), self._policy().kind(action).breaker, now)
                )
                for action in ladder.steps
            },
            "refusals": dict(self.refused.get(name, {})),
        }

    def _note(self, batch: Batch, incident: Incident, reason: Reason, detail: str) -> None:
        batch.writes.append(
            writes.audit(batch.now, "Standing", Decision(incident=incident, reason=reason, detail=detail))
        )
        if not incident.drill:
            metrics.DECISIONS.labels(reason).inc()
        _log.warning(str(reason), incident=incident.id, detail=detail)

    def breaker_limits(self, whose: Subject) -> BreakerLimits:
        scope, name = whose
        if scope == "action":
            return self._policy().kind(name).breaker
        ladder = self._policy().ladder(name.removeprefix(DRILL))
        return ladder.limits.breaker if ladder is not None else BreakerLimits()

    def report(self, now: float) -> None:
        """Bring the gauges about standings up to date."""
        for each in self._ledger.subjects:
            scope, name = each
            if name.startswith(DRILL):
                continue
            standing = self._ledger.standing(each)
            state = breaker(standing, self.breaker_limits(each), now)
            metrics.BREAKER_STATE.labels(*each).set(_SHOWN[state])
            share = success(standing, 10)
            metrics.VERIFIED_SUCCESS.labels(*each).set(share if share is not None else float("nan"))
            if scope == "remediation":
                metrics.DEMOTED.labels(name).set(standing.demoted_at is not None)


def _proposals(standing: Standing, ladder: Ladder) -> Mapping[str, Any]:
    """Return what is known about its proposals on this rung, and what the next one needs."""
    right = correct(standing)
    return {
        "correct": right,
        "wrong": len(standing.proposals) - right,
        "unproven": standing.unproven,
        "needed": ladder.target.evidence,
        "next_mode": above(rung(standing, ladder.rungs)),
        "objection": objection(standing, ladder.target, ladder.rungs),
    }


def _mode_changed(ladder: Ladder, modes: tuple[Mode, Mode], result: str, why: str, word: Word) -> Deed:
    before, after = modes
    return Deed(
        key=f"mode:{ladder.name}",
        kind=ChangeKind.POLICY,
        subject=f"remediation {ladder.name}",
        reason=why,
        requested_by=word.by,
        approval=word,
        before=f"mode {before}",
        after=f"mode {after}",
        result=result,
        fallback=f"mode {before}",
    )


def _subjects(attempt: Attempt, incident: Incident) -> tuple[Subject, ...]:
    """Return whose standing the attempt counts for. A drill says nothing about what its kind of action is good for."""
    own = subject(attempt.remediation, drill=incident.drill)
    return (own,) if incident.drill else (own, ("action", attempt.action))
