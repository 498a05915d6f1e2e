"""Deliveries that their library does not bound are given up from outside."""

import threading

from agent.executor import notifying
from agent.executor.overdue import Bounded
from agent.incidents.events import EffectSettled
from agent.notify.mail import Mail, Post
from tests.agent.outbox import owed
from tests.services.dripping import dripping
from tests.services.service import eventually

LONG = 60.0


def row(**changes):
    return owed({"reason": "opened", "notice": {"key": "k", "subject": "s", "text": "t"}}, **changes)


def done(each):
    return EffectSettled(row=each.id, claim=each.claim, done=True)


def test_a_delivery_in_time_is_answered_as_it_went():
    assert Bounded(done, LONG).perform(row()) == done(row())


def test_a_mail_server_that_drips_its_greeting_does_not_hold_its_worker():
    with dripping(b"220 ", b"x", speaks_first=True) as port:
        post = Post(host="127.0.0.1", port=port, tls="off", sender="me@example.org", to=("a@example.org",))
        settled = Bounded(notifying.performer(Mail(post)), 0.3).perform(row())
    assert (settled.done, settled.dead, settled.reason) == (False, False, "not delivered within 0.3 s")
    assert settled.retry_after > 0


def test_while_a_delivery_hangs_no_other_joins_it_and_then_they_go_on():
    held, asked = threading.Event(), []

    def slow(each):
        asked.append(each)
        held.wait()
        return done(each)

    bounded = Bounded(slow, 0.05)
    assert bounded.perform(row()).reason == "not delivered within 0.05 s"
    assert "still busy" in bounded.perform(row()).reason
    held.set()
    assert len(asked) == 1
    eventually(lambda: bounded.perform(row()).done, LONG)
