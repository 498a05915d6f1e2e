"""Performing: whatever a performer does, its row is answered for."""

import queue
import threading
from dataclasses import replace

import pytest

from agent.executor.pool import Pool
from agent.incidents.effects import Kind
from agent.incidents.events import EffectSettled
from tests.agent.outbox import ROW


@pytest.fixture
def settled():
    return queue.SimpleQueue()


def test_the_answer_of_a_performer_is_posted(settled):
    answer = EffectSettled(row=7, claim="mine", done=True)
    Pool({"desk": lambda _row: answer}, settled.put).hand_over(ROW)
    assert settled.get(timeout=60) is answer


def test_a_performer_that_raises_is_tried_again_and_the_error_is_the_reason(settled):
    def broken(_row):
        raise ZeroDivisionError("by nothing")

    Pool({"desk": broken}, settled.put).hand_over(ROW)
    answer = settled.get(timeout=60)
    assert (answer.row, answer.claim, answer.done, answer.dead) == (7, "mine", False, False)
    assert answer.reason == "ZeroDivisionError: by nothing"


def test_a_repair_whose_performer_raises_is_over_for_it_may_have_been_begun(settled):
    def broken(_row):
        raise OSError(28, "No space left on device")

    Pool({"runner": broken}, settled.put).hand_over(replace(ROW, kind=Kind.REMEDIATION, target="runner"))
    answer = settled.get(timeout=60)
    assert (answer.done, answer.result["outcome"]) == (True, "interrupted")
    assert "No space left" in answer.result["detail"]


@pytest.mark.parametrize(("kind", "done", "outcome"), [(Kind.REMEDIATION, True, "refused"), (Kind.TICKET, False, None)])
def test_a_host_that_has_no_thread_left_hears_so_and_the_engine_lives_on(settled, monkeypatch, kind, done, outcome):
    def start(_thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    pool = Pool({"desk": lambda _row: None}, settled.put)
    pool.hand_over(replace(ROW, kind=kind))
    answer = settled.get(timeout=60)
    assert (answer.done, answer.dead, answer.result.get("outcome")) == (done, False, outcome)
    pool.finish("desk", 0.0)  # nothing is waited for


def test_an_unknown_target_is_a_dead_letter(settled):
    Pool({}, settled.put).hand_over(replace(ROW, target="gone"))
    answer = settled.get(timeout=60)
    assert (answer.row, answer.claim, answer.dead) == (7, "mine", True)
    assert "'gone'" in answer.reason


def test_one_that_hangs_holds_up_neither_the_engine_nor_the_others(settled):
    free = threading.Event()

    def perform(asked):
        if asked.id == 1:
            free.wait(60)
        return EffectSettled(row=asked.id, claim="mine", done=True)

    pool = Pool({"desk": perform}, settled.put)
    pool.hand_over(replace(ROW, id=1))
    pool.hand_over(replace(ROW, id=2))
    assert settled.get(timeout=60).row == 2
    free.set()
    assert settled.get(timeout=60).row == 1
