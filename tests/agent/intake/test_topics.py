"""Patterns of topics."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from agent.intake.topics import parse


@pytest.mark.parametrize(
    ("pattern", "topic", "labels"),
    [
        ("sensors/{room}/{kind}", "sensors/kitchen/heat", (("kind", "heat"), ("room", "kitchen"))),
        ("sensors/{room}/heat", "sensors/kitchen/cold", None),
        ("sensors/{room}", "sensors/kitchen/heat", None),
        ("sensors/{room}/heat", "sensors/kitchen", None),
        ("sensors/+/{kind}", "sensors/kitchen/heat", (("kind", "heat"),)),
        ("sensors/{room}/#", "sensors/kitchen/heat/now", (("room", "kitchen"),)),
        ("sensors/{room}/#", "sensors/kitchen", (("room", "kitchen"),)),
        ("#", "anything/at/all", ()),
        ("#", "$SYS/load", None),
        ("{first}/x", "$SYS/x", None),
        ("$SYS/{name}", "$SYS/load", (("name", "load"),)),
        ("a/{b}", "a/", ()),
        ("$share/group/a/{b}", "a/1", (("b", "1"),)),
    ],
)
def test_levels_become_labels(pattern, topic, labels):
    assert parse(pattern).match(topic) == labels


@pytest.mark.parametrize(
    ("pattern", "wanted", "exact"),
    [
        ("sensors/{room}/{kind}", "sensors/+/+", None),
        ("$share/g/{room}/#", "$share/g/+/#", None),
        ("#", "#", None),
        ("plant/boiler", "plant/boiler", "plant/boiler"),
        ("$share/g/plant/boiler", "$share/g/plant/boiler", "plant/boiler"),
    ],
)
def test_the_broker_is_asked_for_what_the_pattern_means(pattern, wanted, exact):
    assert parse(pattern).filter == wanted
    assert parse(pattern).exact == exact


@pytest.mark.parametrize(
    "pattern",
    ["", "a/{b}c", "a/b+", "a/#/c", "a/{__name__}", "a/{b}/{b}", "a/{}", "$share/g", "$share//a", "$share/+/a", "a\0b"],
)
def test_what_is_no_pattern_is_refused(pattern):
    with pytest.raises(ValueError, match=r"must be|is not|a level is|cannot be|twice"):
        parse(pattern)


LEVELS = st.sampled_from(["a", "b", "+", "{x}", "{y}", "$SYS", ""])
PARTS = st.sampled_from(["a", "b", "c", "", "$SYS"])


@given(st.lists(LEVELS, min_size=1, max_size=4), st.booleans(), st.lists(PARTS, min_size=1, max_size=5))
def test_a_topic_matches_exactly_when_mqtt_says_so(levels, open_end, parts):
    text = "/".join([*levels, "#"] if open_end else levels)
    try:
        pattern = parse(text)
    except ValueError:
        return
    topic = "/".join(parts)
    assert (pattern.match(topic) is not None) == topic_matches_sub(pattern.filter, topic)


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_is_too_odd_for_a_pattern_or_a_topic(text, topic):
    try:
        pattern = parse(text)
    except ValueError:
        return
    pattern.match(topic)
