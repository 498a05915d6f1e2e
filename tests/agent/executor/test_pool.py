"""Performing: whatever a performer does, its row is answered for."""

import queue
import threading
from dataclasses import replace

import pytest

from agent.executor.pool import Pool
from agent.incidents.events import EffectSettled
from tests.agent.outbox import ROW


@pytest.fixture
def settled():
    return queue.SimpleQueue()


def test_the_answer_of_a_performer_is_posted(settled):
    answer = EffectSettled(row=7, claim="mine", done=True)
    Pool({"desk": lambda _row: answer}, settled.put).hand_over(ROW)
    assert settled.get(timeout=5) is answer


def test_a_performer_that_raises_is_tried_again_and_the_error_is_the_reason(settled):
    def broken(_row):
        raise ZeroDivisionError("by nothing")

    Pool({"desk": broken}, settled.put).hand_over(ROW)
    answer = settled.get(timeout=5)
    assert (answer.row, answer.claim, answer.done, answer.dead) == (7, "mine", False, False)
    assert answer.reason == "ZeroDivisionError: by nothing"


def test_an_unknown_target_is_a_dead_letter(settled):
    Pool({}, settled.put).hand_over(replace(ROW, target="gone"))
    answer = settled.get(timeout=5)
    assert (answer.row, answer.claim, answer.dead) == (7, "mine", True)
    assert "'gone'" in answer.reason


def test_one_that_hangs_holds_up_neither_the_engine_nor_the_others(settled):
    free = threading.Event()

    def perform(asked):
        if asked.id == 1:
            free.wait(10)
        return EffectSettled(row=asked.id, claim="mine", done=True)

    pool = Pool({"desk": perform}, settled.put)
    pool.hand_over(replace(ROW, id=1))
    pool.hand_over(replace(ROW, id=2))
    assert settled.get(timeout=5).row == 2
    free.set()
    assert settled.get(timeout=5).row == 1
