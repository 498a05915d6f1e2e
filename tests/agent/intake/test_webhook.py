"""Notifications of Alertmanager and Grafana."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.intake.decoding import IntakeError
from agent.intake.webhook import LEASE_SECONDS, parse

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
ZERO = "0001-01-01T00:00:00Z"
ALERTMANAGER = {
    "version": "4",
    "groupKey": '{}:{alertname="Down"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "paramedic",
    "groupLabels": {"alertname": "Down"},
    "commonLabels": {"alertname": "Down"},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager",
}


def alert(**changes):
    known = {
        "status": "firing",
        "labels": {"alertname": "Down", "instance": "db1"},
        "annotations": {"summary": "db1 is down"},
        "startsAt": "2026-11-22T11:00:00Z",
        "endsAt": ZERO,
        "generatorURL": "http://prometheus/graph",
        "fingerprint": "1234",
    }
    return {name: value for name, value in (known | changes).items() if value is not None}


def parsed(*alerts, **more):
    return parse(json.dumps(ALERTMANAGER | {"alerts": alerts} | more).encode(), NOW)


def ends(posted):
    return posted.alerts[0].ends_at


def test_a_firing_alert_is_a_lease_that_outlasts_the_sender_s_repeat():
    posted = parsed(alert())
    assert posted.errors == ()
    assert posted.alerts[0].labels == {"alertname": "Down", "instance": "db1"}
    assert posted.alerts[0].started_at == datetime.fromisoformat("2026-11-22T11:00:00Z").timestamp()
    assert ends(posted) == NOW + LEASE_SECONDS


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("2026-11-22T11:59:00Z", NOW - 60), (ZERO, NOW), (None, NOW), ("2026-11-22T12:00:30Z", NOW)],
)
def test_a_resolved_alert_ends_by_now_whatever_the_sender_s_clock_says(given, wanted):
    assert ends(parsed(alert(status="resolved", endsAt=given))) == wanted


def test_only_the_word_resolved_ends_an_alert():
    assert ends(parsed(alert(endsAt="2026-11-22T11:30:00Z"))) > NOW


def test_an_alert_without_a_status_has_that_of_its_group():
    assert ends(parsed(alert(status=None), status="resolved")) == NOW
    assert "neither firing nor resolved" in parsed(alert(status=None), status="unknown").errors[0]


def test_a_start_after_the_end_is_left_out():
    posted = parsed(alert(status="resolved", startsAt="2026-11-22T13:00:00Z"))
    assert posted.alerts[0].started_at is None


def test_what_grafana_adds_is_kept_where_a_person_looks():
    extra = {"valueString": "[ var='A' value=7 ]", "panelURL": "http://grafana/d/1", "values": {"A": 7}, "imageURL": ""}
    posted = parsed(alert(**extra), version="1", orgId=1, title="[FIRING:1]", state="alerting", message="text")
    assert json.loads(posted.alerts[0].document())["annotations"] == {
        "summary": "db1 is down",
        "valueString": "[ var='A' value=7 ]",
        "panelURL": "http://grafana/d/1",
    }


def test_good_alerts_survive_bad_neighbours():
    posted = parsed(alert(), alert(labels={}), alert(startsAt="yesterday"), alert(status="odd"))
    assert len(posted.alerts) == 1
    assert len(posted.errors) == 3


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"alerts": 1}', b'{"alerts": [1]}', b"[" * 100_000])
def test_what_is_no_notification_is_refused(body):
    with pytest.raises(IntakeError):
        parse(body, NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("2026-11-22T11:00:00Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)
ALERTS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["firing", "resolved"]) | JSON,
        "labels": st.dictionaries(st.sampled_from(["alertname", "x", ""]), st.text(max_size=5)) | JSON,
        "annotations": JSON,
        "startsAt": st.datetimes().map(lambda moment: moment.isoformat() + "Z") | JSON,
        "endsAt": st.datetimes().map(lambda moment: moment.isoformat() + "Z") | JSON,
        "generatorURL": JSON,
        "panelURL": JSON,
    },
)


def test_a_time_that_is_far_too_long_is_refused_whatever_it_is_made_of():
    posted = parsed(alert(startsAt="\u00e9" * 200), alert(startsAt=["\U00010000"] * 200))
    assert ["no time of this calendar" in error for error in posted.errors] == [True, True]


@given(st.binary(max_size=50) | st.fixed_dictionaries({"alerts": st.lists(ALERTS) | JSON, "status": JSON}))
def test_any_body_is_refused_or_is_alerts_that_can_be_applied(body):
    try:
        posted = parse(body if isinstance(body, bytes) else json.dumps(body).encode(), NOW)
    except IntakeError:
        return
    for each in posted.alerts:
        assert each.labels["alertname"]
        assert each.started_at is None or each.ends_at is None or each.started_at <= each.ends_at
