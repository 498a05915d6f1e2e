"""The outbox in memory: order in each lane, one row of it at a time, and no row lost or doubled, whatever happens."""

from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agent.engine.outbox import OVERDUE_SECONDS, Outbox, Owed
from agent.incidents.effects import Kind

LANES = ("a", "b", "c")
TARGETS = ("rt", "desk")


def owed(number, lane="a", target="rt", kind=Kind.TICKET):
    return Owed(number, kind, lane, target)


def ids(rows):
    return [row.id for row in rows]


def failing(outbox, times, retry_after=0.0):
    """Let the only row fail so often; return how long each wait was."""
    now, waits = 0.0, []
    for _ in range(times):
        (row,) = outbox.claim(now, "c")
        at = outbox.postpone(row, now, retry_after)
        assert outbox.claim(at - 0.001, "c") == []
        waits.append(at - now)
        now = at
    return waits


def test_what_never_ends_is_asked_for_again_and_its_late_answer_does_not_count(make_bench):
    bench = make_bench()
    bench.process(up=0)
    (hung,), (repair,) = bench.take("rt"), bench.take("runner")
    bench.pass_time(OVERDUE_SECONDS - 60)
    assert bench.take("rt") == []
    for _ in range(4):
        bench.pass_time(60)
    (again,) = bench.take("rt")
    assert (again.key, again.claim != hung.claim) == (hung.key, True)
    reasons = {row["target"]: row["reason"] for row in bench.reader.undelivered()}
    assert reasons["rt"] == "no end after 30 minutes"
    bench.settle(hung, id="old", url="", state="open")
    bench.settle(again, id="new", url="", state="open")
    query = "SELECT ticket_id FROM tickets"
    assert bench.database.connection.execute(query).fetchall() == [("new",)]
    assert bench.take("runner") == []  # a repair is never asked for again
    bench.settle(repair, outcome="succeeded")


def test_a_step_of_the_clock_is_no_reason_to_give_up_waiting():
    outbox = Outbox()
    outbox.add(owed(1))
    (row,) = outbox.claim(1000.0, "c")
    outbox.shift(7200.0)
    assert outbox.overdue(8200.0 + OVERDUE_SECONDS) == []
    assert outbox.overdue(8201.0 + OVERDUE_SECONDS) == [(row, "c")]


def test_a_lane_is_performed_in_order_one_row_at_a_time():
    outbox = Outbox()
    for number in (1, 2, 3):
        outbox.add(owed(number))
    for number in (1, 2, 3):
        (row,) = outbox.claim(0.0, "c")
        assert row.id == number
        assert outbox.claim(0.0, "c") == []
        outbox.settle(row)
    assert outbox.claim(0.0, "c") == []


def test_lanes_of_one_target_run_side_by_side_up_to_its_slots():
    outbox = Outbox()
    for number in range(6):
        outbox.add(owed(number, lane=str(number)))
    assert ids(outbox.claim(0.0, "c")) == [0, 1, 2, 3]


def test_a_publisher_gets_one_row_at_a_time():
    outbox = Outbox()
    for number in range(2):
        outbox.add(owed(number, lane=str(number), target="mqtt", kind=Kind.PUBLISH))
    assert ids(outbox.claim(0.0, "c")) == [0]


def test_a_target_that_is_down_does_not_hold_up_another():
    outbox = Outbox()
    outbox.add(owed(1, target="rt"))
    outbox.postpone(outbox.claim(0.0, "c")[0], 0.0, 60.0)
    outbox.add(owed(2, target="desk"))
    assert ids(outbox.claim(0.0, "c")) == [2]


def test_a_target_that_failed_is_probed_with_one_row_and_then_trusted_again():
    outbox = Outbox()
    for number in range(3):
        outbox.add(owed(number, lane=str(number)))
    first = outbox.claim(0.0, "c")
    for row in first:
        outbox.postpone(row, 0.0, 0.0)
    (probe,) = outbox.claim(1000.0, "c")
    outbox.settle(probe)
    assert len(outbox.claim(1000.0, "c")) == 2


def test_waits_grow_to_five_minutes_and_no_further():
    outbox = Outbox()
    outbox.add(owed(1))
    waits = failing(outbox, 16)
    for number, wait in enumerate(waits):
        ceiling = min(300.0, 2.0**number)
        assert ceiling / 2 <= wait <= ceiling


