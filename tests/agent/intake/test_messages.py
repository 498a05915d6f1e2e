"""What messages say."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.intake import messages
from agent.intake.decoding import IntakeError


@pytest.mark.parametrize(
    ("payload", "path", "value"),
    [
        (b"21.5", (), 21.5),
        (b" -1e3\n", (), -1000.0),
        (b"true", (), 1.0),
        (b"false", (), 0.0),
        (b'{"temperature": 21}', ("temperature",), 21.0),
        (b'{"a": {"b": [0, {"c": "3.5"}]}}', ("a", "b", "1", "c"), 3.5),
        (b'{"on": true}', ("on",), 1.0),
        (b"[7]", ("0",), 7.0),
        (b'{"0": 7}', ("0",), 7.0),
    ],
)
def test_a_number_is_found_bare_and_in_a_document(payload, path, value):
    assert messages.number(payload, path) == value


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        (b"", ()),
        (b"warm", ()),
        (b"NaN", ()),
        (b"inf", ()),
        (b"1e999", ()),
        (b"1_000", ()),
        ("٣".encode(), ()),
        (b"\xff\xfe", ()),
        (b"1" * 100, ()),
        (b"{}", ("a",)),
        (b"[1]", ("1",)),
        (b"[1]", ("-1",)),
        (b"[1]", ("9" * 30,)),
        (b'{"a": null}', ("a",)),
        (b'{"a": {}}', ("a",)),
        (b'{"a": "\\ud800"}', ("a",)),
        (b'{"a": 1' + b"0" * 400 + b"}", ("a",)),
        (b"[" * 100_000, ("a",)),
        (b"{", ("a",)),
    ],
)
def test_what_is_no_finite_number_is_refused(payload, path):
    with pytest.raises(IntakeError):
        messages.number(payload, path)


def test_alerts_get_the_labels_of_the_operator_and_the_topic_whatever_they_say_themselves():
    posted = messages.alerts(b'[{"labels": {"severity": "info", "x": "1"}}]', {"alertname": "A", "severity": "page"})
    assert [post.labels for post in posted.alerts] == [{"severity": "page", "x": "1", "alertname": "A"}]


def test_one_alert_needs_no_list_and_no_labels():
    (post,) = messages.alerts(b"{}", {"alertname": "A"}).alerts
    assert post.labels == {"alertname": "A"}


@pytest.mark.parametrize("payload", [b"", b"1", b'"x"', b"[[]]", b'[{"labels": 1}]', b"\xff"])
def test_what_is_no_alert_is_refused_or_named(payload):
    try:
        posted = messages.alerts(payload, {"alertname": "A"})
    except IntakeError:
        return
    assert posted.alerts == ()
    assert posted.errors


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "0"]), inner, max_size=3),
)
DOCUMENTS = st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode())
PATHS = st.lists(st.sampled_from(["a", "b", "0", "1", "²", "x"]), max_size=4).map(tuple)


@given(DOCUMENTS, PATHS)
def test_any_payload_is_a_finite_number_or_refused(payload, path):
    try:
        value = messages.number(payload, path)
    except IntakeError:
        return
    assert math.isfinite(value)


ODD_ALERT = st.dictionaries(st.sampled_from(["labels", "annotations", "startsAt", "endsAt", "generatorURL", "x"]), JSON)


@given(DOCUMENTS | st.lists(ODD_ALERT | JSON, max_size=3).map(lambda value: json.dumps(value).encode()))
def test_any_payload_is_alerts_with_our_labels_or_refused(payload):
    try:
        posted = messages.alerts(payload, {"alertname": "A", "room": "r"})
    except IntakeError:
        return
    assert all(alert.labels["room"] == "r" for alert in posted.alerts)
