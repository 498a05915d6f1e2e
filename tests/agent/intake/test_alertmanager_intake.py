"""Alerts posted in Alertmanager's shape."""

import json

import pytest

from agent.intake.alertmanager import parse
from agent.intake.decoding import IntakeError, decode


def posted(*alerts):
    return parse(json.dumps(alerts).encode())


def test_an_alert_as_prometheus_sends_it_is_normalised():
    result = posted(
        {
            "labels": {"alertname": "Down", "unit": "web", "empty": ""},
            "annotations": {"summary": "it is down"},
            "startsAt": "2026-11-22T12:00:00.123456789+01:00",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://p/graph",
            "fingerprint": "ignored",
        }
    )
    assert result.errors == ()
    assert result.alerts == (
        {
            "labels": {"alertname": "Down", "unit": "web"},
            "annotations": {"summary": "it is down"},
            "generatorURL": "http://p/graph",
            "startsAt": "2026-11-22T11:00:00.123457Z",
        },
    )


def test_good_alerts_survive_bad_neighbours():
    result = posted({"labels": {"alertname": "A"}}, {"labels": {"x": "y"}}, {"labels": {"alertname": "B"}})
    assert [alert["labels"]["alertname"] for alert in result.alerts] == ["A", "B"]
    assert result.errors == ("alert 1: it has no alertname",)


@pytest.mark.parametrize(
    ("alert", "reason"),
    [
        ({"labels": {}}, "no alertname"),
        ({"labels": {"alertname": ""}}, "no alertname"),
        ({"labels": {"alertname": "A", "a\nb": "1"}}, "not printable"),
        ({"labels": {"alertname": "A", "x": "v" * 20_000}}, "longer than"),
        ({"labels": {"alertname": "A", **{f"l{n}": "v" for n in range(70)}}}, "more than 64"),
        ({"labels": {"alertname": "A"}, "startsAt": "2026-11-22T12:00:00"}, "no time zone"),
        ({"labels": {"alertname": "A"}, "endsAt": "9999-12-31T23:59:59-10:00"}, "out of range"),
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
    "body", [b"", b"{}", b"[1]", b'[{"labels":{"alertname":1}}]', b"\xff", b'[{"labels":{"":"x"}}]', b'[{"labels"']
)
def test_a_body_that_is_no_list_of_alerts_is_refused_with_words(body):
    with pytest.raises(IntakeError, match="bad JSON"):
        parse(body)


@pytest.mark.parametrize("levels", [33, 100_000])
def test_json_is_refused_beyond_32_levels(levels):
    with pytest.raises(IntakeError, match="nested deeper than 32"):
        decode(b"[" * levels + b"]" * levels, list)


def test_json_of_32_levels_and_brackets_in_strings_are_taken():
    assert decode(b"[" * 32 + b"]" * 32, list)
    assert decode(json.dumps({"a": "[" * 100 + '"\\{'}).encode(), dict) == {"a": "[" * 100 + '"\\{'}
