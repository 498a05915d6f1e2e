"""Whatever happens, in whatever order, with restarts in between: the guards hold and nothing is done twice."""

import shutil
import tempfile
from collections import Counter
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.engine.commands import ExpireSilence, OnIncident, PutSilence
from agent.incidents.events import ResolvedByOperator
from agent.incidents.incident import Attempt
from agent.incidents.silences import Silence
from agent.itsm import action_changes
from rules import matchers
from tests.agent.engine.conftest import Bench

NAMES = ("a", "b", "c")
STEP = st.one_of(
    st.tuples(st.just("process"), st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("time"), st.sampled_from([0.5, 5.0, 11.0, 61.0, 400.0, 4000.0])),
    st.tuples(st.just("settle"), st.sampled_from(["succeeded", "failed", "timed_out", "refused"])),
    st.tuples(st.just("never_began")),
    st.tuples(st.just("resolve")),
    st.tuples(st.just("fail")),
    st.tuples(st.just("restart")),
    st.tuples(st.just("step"), st.sampled_from([-3600.0, 86400.0])),
    st.tuples(st.just("silence"), st.sampled_from(NAMES), st.sampled_from([10.0, 500.0])),
    st.tuples(st.just("expire")),
)


class Run:
    """Plays steps against an engine and keeps what the outside world has seen."""

    def __init__(self, directory):
        self.bench = Bench(directory)
        self.ups = dict.fromkeys(NAMES, True)
        self.started = Counter()
        self.open = []
        self.most_at_once = 0
        self.muted_starts = []

    def play(self, step):
        getattr(self, step[0])(*step[1:])
        now = self.bench.clock.now()
        for row in self.bench.take("runner"):
            self.muted_starts += [row for each in self.silences() if each.until(now) and self.covers(each, row)]
            self.started[row.payload["run_id"]] += 1
            self.open.append(row)
        self.most_at_once = max(self.most_at_once, len(self.open))

    def process(self, name, up):
        self.ups[name] = up
        self.bench.clock.advance(0.1)
        self.bench.processes({each: int(self.ups[each]) for each in NAMES})

    def time(self, seconds):
        self.bench.pass_time(seconds)

    def settle(self, outcome):
        if self.open:
            self.bench.clock.advance(0.1)
            self.bench.settle(self.open.pop(0), outcome=outcome)

    def never_began(self):
        if self.open:
            row = self.open.pop(0)
            self.bench.settle(row, never_began=True)

    def resolve(self):
        for incident in self.bench.parts.casebook.active()[:1]:
            self.order(OnIncident(incident_id=incident.id, event=ResolvedByOperator(actor="ann")))

    def silences(self):
        return self.bench.parts.situations.muting.silences.values()

    def covers(self, silence, row):
        return silence.matches(self.bench.parts.casebook.get(row.incident_id).labels)

    def order(self, command):
        self.bench.engine.queue.order(command)
        self.bench.turn()

    def silence(self, name, seconds):
        now = self.bench.clock.now()
        matcher = matchers.parse(f'name="{name}"')
        draft = Silence(matchers=(matcher,), starts_at=now, ends_at=now + seconds, created_by="ann", comment="")
        self.order(PutSilence(actor="ann", silence=draft))

    def expire(self):
        for silence in list(self.silences())[-1:]:
            self.order(ExpireSilence(actor="ann", silence_id=silence.id))

    def fail(self):
        self.bench.clock.advance(0.1)
        self.bench.failed()

    def restart(self):
        self.open.clear()
        self.bench.restart()
        self.bench.turn()

    def step(self, seconds):
        self.bench.clock.stepped = seconds
        self.bench.turn()


def unrecorded(bench):
    """Return what is wrong with the changes of runs: each has one, over when nothing more will come of the run."""
    rows = bench.database.connection.execute("SELECT run_id, incident_id, outcome FROM runs").fetchall()
    changes = bench.reader.changes(limit=10_000)
    recorded = Counter(each["run_id"] for each in changes)
    states = {each["run_id"]: each["state"] for each in changes}
    worked_on = {i.work.run_id for i in bench.parts.casebook.working()}
    wrong = [f"{run} has {recorded[run]} changes" for run, _, _ in rows if recorded[run] != 1]
    for run, _, outcome in rows:
        is_open = outcome is None or run in worked_on
        if (states.get(run) == "in-progress") is not is_open:
            wrong.append(f"{run} has ended as {outcome}, and its change is {states.get(run)}")
    known = {run for run, _, _ in rows}
    return wrong + [
        f"{run} never ran, and its change is {state}"
        for run, state in states.items()
        if run not in known and state != "expired"
    ]


@given(st.lists(STEP, max_size=40))
@settings(max_examples=settings.default.max_examples * 3 // 5)
def test_no_history_breaks_a_guard_or_repeats_a_run(steps):
    directory = Path(tempfile.mkdtemp())
    run = Run(directory)
    try:
        for step in steps:
            run.play(step)

        assert run.most_at_once <= 1, "all of them act on one resource"
        assert set(run.started.values()) <= {1}
        assert run.muted_starts == []
        assert unrecorded(run.bench) == []
        known = {each["id"] for each in run.bench.reader.changes(limit=10_000)}
        for incident in run.bench.incidents():
            record = run.bench.reader.incident(incident["id"])
            assert all(entry["reason"] for entry in record["timeline"])
            assert len({attempt["run_id"] for attempt in record["attempts"]}) == len(record["attempts"])
            attempts = msgspec.convert(record["attempts"], list[Attempt])
            assert {action_changes.id_of(each) for each in attempts} <= known, "tickets name them"
            if record["resolution"] == "fixed":
                assert record["attempts"][-1]["verified"] is True
        keys = [incident["key"] for incident in run.bench.incidents()]
        assert len(keys) == len(set(keys)), "one incident a subject"
        assert run.bench.database.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        run.bench.database.close()
        shutil.rmtree(directory)


@given(st.lists(st.sampled_from(["down", "up"]), min_size=10, max_size=40))
@settings(max_examples=30)  # an hour each
def test_within_an_hour_a_flapping_process_is_repaired_no_more_often_than_its_limits_say(flaps):
    directory = Path(tempfile.mkdtemp())
    run = Run(directory)
    try:
        for flap in flaps:
            run.play(("process", "a", flap == "up"))
            run.play(("settle", "succeeded"))
            run.play(("time", 11.0))
            run.play(("restart",))

        assert len(run.started) <= 3, "three passes, then a person"
    finally:
        run.bench.database.close()
        shutil.rmtree(directory)
