"""Words on waiting plans: signed messages and remarks, and whatever pretends to be one."""

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.incidents.events import Acknowledged, Approved, Declined, MajorDeclared, Rejected, Released
from agent.intake.words import MOST_CHARGE_SECONDS, WordError, charged, remarked, signed

NOW = 1_800_000_000.0
KEYS = {"ann": b"a key of ann's", "bob": b"a key of bob's"}
PLAN = "0123456789abcdef"


def message(key=KEYS["ann"], sign=None, **changes):
    fields = {
        "incident": "i1",
        "plan": PLAN,
        "word": "approve",
        "actor": "ann",
        "expires": int(NOW) + 600,
        "comment": "",
        **changes,
    }
    names = ("incident", "plan", "word", "actor", "expires", "comment")
    text = "\n".join(str(fields[name]) for name in names)
    signature = sign if sign is not None else hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return json.dumps({**fields, "signature": signature}).encode()


def test_a_signed_word_is_an_order_of_who_holds_the_key():
    order = signed(message(comment="after\nthe backup"), KEYS, NOW)
    assert order.incident_id == "i1"
    assert order.event == Approved(actor="ann", via="mqtt", plan=PLAN, comment="after\nthe backup")


def test_a_signed_no_is_a_rejection():
    assert signed(message(word="reject"), KEYS, NOW).event == Rejected(actor="ann", via="mqtt", plan=PLAN)


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (message(key=KEYS["bob"]), "not signed with the key of 'ann'"),
        (message(sign=""), "not signed"),
        (message(sign="é"), "not signed"),
        (message(actor="eve"), "no key of 'eve'"),
        (message(actor="ann\nann"), "no key"),
        (message(incident="i1\n" + PLAN), "no key"),
        (message(expires=int(NOW)), "has expired"),
        (message(expires=int(NOW) + 90_000), "more than a day"),
        (message(word="destroy"), "not understood"),
        (message(sudo="yes"), "not understood"),
        (b"", "not understood"),
        (b"approve", "not understood"),
        (b"\xff\xfe", "not understood"),
    ],
)
def test_what_does_not_count_is_refused_with_the_reason(payload, says):
    with pytest.raises(WordError, match=says):
        signed(payload, KEYS, NOW)


@given(st.sampled_from(["incident", "plan", "word", "actor", "expires", "comment"]), st.text(max_size=8))
def test_no_field_can_be_changed_after_signing(name, value):
    fields = json.loads(message())
    changed = int(NOW) + 601 if name == "expires" else value
    if name == "word":
        changed = "reject"
    if fields[name] == changed:
        return
    with pytest.raises(WordError):
        signed(json.dumps(fields | {name: changed}).encode(), KEYS, NOW)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(payload):
    with pytest.raises(WordError):
        signed(payload, KEYS, NOW)


def remark(text):
    order = remarked(text, incident="i1", plan=PLAN, actor="ann", via="rt")
    return order.event if order is not None else None


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        (f"approve {PLAN}", ""),
        (f"Hello\n  Approve {PLAN}: after the backup\nBye", "after the backup"),
        (f"APPROVE {PLAN.upper()}", ""),
    ],
)
def test_a_remark_that_says_approve_and_names_the_plan_is_an_approval(text, comment):
    assert remark(text) == Approved(actor="ann", via="rt", plan=PLAN, comment=comment)


def test_a_remark_can_say_no():
    assert remark(f"reject {PLAN} not now") == Rejected(actor="ann", via="rt", plan=PLAN, comment="not now")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "approve",
        "approve it",
        "approve fedcba9876543210",
        f"> approve {PLAN}",
        f"I do not approve {PLAN}",
        f"approve {PLAN}0",
    ],
)
def test_other_remarks_and_quotes_say_nothing(text):
    assert remark(text) is None


def charge(text):
    return charged(text, incident="i1", actor="rt:ann", now=NOW, remark=("rt", 7))


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("paramedic acknowledge", Acknowledged(actor="rt:ann")),
        ("paramedic ack 2h: looking", Acknowledged(actor="rt:ann", until=NOW + 7200, comment="looking")),
        ("Hello,\n Paramedic: pause for 1h30m", Acknowledged(actor="rt:ann", until=NOW + 5400)),
        ("paramedic release", Released(actor="rt:ann")),
        ("paramedic won't fix", Declined(actor="rt:ann")),
        (
            "paramedic WON\u2019T FIX 30d, new disk comes",
            Declined(actor="rt:ann", until=NOW + 30 * 86400, comment="new disk comes"),
        ),
        ("paramedic wontfix 2 disks", Declined(actor="rt:ann", comment="2 disks")),
        ("paramedic major shop is down", MajorDeclared(actor="rt:ann", comment="shop is down")),
        ("paramedic ack 1s9h", Acknowledged(actor="rt:ann", comment="1s9h")),
        ("paramedic not major", MajorDeclared(actor="rt:ann", major=False)),
        ("paramedic ack 9999d", Acknowledged(actor="rt:ann", until=NOW + MOST_CHARGE_SECONDS)),
    ],
)
def test_a_remark_takes_charge_of_an_incident(text, event):
    order = charge(text)
    assert (order.incident_id, order.event, order.remark) == ("i1", event, ("rt", 7))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ack",
        "please paramedic ack",
        "> paramedic ack",
        "paramedic acknowledged it",
        "paramedical ack",
        "paramedic fix",
    ],
)
def test_what_is_only_talk_about_it_orders_nothing(text):
    assert charge(text) is None
