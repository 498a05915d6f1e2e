"""Random histories of a host: no guard is ever violated, and the policy alone explains every decision on record."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.engine.commands import CommandError, OnIncident, Promote, SetStop
from agent.engine.situations import Presence
from agent.incidents import windows
from agent.incidents.events import Acknowledged, Approved, Rejected, Released, RetryOrdered
from agent.incidents.muting import Freeze
from agent.incidents.replay import again
from agent.incidents.windows import Recurrence
from agent.store import documents
from remediations import guards as guards_module
from remediations.guards import GUARDS
from remediations.limits import BreakerLimits, KindLimits, Limits, Target
from remediations.mode import Mode, above
from remediations.plan import Plan
from tests.agent.engine.conftest import Bench
from tests.agent.engine.oracle import Oracle

NAMES = ("a", "b")
LIMITS = Limits(
    attempts=4,
    healthy_reset=1800.0,
    runs=3,
    per=600.0,
    cooldown=30.0,
    breaker=BreakerLimits(failures=2, of=3, half_open=300.0),
    max_parallel=1,
    actions_per_hour=7,
)
KIND = KindLimits(runs=5, per=900.0, cooldown=5.0, breaker=BreakerLimits(failures=3, of=4, half_open=200.0))
STEP = st.one_of(
    st.tuples(st.just("process"), st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("process"), st.sampled_from(NAMES), st.just(False)),
    st.tuples(st.just("time"), st.sampled_from([0.5, 6.0, 11.0, 31.0, 61.0, 200.0, 400.0, 1000.0])),
    st.tuples(st.just("settle"), st.sampled_from(["succeeded", "failed", "timed_out"])),
    st.tuples(st.just("fail")),
    st.tuples(st.just("restart")),
    st.tuples(st.just("clock"), st.sampled_from([-3600.0, 86400.0])),
    st.tuples(st.just("stop"), st.booleans()),
    st.tuples(st.just("sit"), st.booleans()),
    st.tuples(st.just("freeze"), st.sampled_from(["", "wait", "escalate"])),
    st.tuples(st.just("promote")),
    st.tuples(st.just("say"), st.sampled_from(["ack", "release", "approve", "reject", "forge", "retry"])),
)


FREEZES = {
    then: Freeze(
        name=then, matchers=(), window=windows.parse(Recurrence(times=("00:00-24:00",))), escalates=then == "escalate"
    )
    for then in ("wait", "escalate")
}


class Story:
    """Plays steps against an engine with two services that fail, and tells the oracle what came out of it."""

    def __init__(self, directory, mode, limits=LIMITS, *, emergency=False):
        self.bench = Bench(directory)
        (ladder,) = self.bench.policy.ladders
        ladder = replace(
            ladder,
            mode=mode,
            emergency=emergency,
            approvers=("ann",),
            limits=limits,
            steps=("restart_command", "restart_command"),
            target=Target(success=0.3, attempts=6, evidence=2),
        )
        self.bench.policy = replace(self.bench.policy, ladders=(ladder,), kinds={"restart_command": KIND})
        self.oracle = Oracle(limits, KIND)
        self.sitting = False
        self.frozen = ""
        self.ups = dict.fromkeys(NAMES, True)
        self.open = []
        self.judged = set()
        self.rebuild()

    def rebuild(self):
        """Give the engine of this life what the first one was given."""
        situations = self.bench.parts.situations
        situations.policy = self.bench.policy
        situations.planner = self.plan
        situations.muting.configure([FREEZES[self.frozen]] if self.frozen else [], [])
        situations.presence = lambda _now: Presence(what="ann on pts/0") if self.sitting else Presence()

    def plan(self, ladder, incident):
        name = dict(incident.labels)["name"]
        return tuple(
            replace(self.bench.planned, plan=Plan(argv=("/bin/true", name, str(index)), resource=f"command:{name}"))
            for index in range(len(ladder.steps))
        )

    @property
    def now(self):
        return self.bench.clock.elapsed

    def play(self, step):
        getattr(self, step[0])(*step[1:])
        self.watch()

    def watch(self):
        """Tell the oracle what started, and what verdicts there are, in the order in which they came about."""
        attempts = {
            attempt["run_id"]: attempt for incident in self.bench.incidents() for attempt in incident["attempts"]
        }
        for run_id, attempt in attempts.items():
            if attempt["verified"] is not None and run_id not in self.judged:
                self.judged.add(run_id)
                self.oracle.judged(self.now, helped=attempt["verified"])
        for row in self.bench.take("runner"):
            run_id = row.payload["run_id"]
            first = attempts[run_id]["step"] == 0
            self.oracle.started(run_id, row.payload["resource"], self.now, first_step=first)
            self.open.append(row)

    def process(self, name, up):
        self.ups[name] = up
        self.bench.clock.advance(0.1)
        self.bench.processes({each: int(self.ups[each]) for each in NAMES})

    def time(self, seconds):
        """Let time pass as it does: in small pieces, with samples in between."""
        left = seconds
        while left > 0:
            piece = min(left, max(5.0, seconds / 8))
            self.bench.clock.advance(piece)
            self.bench.processes({each: int(self.ups[each]) for each in NAMES})
            self.watch()
            left -= piece

    def settle(self, outcome):
        if self.open:
            self.bench.clock.advance(0.1)
            row = self.open.pop(0)
            self.oracle.ended(row.payload["run_id"], self.now)
            self.bench.settle(row, outcome=outcome)

    def fail(self):
        self.bench.clock.advance(0.1)
        self.bench.failed()

    def restart(self):
        self.bench.kill()
        self.bench.clock.advance(1.0)
        for row in self.open:
            self.oracle.ended(row.payload["run_id"], self.now)
        self.open.clear()
        self.bench.live()
        self.rebuild()
        self.bench.turn()

    def clock(self, seconds):
        self.bench.clock.stepped = seconds
        self.bench.turn()

    def order(self, command):
        future = self.bench.engine.queue.order(command)
        self.bench.turn()
        return future

    def stop(self, on):
        self.order(SetStop(actor="bob", reason="a test" if on else ""))
        self.forbid()

    def sit(self, present):
        self.sitting = present
        self.bench.clock.advance(0.1)
        self.forbid()

    def freeze(self, then):
        self.frozen = then
        self.rebuild()
        self.forbid()

    def forbid(self):
        stopped = bool(self.bench.parts.situations.stopped_by)
        (ladder,) = self.bench.policy.ladders
        frozen = "there was a freeze" if self.frozen and not ladder.emergency else ""
        self.oracle.forbidden = "it was stopped" if stopped else "somebody was at work" if self.sitting else frozen

    def promote(self):
        self.order(Promote(remediation="restart-web", actor="ann", reason="a test"))
        self.watch()

    def say(self, word):
        for incident in self.bench.incidents():
            plan = (incident["awaiting"] or incident["proposal"] or {}).get("plan", "")
            event = {
                "ack": Acknowledged(actor="ann", until=self.bench.clock.now() + 50),
                "release": Released(actor="ann"),
                "approve": Approved(actor="ann", via="cli", plan=plan),
                "reject": Rejected(actor="ann", via="cli", plan=plan),
                "forge": Approved(actor="eve", via="cli", plan=plan),
                # What a person orders on purpose skips the cool-down: the oracle is not told of such.
                "retry": None,
            }[word]
            if event is not None:
                self.order(OnIncident(incident_id=incident["id"], event=event))
                self.watch()


def explained(bench, policy):
    """Return how many decisions on record the policy takes again, each exactly as it was."""
    rows = bench.database.connection.execute(
        "SELECT at, event, reason, guard, state, actor, detail, revision, inputs FROM audit ORDER BY id"
    ).fetchall()
    count = 0
    for at, event, *recorded, inputs in rows:
        assert recorded[0], "every decision has a reason"
        if inputs is None:
            continue
        decision = again(documents.taken(inputs, event), policy, at)
        incident = decision.incident
        taken = [decision.reason, decision.guard or "", incident.state, decision.actor, decision.detail]
        assert [*map(str, taken), incident.revision] == recorded
        count += 1
    return count


def climbed(bench, policy):
    """Follow a remediation up and down by the record alone: by itself it acts on the highest rung only."""
    (ladder,) = policy.ladders
    rung, proofs = ladder.mode, []
    for at, event, reason, detail, inputs in bench.database.connection.execute(
        "SELECT at, event, reason, detail, inputs FROM audit ORDER BY id"
    ):
        if event == "promoted":
            assert proofs.count("correct") >= ladder.target.evidence
            rung, proofs = above(rung), []
        elif reason == "demoted":
            assert rung is Mode.AUTO
            rung, proofs = Mode.APPROVE, []
        elif reason == "proposal_judged":
            proofs.append(detail.partition(":")[0])
        elif reason == "attempt_started":
            attempt = again(documents.taken(inputs, event), policy, at).incident.attempts[-1]
            assert attempt.approval is not None or rung is Mode.AUTO
    return rung


def told(steps, mode, limits=LIMITS, *, emergency=False):
    directory = Path(tempfile.mkdtemp())
    story = Story(directory, mode, limits, emergency=emergency)
    try:
        for step in steps:
            story.play(step)
        explained(story.bench, story.bench.policy)
        reviewed(story.bench)
        shown = story.bench.parts.desk.tally.shown("restart-web", story.bench.clock.now())
        assert climbed(story.bench, story.bench.policy) == shown["effective_mode"]
        return story.oracle
    finally:
        story.bench.database.close()
        shutil.rmtree(directory)


def reviewed(bench):
    """Look at the record: what went through a freeze, and nothing else, is an emergency that waits for its review."""
    through = {a["run_id"] for each in bench.incidents() for a in each["attempts"] if a["emergency"]}
    changes = [each for each in bench.reader.changes(limit=10_000) if each["run_id"] and each["state"] != "expired"]
    assert {each["run_id"] for each in changes if each["type"] == "emergency"} == through
    assert {each["run_id"] for each in changes if each["review"]} == through


@given(st.lists(STEP, max_size=40), st.sampled_from([Mode.AUTO, *Mode]), st.booleans())
@settings(max_examples=settings.default.max_examples * 3 // 5)
def test_no_history_violates_a_guard_and_the_policy_alone_explains_the_record(steps, mode, emergency):
    oracle = told(steps, mode, emergency=emergency)
    assert oracle.broken == []


def climb(*words):
    right = (
        *(("process", "a", False), ("say", "approve"), ("settle", "succeeded")),
        *(("process", "a", True), ("time", 11.0), ("time", 2000.0)),
    )
    return [step for word in words for step in (right if word == "right" else (("restart",), ("promote",)))]


@pytest.mark.parametrize(
    ("words", "reached"),
    [
        (["right", "up"], Mode.OBSERVE),
        (["right", "right", "up", "up"], Mode.PROPOSE),
        (["right", "right", "up", "right", "right", "up", "right", "up"], Mode.APPROVE),
        (["right", "right", "up"] * 3, Mode.AUTO),
    ],
)
def test_a_remediation_climbs_by_evidence_and_by_a_person_through_restarts(tmp_path, words, reached):
    story = Story(tmp_path / "state", Mode.OBSERVE)
    for step in climb(*words):
        story.play(step)
    assert climbed(story.bench, story.bench.policy) is reached
    assert story.bench.parts.desk.tally.shown("restart-web", 0.0)["effective_mode"] == reached
    assert explained(story.bench, story.bench.policy) > 5
    assert len(story.oracle.runs) == words.count("right")
    story.bench.database.close()


FLAPPING = [
    step
    for _ in range(12)
    for step in (
        ("process", "a", False),
        ("process", "b", False),
        ("settle", "succeeded"),
        ("time", 11.0),
        ("process", "a", True),
        ("process", "b", True),
        ("time", 31.0),
        ("restart",),
    )
]
QUICK = [
    step
    for _ in range(3)
    for step in (("process", "a", False), ("settle", "succeeded"), ("process", "a", True), ("time", 11.0))
]
USELESS = [
    step
    for _ in range(3)
    for step in (
        ("process", "a", False),
        ("settle", "failed"),
        ("time", 80.0),
        ("settle", "failed"),
        ("time", 80.0),
        ("process", "a", True),
        ("time", 11.0),
    )
]
STOPPED = [("stop", True), ("process", "a", False), ("time", 31.0)]
FROZEN = [("freeze", "escalate"), ("process", "a", False), ("time", 31.0)]
WATCHED = [("sit", True), ("process", "a", False), ("time", 31.0)]


@pytest.mark.parametrize(
    ("guard", "steps", "says"),
    [
        ("_stop", STOPPED, "it was stopped"),
        ("_operator", WATCHED, "somebody was at work"),
        ("_freeze", FROZEN, "there was a freeze"),
        ("_rate", FLAPPING, "more than"),
        ("_cooldown", QUICK, "cool-down"),
        ("_parallel", FLAPPING, "at a time"),
        ("_breaker", USELESS, "breaker"),
    ],
)
def test_the_oracle_sees_what_happens_without_a_guard(monkeypatch, guard, steps, says):
    assert told(steps, Mode.AUTO).broken == []
    without = tuple(each for each in GUARDS if each.__name__ != guard)
    assert len(without) == len(GUARDS) - 1
    monkeypatch.setattr(guards_module, "GUARDS", without)

    broken = told(steps, Mode.AUTO).broken

    assert any(says in each for each in broken), broken


def test_an_emergency_goes_through_a_freeze_and_through_nothing_else():
    assert told(FROZEN, Mode.AUTO).runs == []
    assert len(told(FROZEN, Mode.AUTO, emergency=True).runs) == 1
    for steps in (STOPPED, WATCHED):
        assert told(steps, Mode.AUTO, emergency=True).runs == []


def test_two_policies_on_one_action_both_hold():
    oracle = told(FLAPPING, Mode.AUTO)
    starts = [run.started for run in oracle.runs]
    assert len(starts) >= KIND.runs
    assert oracle.broken == []


def test_a_word_that_does_not_count_is_answered_with_the_reason(tmp_path):
    story = Story(tmp_path / "state", Mode.APPROVE)
    story.play(("process", "a", False))
    incident = story.bench.incident()
    event = Approved(actor="eve", via="cli", plan=incident["awaiting"]["plan"])

    answer = story.order(OnIncident(incident_id=incident["id"], event=event))

    with pytest.raises(CommandError, match="cli:eve is not among the approvers"):
        answer.result(0)
    assert story.bench.incident()["state"] == "awaiting_approval"
    assert explained(story.bench, story.bench.policy) >= 2
    story.bench.database.close()


def test_an_order_to_try_again_is_explained_too(tmp_path):
    story = Story(tmp_path / "state", Mode.AUTO)
    for step in USELESS:
        story.play(step)
    incident = story.bench.incidents()[0]
    story.order(OnIncident(incident_id=incident["id"], event=RetryOrdered(actor="ann", reason="now")))
    assert explained(story.bench, story.bench.policy) > 5
    story.bench.database.close()


def test_the_verdict_that_opens_the_breaker_keeps_the_next_step_of_the_same_pass_from_running():
    steps = [
        *(("process", "a", False), ("settle", "failed"), ("time", 80.0), ("settle", "succeeded")),
        *(("process", "a", True), ("time", 11.0), ("time", 31.0)),
        *(("process", "a", False), ("settle", "failed"), ("time", 80.0)),
    ]
    oracle = told(steps, Mode.AUTO, replace(LIMITS, runs=50))
    assert [helped for _, helped in oracle.verdicts] == [False, True, False]
    assert len(oracle.runs) == 3
    assert oracle.broken == []
