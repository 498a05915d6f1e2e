"""Every row is performed on a thread of its own and answered for, whatever its performer does."""

import queue
import threading
import time

import pytest

from agent.executor.pool import Pool
from agent.incidents.effects import Kind, OutboxRow
from agent.incidents.events import EffectSettled

WAIT_SECONDS = 5.0


def row(target="runner"):
    return OutboxRow(
        id=7,
        claim="c",
        kind=Kind.REMEDIATION,
        key="k",
        target=target,
        incident_id="i",
        payload={},
        attempts=1,
        created_at=0.0,
    )


@pytest.fixture
def answers():
    return queue.Queue()


def test_a_row_is_answered_with_what_its_performer_says(answers):
    said = EffectSettled(row=7, claim="c", done=True)
    Pool({"runner": lambda _row: said}, answers.put).hand_over(row())
    assert answers.get(timeout=WAIT_SECONDS) is said


def test_a_row_for_nobody_is_dead(answers):
    Pool({}, answers.put).hand_over(row("nobody"))
    answer = answers.get(timeout=WAIT_SECONDS)
    assert (answer.dead, answer.claim) == (True, "c")
    assert "'nobody'" in answer.reason


def test_a_performer_that_raises_is_answered_for(answers):
    def fail(_row):
        raise KeyError("oops")

    Pool({"runner": fail}, answers.put).hand_over(row())
    answer = answers.get(timeout=WAIT_SECONDS)
    assert (answer.done, answer.dead, answer.reason) == (False, False, "KeyError: 'oops'")


def test_finishing_waits_for_the_answers_of_one_target_only(answers):
    begun, go, never = threading.Event(), threading.Event(), threading.Event()

    def slow(_row):
        begun.set()
        go.wait(WAIT_SECONDS)
        return EffectSettled(row=7, claim="c", done=True)

    pool = Pool({"runner": slow, "rt": lambda _row: never.wait(WAIT_SECONDS)}, answers.put)
    pool.hand_over(row())
    pool.hand_over(row("rt"))
    begun.wait(WAIT_SECONDS)
    pool.finish("runner", 0.01)
    assert answers.empty()
    threading.Timer(0.05, go.set).start()
    pool.finish("runner", WAIT_SECONDS)
    assert answers.get_nowait().done
    never.set()


def test_finishing_does_not_wait_for_ever():
    never = threading.Event()
    pool = Pool({"runner": lambda _row: never.wait(WAIT_SECONDS)}, lambda _settled: None)
    pool.hand_over(row())
    began = time.monotonic()
    pool.finish("runner", 0.05)
    assert 0.05 <= time.monotonic() - began < WAIT_SECONDS / 2
    never.set()
