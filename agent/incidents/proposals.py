"""Proposals: what the record proves about a plan that a person had the last word on. No data is never proof."""

from dataclasses import replace

from agent.incidents.advance import Context
from agent.incidents.decision import Decision, Reason
from agent.incidents.incident import ACTIVE, Attempt, Incident, Outcome, Proposal, Resolution, Verdict
from remediations.standing import Proof

_SAYS_NO = {
    Reason.APPROVAL_REJECTED: "a person rejected it",
    Reason.DECLINED: "a person declined to have anything done",
}


def weighed(before: Incident, decision: Decision, context: Context) -> Decision:
    """Return the decision with what it proves about the proposal that there was before it, if that is clear now."""
    made, after = before.proposal, decision.incident
    if made is None or made.proof is not None:
        return decision
    made = _taken_up(made, before, after)
    proof, why = _proof(made, before, decision, context)
    if after.proposal == before.proposal:
        after = replace(after, proposal=replace(made, proof=proof))
    return replace(decision, incident=after, proof=proof, proof_says=why)


def _taken_up(made: Proposal, before: Incident, after: Incident) -> Proposal:
    """Return the proposal with the attempt that a person let run by approving exactly this plan."""
    seen = {attempt.run_id for attempt in before.attempts}
    for attempt in after.attempts:
        given = attempt.approval if attempt.run_id not in seen and not attempt.compensates else None
        if given is not None and given.plan == made.digest:
            return replace(made, run_id=attempt.run_id)
    return made


def _proof(made: Proposal, before: Incident, decision: Decision, context: Context) -> tuple[Proof | None, str]:
    after = decision.incident
    attempt = next((a for a in after.attempts if made.run_id and a.run_id == made.run_id), None)
    if attempt is not None and attempt.verdict is not None:
        return _of_attempt(attempt)
    if decision.reason in _SAYS_NO:
        return Proof.WRONG, _SAYS_NO[decision.reason]
    if after.state in ACTIVE and after.proposal == before.proposal:
        return None, ""
    if after.state in ACTIVE:
        return Proof.UNPROVEN, "another plan was due before anybody had taken it up"
    return _ended(made, before, after, context)


def _of_attempt(attempt: Attempt) -> tuple[Proof, str]:
    """Only an attempt that ended well, and that fresh data found to have helped, shows that its plan was right."""
    if attempt.verdict is Verdict.FIXED and attempt.outcome is Outcome.SUCCEEDED:
        return Proof.CORRECT, "approved, run, and verified: it helped"
    if attempt.verdict is Verdict.FIXED:
        return Proof.UNPROVEN, f"all is well, but its attempt {attempt.outcome}"
    if attempt.verdict is Verdict.BY_ITSELF or attempt.after is None:
        return Proof.UNPROVEN, "nothing proves what its attempt did"
    return Proof.WRONG, f"approved, run, and verified: {attempt.verdict}"


def _ended(made: Proposal, before: Incident, after: Incident, context: Context) -> tuple[Proof, str]:
    """What ends so soon that an attempt could not have been judged needed none; unless somebody had it in hand."""
    ladder = context.policy.ladder(made.remediation)
    within = ladder.verify.timeout if ladder is not None else 0.0
    alone = not (made.run_id or before.acknowledged_by or before.suppressed)
    if after.resolution is Resolution.BY_ITSELF and alone and context.now - made.at < within:
        return Proof.WRONG, f"not needed: it was over by itself within {within:g} s"
    return Proof.UNPROVEN, f"nobody took it up, and it ended: {after.resolution or after.state}"