def test_the_far_end_may_ask_for_a_longer_wait():
    outbox = Outbox()
    outbox.add(owed(1))
    assert failing(outbox, 1, retry_after=600.0) == [600.0]


def test_a_publisher_is_asked_again_soon_however_long_it_was_away():
    outbox = Outbox()
    outbox.add(owed(1, target="mqtt", kind=Kind.PUBLISH))
    assert max(failing(outbox, 12)) <= 10.0


def test_success_ends_the_waiting():
    outbox = Outbox()
    outbox.add(owed(1))
    outbox.add(owed(2))
    failing(outbox, 9)
    outbox.settle(outbox.claim(1e6, "c")[0])
    assert ids(outbox.claim(0.0, "c")) == [2]
    assert outbox.next_at() is None


def test_an_answer_under_another_claim_is_nobodys():
    outbox = Outbox()
    outbox.add(owed(1))
    (row,) = outbox.claim(0.0, "mine")
    assert outbox.running(1, "another") is None
    assert outbox.running(2, "mine") is None
    assert outbox.running(1, "mine") is row
    outbox.settle(row)
    assert outbox.running(1, "mine") is None


def test_a_step_of_the_clock_makes_no_wait_longer():
    outbox = Outbox()
    outbox.add(owed(1))
    at = outbox.postpone(outbox.claim(1e6, "c")[0], 1e6, 60.0)
    outbox.shift(-3600.0)
    assert outbox.next_at() == at - 3600.0
    assert ids(outbox.claim(at - 3600.0, "c")) == [1]


class OutboxMachine(RuleBasedStateMachine):
    """Every sequence of adding, claiming, settling, postponing and dropping, beside a model of plain lists."""

    def __init__(self):
        super().__init__()
        self.outbox = Outbox()
        self.now = 0.0
        self.claims = 0
        self.next_id = 1
        self.waiting = defaultdict(list)
        self.running = {}
        self.over = []

    @rule(place=st.tuples(st.sampled_from(TARGETS), st.sampled_from(LANES)))
    def add(self, place):
        target, lane = place
        row = owed(self.next_id, lane, target)
        self.next_id += 1
        self.waiting[place].append(row)
        self.outbox.add(row)

    @rule(seconds=st.floats(0.0, 400.0))
    def pass_time(self, seconds):
        self.now += seconds

    @rule()
    def claim(self):
        self.claims += 1
        for row in self.outbox.claim(self.now, f"claim {self.claims}"):
            assert row is self.waiting[row.target, row.lane][0], "not the oldest of its lane"
            assert row.id not in self.running, "claimed twice"
            self.running[row.id] = (row, f"claim {self.claims}")

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def settle(self, data):
        row = self._answered(data)
        self.outbox.settle(row)
        self.over.append(self.waiting[row.target, row.lane].pop(0))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), retry_after=st.sampled_from([0.0, 30.0, 1000.0]))
    def postpone(self, data, retry_after):
        row = self._answered(data)
        assert self.outbox.postpone(row, self.now, retry_after) >= self.now + retry_after

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def drop(self, data):
        row = self._answered(data)
        lane = self.waiting.pop((row.target, row.lane))
        assert self.outbox.drop_lane(row) == lane[1:]
        self.over += lane

    def _answered(self, data):
        row, claim = self.running.pop(data.draw(st.sampled_from(sorted(self.running))))
        assert self.outbox.running(row.id, claim) is row
        return row

    @invariant()
    def one_row_of_a_lane_runs_at_a_time(self):
        lanes = [(row.target, row.lane) for row, _ in self.running.values()]
        assert len(lanes) == len(set(lanes))

    def teardown(self):
        """Everything that was added comes out, once, if only somebody goes on asking."""
        for row, _ in list(self.running.values()):
            self.outbox.settle(row)
            self.over.append(self.waiting[row.target, row.lane].pop(0))
        self.running.clear()
        for _ in range(self.next_id * 2):
            self.now += 2000.0
            for row in self.outbox.claim(self.now, "last"):
                self.outbox.settle(row)
                self.over.append(self.waiting[row.target, row.lane].pop(0))
        assert sorted(ids(self.over)) == list(range(1, self.next_id))


TestAnySequence = OutboxMachine.TestCase
TestAnySequence.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
