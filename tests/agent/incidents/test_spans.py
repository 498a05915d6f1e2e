"""When an incident lasted, and whether its service counted as down."""

from dataclasses import replace

import pytest

from agent.incidents.decision import Decision, Reason
from agent.incidents.incident import Incident, Span, State
from agent.incidents.spans import traced
from collectors.sample import Origin

BASE = Incident(
    id="i1",
    key="k",
    host="h1",
    alertname="ProcessDown",
    rule="r",
    rule_version="1",
    labels=(),
    annotations=(),
    severity="critical",
    priority="P1",
    origin=Origin.LOCAL,
    state=State.OPEN,
    opened_at=100.0,
    updated_at=100.0,
    active_at=90.0,
)


def history(*turns):
    """Return the spans after each (now, changes of the incident)."""
    before, incident = None, BASE
    for now, changes in turns:
        incident = replace(incident, **changes)
        after = traced(before, Decision(incident=incident, reason=Reason.UPDATED), now).incident
        before = incident = after
    return incident.spans


def test_an_incident_lasts_from_when_its_condition_holds_until_it_is_resolved():
    assert history((100.0, {}), (130.0, {"state": State.RESOLVED})) == (Span(start=90.0, end=130.0),)


@pytest.mark.parametrize("start", [1.0, -62_000_000_000.0])
def test_a_beginning_before_everything_on_record_is_no_outage_of_decades(start):
    now = 1_800_000_000.0
    assert history((now, {"active_at": start})) == (Span(start=now),)
    lately = now - 30 * 86400.0
    assert history((now, {"active_at": lately})) == (Span(start=lately),)


def test_what_was_well_before_a_re_opening_is_no_part_of_it():
    spans = history(
        (100.0, {}),
        (130.0, {"state": State.RESOLVED}),
        (500.0, {"state": State.OPEN, "active_at": 490.0}),
        (510.0, {"state": State.RESOLVED}),
    )
    assert spans == (Span(start=90.0, end=130.0), Span(start=490.0, end=510.0))


def test_a_flapping_alert_is_never_down_twice_at_once():
    again = {"state": State.OPEN, "active_at": 80.0}  # the alert went on for a while after an operator's word
    spans = history((100.0, {}), (130.0, {"state": State.RESOLVED}), (140.0, again))
    assert spans == (Span(start=90.0, end=130.0), Span(start=130.0))


def test_maintenance_counts_against_nobody_from_when_it_begins():
    muted, over = {"suppressed": "maintenance: disks (ann)"}, {"suppressed": ""}
    assert history((100.0, {}), (110.0, muted), (150.0, over), (160.0, {"state": State.RESOLVED})) == (
        Span(start=90.0, end=110.0),
        Span(start=110.0, end=150.0, down=False, planned=True),
        Span(start=150.0, end=160.0),
    )


@pytest.mark.parametrize("says", ["silence 7f (ann)", "freeze window night; silence 7f (ann)"])
def test_a_silence_that_was_there_first_is_a_plan_and_a_later_one_is_none(says):
    first = history((100.0, {"suppressed": says}), (120.0, {"state": State.RESOLVED}))
    assert first == (Span(start=90.0, end=120.0, down=False, planned=True),)
    later = history((100.0, {}), (110.0, {"suppressed": says}), (120.0, {"state": State.RESOLVED}))
    assert later == (Span(start=90.0, end=120.0),)


@pytest.mark.parametrize("says", ["freeze window night", "inhibition 1 by HostDown", "dependency db, which is down"])
def test_what_only_holds_actions_back_leaves_the_service_as_down_as_it_is(says):
    assert history((100.0, {"suppressed": says})) == (Span(start=90.0),)


def test_a_service_is_down_from_when_it_is_bad_enough():
    mild, bad = {"severity": "warning"}, {"severity": "critical"}
    assert history((100.0, mild), (110.0, bad)) == (Span(start=90.0, end=110.0, down=False), Span(start=110.0))


def test_a_clock_that_was_set_back_makes_no_span_shorter_than_nothing():
    assert history((100.0, {}), (50.0, {"state": State.RESOLVED})) == (Span(start=90.0, end=90.0),)
