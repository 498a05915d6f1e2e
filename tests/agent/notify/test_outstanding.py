"""What an Alertmanager is told, and when."""

from dataclasses import replace

import pytest

from agent.notify.outstanding import MAX_RESOLVED, RESOLVED_KEPT_SECONDS, Outstanding, postable
from collectors.sample import labels
from rules.alert import Alert, AlertState

WALL = 1_800_000_000.0
ALERT = Alert(
    fingerprint="f1",
    rule="r",
    rule_version="1",
    labels=labels(alertname="Down", empty="", instance="own"),
    annotations=labels(summary="it is down"),
    state=AlertState.FIRING,
    value=1.0,
    active_at=WALL - 20,
    fired_at=WALL - 10,
    generator_url="http://p/graph",
)
RESOLVED = replace(ALERT, state=AlertState.RESOLVED, resolved_at=WALL)


def sent(outstanding, now):
    entries = outstanding.due(now)
    outstanding.delivered(entries, now)
    return [entry.alert.state for entry in entries]


def test_a_firing_alert_is_sent_at_once_and_again_each_resend_interval():
    outstanding = Outstanding(resend_seconds=60)
    assert outstanding.next_at() is None
    assert outstanding.offer([ALERT], 0)
    assert sent(outstanding, 0) == [AlertState.FIRING]
    assert sent(outstanding, 59) == []
    assert outstanding.next_at() == 60
    assert sent(outstanding, 60) == [AlertState.FIRING]


def test_what_was_not_delivered_stays_due():
    outstanding = Outstanding(resend_seconds=60)
    outstanding.offer([ALERT], 0)
    assert outstanding.due(0)
    assert outstanding.due(1)


def test_new_annotations_wait_for_the_next_resend():
    outstanding = Outstanding(resend_seconds=60)
    outstanding.offer([ALERT], 0)
    sent(outstanding, 0)
    assert not outstanding.offer([replace(ALERT, annotations=labels(summary="value 2"), value=2.0)], 15)
    assert outstanding.due(30) == []
    assert outstanding.due(60)[0].alert.value == 2.0


def test_missing_data_is_still_firing_and_nothing_new():
    outstanding = Outstanding(resend_seconds=60)
    outstanding.offer([ALERT], 0)
    sent(outstanding, 0)
    assert not outstanding.offer([replace(ALERT, state=AlertState.NO_DATA)], 15)
    assert sent(outstanding, 60) == [AlertState.NO_DATA]


def test_pending_alerts_are_nobody_s_business():
    outstanding = Outstanding(resend_seconds=60)
    assert not outstanding.offer([replace(ALERT, state=AlertState.PENDING)], 0)
    assert len(outstanding) == 0


def test_a_resolved_alert_is_told_at_once_for_fifteen_minutes_and_then_forgotten():
    outstanding = Outstanding(resend_seconds=60)
    outstanding.offer([ALERT], 0)
    sent(outstanding, 0)
    assert outstanding.offer([RESOLVED], 10)
    assert sent(outstanding, 10) == [AlertState.RESOLVED]
    assert sent(outstanding, 70) == [AlertState.RESOLVED]
    assert sent(outstanding, 10 + RESOLVED_KEPT_SECONDS + 1) == []
    assert len(outstanding) == 0


def test_a_resolved_alert_that_could_not_be_told_is_kept_until_it_can():
    outstanding = Outstanding(resend_seconds=60)
    outstanding.offer([RESOLVED], 0)
    assert outstanding.due(100_000)
    assert sent(outstanding, 100_000) == [AlertState.RESOLVED]
    assert sent(outstanding, 100_060) == []


def test_undelivered_resolved_alerts_are_bounded_and_firing_ones_are_never_dropped():
    outstanding = Outstanding(resend_seconds=60)
    outstanding.offer([ALERT], 0)
    outstanding.offer([replace(RESOLVED, fingerprint=str(n)) for n in range(MAX_RESOLVED + 5)], 1)
    due = outstanding.due(2)
    assert len(due) == MAX_RESOLVED + 1
    assert due[0].alert is ALERT
    assert due[1].alert.fingerprint == "5"


def test_a_change_while_its_predecessor_is_being_sent_is_not_lost():
    outstanding = Outstanding(resend_seconds=60)
    outstanding.offer([ALERT], 0)
    sending = outstanding.due(0)
    outstanding.offer([RESOLVED], 1)
    outstanding.delivered(sending, 2)
    assert sent(outstanding, 2) == [AlertState.RESOLVED]


def test_an_alert_that_fires_again_is_new():
    outstanding = Outstanding(resend_seconds=60)
    outstanding.offer([RESOLVED], 0)
    sent(outstanding, 0)
    assert outstanding.offer([replace(ALERT, fired_at=WALL + 5)], 5)
    assert sent(outstanding, 5) == [AlertState.FIRING]


def test_a_firing_alert_ends_by_itself_after_four_missed_resends():
    body = postable(ALERT, external=labels(instance="web1", job="node"), resend_seconds=60, at=WALL)
    assert body == {
        "labels": {"alertname": "Down", "instance": "own", "job": "node"},
        "annotations": {"summary": "it is down"},
        "startsAt": "2027-01-15T07:59:50.000000Z",
        "endsAt": "2027-01-15T08:04:00.000000Z",
        "generatorURL": "http://p/graph",
    }


def test_an_alert_that_does_not_say_where_it_comes_from_comes_from_the_daemon():
    for own, source_url, shown in (("", "http://d/", "http://d/"), ("http://p/graph", "http://d/", "http://p/graph")):
        alert = replace(ALERT, generator_url=own)
        body = postable(alert, external=(), resend_seconds=60, at=WALL, source_url=source_url)
        assert body["generatorURL"] == shown


@pytest.mark.parametrize(
    ("resolved_at", "ends"), [(WALL, "08:00:00"), (WALL + 999, "08:00:30"), (WALL - 99, "07:59:50")]
)
def test_a_resolved_alert_ends_in_the_past_but_not_before_it_began(resolved_at, ends):
    body = postable(replace(RESOLVED, resolved_at=resolved_at), external=(), resend_seconds=60, at=WALL + 30)
    assert body["endsAt"] == f"2027-01-15T{ends}.000000Z"


def test_a_generator_url_that_an_alertmanager_would_refuse_is_left_out():
    assert "generatorURL" not in postable(
        replace(ALERT, generator_url="javascript:x"), external=(), resend_seconds=60, at=WALL
    )
