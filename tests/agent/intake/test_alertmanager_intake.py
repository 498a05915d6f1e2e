"""Alerts posted in Alertmanager's shape."""

import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.intake.alertmanager import glances, parse
from agent.intake.decoding import IntakeError, decode

RFC3339 = r"\d{4}-[01]\d-[0-3]\d[tT ][0-2]\d:[0-5]\d:[0-6]\d(\.\d{1,12})?([zZ]|[+-][0-2]\d:[0-5]\d)"


def posted(*alerts):
    return parse(json.dumps(alerts).encode())


def test_an_alert_as_prometheus_sends_it_is_taken_without_what_means_nothing():
    alert = {
        "labels": {"alertname": "Down", "unit": "web"},
        "annotations": {"summary": "it is down"},
        "startsAt": "2026-11-22T12:00:00.123456789+01:00",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://p/graph",
    }
    sent = {**alert, "labels": {**alert["labels"], "empty": ""}, "fingerprint": "ignored"}
    result = posted(sent)
    assert result.errors == ()
    (post,) = result.alerts
    assert json.loads(post.document()) == {**alert, "endsAt": None}
    assert post.started_at == pytest.approx(datetime.fromisoformat(alert["startsAt"]).timestamp(), abs=1e-5)


def test_times_that_are_null_are_times_not_given():
    alert = {"labels": {"alertname": "A"}, "startsAt": None, "endsAt": None}
    (post,) = posted(alert).alerts
    assert (post.started_at, post.ends_at) == (None, None)
    assert len(posted(alert, {"labels": {}}).errors) == 1


def test_good_alerts_survive_bad_neighbours():
    result = posted({"labels": {"alertname": "A"}}, {"labels": {"x": ""}}, {"labels": {"alertname": "B"}})
    assert [post.labels["alertname"] for post in result.alerts] == ["A", "B"]
    assert result.errors == ("alert 1: it has no labels",)


@pytest.mark.parametrize(
    ("alert", "reason"),
    [
        ({"labels": {}}, "no labels"),
        ({"labels": {"alertname": ""}}, "no labels"),
        ({"labels": {"alertname": "A", "a\nb": "1"}}, "not printable"),
        ({"labels": {"alertname": "A", "x": "v" * 20_000}}, "length <= 16384"),
        ({"labels": {"alertname": "A", **{f"l{n}": "v" for n in range(70)}}}, "length <= 64"),
        ({"labels": {"alertname": "A"}, "startsAt": "2026-11-22T12:00:00"}, "timezone"),
        ({"labels": {"alertname": "A"}, "endsAt": "2026-02-30T12:00:00Z"}, "datetime"),
        ({"labels": {"alertname": "A"}, "endsAt": "2026-W01-1"}, "datetime"),
        ({"labels": {"alertname": "A"}, "endsAt": 5}, "datetime"),
        ({"labels": {"alertname": 1}}, "str"),
        ({"labels": {"alertname": "A", "": "x"}}, "length >= 1"),
        ({"annotations": {}}, "labels"),
        (1, "object"),
        (
            {"labels": {"alertname": "A"}, "startsAt": "2026-11-22T12:00:00Z", "endsAt": "2026-11-22T11:00:00Z"},
            "ends before",
        ),
    ],
)
def test_a_bad_alert_is_named_with_its_reason(alert, reason):
    result = posted(alert)
    assert result.alerts == ()
    assert reason in result.errors[0]


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"null", b'"a"', b"\xff", b'[{"labels"', b'[{"labels":{"alertname":"\\ud800"}}]']
)
def test_a_body_that_is_no_list_of_alerts_is_refused_with_words(body):
    with pytest.raises(IntakeError, match=r"bad JSON|Expected `array`"):
        parse(body)


@given(st.datetimes(timezones=st.timezones()) | st.text(max_size=40) | st.from_regex(RFC3339, fullmatch=True))
def test_whatever_time_is_taken_can_be_read_by_those_who_apply_it(time):
    text = time.isoformat() if isinstance(time, datetime) else time
    for post in posted({"labels": {"alertname": "A"}, "endsAt": text}).alerts:
        (again,) = parse(b"[%b]" % post.document()).alerts
        assert (again.identity, again.rest, again.ends_at) == (post.identity, post.rest, post.ends_at)


@pytest.mark.parametrize("levels", [33, 100_000])
def test_json_is_refused_beyond_32_levels(levels):
    with pytest.raises(IntakeError, match="nested deeper than 32"):
        decode(b"[" * levels + b"]" * levels, list)


@pytest.mark.parametrize("levels", [40, 100_000])
def test_what_stands_beside_an_alert_is_no_deeper_either(levels):
    body = b'[{"labels": {"alertname": "A"}, "other": %b}]' % (b"[" * levels + b"]" * levels)
    with pytest.raises(IntakeError, match="nested deeper than 32"):
        parse(body, glances(body))


def test_what_stands_beside_an_alert_is_as_good_as_not_there():
    body = b'[{"labels": {"alertname": "A"}, "fingerprint": "f", "status": {"state": "active", "silencedBy": []}}]'
    assert [post.labels for post in parse(body, glances(body)).alerts] == [{"alertname": "A"}]


def test_json_of_32_levels_and_brackets_in_strings_are_taken():
    assert decode(b"[" * 32 + b"]" * 32, list)
    assert decode(json.dumps({"a": "[" * 100 + '"\\{'}).encode(), dict) == {"a": "[" * 100 + '"\\{'}
