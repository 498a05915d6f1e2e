"""CloudEvents as alerts."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.intake.cloudevents import BATCH, MAX_DATA, STRUCTURED, parse
from agent.intake.decoding import IntakeError
from agent.intake.webhook import LEASE_SECONDS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
EVENT = {"specversion": "1.0", "id": "7", "source": "/backup/db1", "type": "com.example.backup.failed"}


def structured(**attributes):
    return parse(STRUCTURED, {}, json.dumps(EVENT | attributes).encode(), NOW)


def only(posted):
    assert posted.errors == ()
    (alert,) = posted.alerts
    return json.loads(alert.document())


def ends(alert):
    return datetime.fromisoformat(alert["endsAt"]).timestamp()


def test_type_source_and_subject_are_the_alert_s_labels():
    alert = only(structured(subject="orders", time="2026-11-22T11:00:00Z", data={"message": "no space", "size": 3}))
    assert alert["labels"] == {
        "alertname": "com.example.backup.failed",
        "source": "/backup/db1",
        "subject": "orders",
        "severity": "warning",
    }
    assert alert["annotations"] == {
        "summary": "no space",
        "event_id": "7",
        "data": '{"message":"no space","size":3}',
    }
    assert alert["startsAt"] == "2026-11-22T11:00:00Z"
    assert ends(alert) == NOW + LEASE_SECONDS


@pytest.mark.parametrize(
    "attributes",
    [{"severity": "CRITICAL"}, {"severitytext": "critical"}, {"data": {"severity": "critical"}}],
)
def test_its_severity_is_an_attribute_or_stands_in_the_data(attributes):
    assert only(structured(**attributes))["labels"]["severity"] == "critical"


@pytest.mark.parametrize("attributes", [{"status": "resolved"}, {"data": {"status": "resolved"}}])
def test_only_resolved_ends_it(attributes):
    assert ends(only(structured(**attributes))) == NOW
    assert ends(only(structured(status="fine"))) > NOW


def test_it_holds_until_it_expires():
    assert ends(only(structured(expirytime="2026-11-22T12:10:00Z"))) == NOW + 600


def test_a_batch_is_taken_event_by_event():
    events = [EVENT, {**EVENT, "specversion": "0.3"}, 7, {**EVENT, "source": ""}, {**EVENT, "type": "other"}]
    posted = parse(BATCH, {}, json.dumps(events).encode(), NOW)
    assert [alert.labels["alertname"] for alert in posted.alerts] == ["com.example.backup.failed", "other"]
    assert len(posted.errors) == 3


def binary(body=b"", media_type="", **more):
    headers = {f"ce-{name}": value for name, value in (EVENT | more).items()}
    return parse(media_type, headers | {"host": "x", "authorization": "secret"}, body, NOW)


def test_in_binary_mode_attributes_are_headers_and_the_body_is_the_data():
    alert = only(binary(b'{"message": "no space"}', "application/json", subject="b%C3%BCro", severity="critical"))
    assert alert["labels"]["subject"] == "b\u00fcro"
    assert alert["labels"]["severity"] == "critical"
    assert alert["annotations"]["summary"] == "no space"
    text = only(binary(b"\xffplain", "text/plain"))
    assert text["annotations"]["data"] == "\ufffdplain"
    assert "secret" not in json.dumps(alert)


def test_data_is_kept_in_part_only():
    assert len(only(structured(data="x" * 100_000))["annotations"]["data"]) == MAX_DATA


@pytest.mark.parametrize(
    ("media_type", "headers", "body"),
    [
        ("application/json", {}, json.dumps(EVENT).encode()),
        (STRUCTURED, {}, b"[]"),
        (STRUCTURED, {}, b"{"),
        (BATCH, {}, b"{}"),
        ("application/json", {"ce-specversion": "1.0"}, b"{"),
    ],
)
def test_what_is_no_event_is_refused(media_type, headers, body):
    with pytest.raises(IntakeError):
        parse(media_type, headers, body, NOW)


@pytest.mark.parametrize("missing", EVENT)
def test_an_event_without_a_required_attribute_is_named(missing):
    event = {name: value for name, value in EVENT.items() if name != missing}
    posted = parse(STRUCTURED, {}, json.dumps(event).encode(), NOW)
    assert posted.alerts == ()
    assert missing in posted.errors[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)
NAMES = ("subject", "time", "expirytime", "severity", "severitytext", "status", "data", "summary", *EVENT)
EVENTS = st.dictionaries(st.sampled_from(NAMES), JSON | st.just("2026-11-22T11:00:00Z")).map(lambda odd: EVENT | odd)
TEXTS = st.dictionaries(st.sampled_from([f"ce-{name}" for name in NAMES]), st.text(max_size=8))


@given(st.lists(EVENTS | JSON), TEXTS, st.binary(max_size=20), st.sampled_from([STRUCTURED, BATCH, "text/plain", ""]))
def test_any_request_is_refused_or_is_alerts_that_can_be_applied(events, headers, noise, media_type):
    first = events[0] if events and media_type == STRUCTURED else events
    body = noise or json.dumps(first).encode()
    try:
        posted = parse(media_type, headers | {"ce-specversion": "1.0"}, body, NOW)
    except IntakeError:
        return
    for alert in posted.alerts:
        assert alert.labels["alertname"]
        assert alert.ends_at is not None
