"""The service catalogue and the priority that follows from it."""

from datetime import UTC, datetime

import pytest

from agent.incidents.windows import Recurrence, parse
from agent.itsm.calendars import Calendar
from agent.itsm.catalogue import DEFAULT, Catalogue, Criticality, Objective, Service
from agent.itsm.priority import Priorities
from rules import matchers

OFFICE = Calendar(name="office", hours=parse(Recurrence(days=("mon-fri",), times=("08:00-18:00",))))
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC).timestamp()
MIDNIGHT = datetime(2026, 11, 18, tzinfo=UTC).timestamp()


def service(name, *match, **more):
    return Service(name=name, match=tuple(tuple(map(matchers.parse, each)) for each in match), **more)


def test_an_alert_belongs_to_the_service_that_matches_and_else_to_the_default():
    shop = service("shop", ['name="nginx.service"'], ['mountpoint="/srv"', 'device="sda1"'])
    catalogue = Catalogue([shop])
    assert catalogue.of((("name", "nginx.service"),)) is shop
    assert catalogue.of((("device", "sda1"), ("mountpoint", "/srv"))) is shop
    assert catalogue.of((("mountpoint", "/srv"),)) is DEFAULT
    assert catalogue.of(()) is DEFAULT


def test_of_two_services_that_match_the_more_critical_one_counts():
    small = service("small", ['disk="sda"'], criticality=Criticality.LOW)
    great = service("great", ['disk="sda"'], criticality=Criticality.HIGH)
    assert Catalogue([small, great]).of((("disk", "sda"),)) is great


def test_what_a_service_depends_on_is_followed_all_the_way():
    catalogue = Catalogue(
        [service("web", depends_on=("app",)), service("app", depends_on=("db", "net")), service("db"), service("net")]
    )
    assert catalogue.below("web") == {"app", "db", "net"}
    assert catalogue.below("db") == frozenset()
    assert catalogue.below("gone") == frozenset()


def test_a_circle_is_refused_and_shown():
    with pytest.raises(ValueError, match="app → db → app"):
        Catalogue([service("app", depends_on=("db",)), service("db", depends_on=("app",))])


def test_an_unknown_dependency_is_refused_by_name():
    with pytest.raises(ValueError, match="web depends on 'bd'"):
        Catalogue([service("web", depends_on=("bd",))])


def test_a_service_that_left_the_catalogue_counts_as_the_default():
    assert Catalogue().get("gone") is DEFAULT


@pytest.mark.parametrize(
    ("criticality", "severity", "priority"),
    [
        ("high", "critical", "P1"),
        ("high", "error", "P1"),
        ("high", "warning", "P2"),
        ("medium", "critical", "P1"),
        ("medium", "error", "P2"),
        ("medium", "warning", "P3"),
        ("medium", "info", "P4"),
        ("low", "page", "P2"),
        ("low", "warning", "P4"),
    ],
)
def test_priority_comes_from_impact_and_urgency(criticality, severity, priority):
    assert Priorities().of(service("x", criticality=Criticality(criticality)), severity, NOON) == priority


def test_the_same_alert_is_less_urgent_outside_business_hours():
    shop = service("shop", criticality=Criticality.HIGH, calendar=OFFICE)
    assert Priorities().of(shop, "warning", NOON) == "P2"
    assert Priorities().of(shop, "warning", MIDNIGHT) == "P3"
    assert Priorities(outside_hours=0).of(shop, "warning", MIDNIGHT) == "P2"
    assert Priorities().of(shop, "info", MIDNIGHT) == "P3"


def test_a_service_whose_failures_are_major_incidents_may_still_be_warned_of():
    shop = service("shop", major=True)
    assert Priorities().major(shop, (), "error") == "shop is down"
    assert Priorities().major(shop, (), "warning") == ""
    assert Priorities().major(service("blog"), (), "error") == ""


def test_an_objective_of_99_9_percent_leaves_43_minutes_a_month():
    assert Objective(availability=0.999, window=30 * 86400.0).budget() == pytest.approx(43.2 * 60)
