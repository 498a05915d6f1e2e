"""Inhibition, with Alertmanager's meaning, beside a plain reading of its rules."""

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.incidents.inhibition import Inhibition, Sources
from collectors.sample import labels
from rules import matchers

NODE_DOWN = Inhibition(
    name="node-down",
    source=matchers.parse_all('{alertname="NodeDown"}'),
    target=matchers.parse_all('{severity="warning"}'),
    equal=("instance",),
)


def names(sources, **pairs):
    return [each.rule for each in sources.inhibiting(labels(**pairs))]


def test_a_source_mutes_targets_that_agree_with_it():
    sources = Sources([NODE_DOWN])
    source = labels(alertname="NodeDown", instance="a", severity="critical")

    assert sources.note(source, "f1", firing=True, now=1.0) is True
    assert sources.note(source, "f1", firing=True, now=2.0) is False

    assert names(sources, alertname="Slow", severity="warning", instance="a") == ["node-down"]
    assert names(sources, alertname="Slow", severity="warning", instance="b") == []
    assert names(sources, alertname="Slow", severity="critical", instance="a") == []


def test_without_its_source_a_target_is_free_and_the_moment_is_known():
    sources = Sources([NODE_DOWN])
    source, target = labels(alertname="NodeDown"), labels(severity="warning")
    sources.note(source, "f1", firing=True, now=1.0)
    sources.note(source, "f2", firing=True, now=1.0)
    sources.note(source, "f1", firing=False, now=5.0)
    assert sources.inhibiting(target)[0].fingerprint == "f2"

    sources.note(source, "f2", firing=False, now=7.0)

    assert sources.inhibiting(target) == []
    assert (sources.lifted_at(target, 6.0), sources.lifted_at(target, 7.0)) == (7.0, 0.0)
    assert sources.lifted_at(labels(severity="critical"), 0.0) == 0.0


def test_a_missing_label_equals_an_empty_one():
    sources = Sources([NODE_DOWN])
    sources.note(labels(alertname="NodeDown"), "f1", firing=True, now=1.0)

    assert names(sources, severity="warning") == ["node-down"]


def test_an_alert_does_not_mute_itself_nor_its_like():
    rule = Inhibition(
        name="both", source=matchers.parse_all('{a=~".+"}'), target=matchers.parse_all('{b=~".+"}'), equal=()
    )
    sources = Sources([rule])
    sources.note(labels(a="1", b="1"), "both", firing=True, now=1.0)

    assert names(sources, a="1", b="1") == []
    assert names(sources, b="1") == ["both"]
    sources.note(labels(a="1"), "pure", firing=True, now=1.0)
    assert names(sources, a="1", b="1") == ["both"]


PAIRS = st.dictionaries(st.sampled_from("abe"), st.sampled_from("xy"), max_size=3)
MATCHERS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["=", "!=", "=~"]), st.sampled_from(["x", "y", "x|y"])).map(
        lambda parts: matchers.parse(f'{parts[0]}{parts[1]}"{parts[2]}"')
    ),
    min_size=1,
    max_size=2,
).map(tuple)
RULE = st.builds(
    Inhibition, name=st.just("r"), source=MATCHERS, target=MATCHERS, equal=st.sampled_from([(), ("e",), ("a", "e")])
)


def meets(side, pairs):
    return all(matcher.matches(pairs) for matcher in side)


def plainly(rule, firing, target):
    """Alertmanager's rule, read word by word."""
    return meets(rule.target, target) and any(
        meets(rule.source, source)
        and all(source.get(name, "") == target.get(name, "") for name in rule.equal)
        and not (meets(rule.source, target) and meets(rule.target, source))
        for source in firing
    )


@given(RULE, st.lists(st.tuples(PAIRS, st.booleans()), max_size=8), PAIRS)
@settings(max_examples=settings.default.max_examples * 5)
def test_the_index_says_what_a_plain_reading_says(rule, history, target):
    sources, firing = Sources([rule]), {}
    for pairs, is_firing in history:
        fingerprint = str(sorted(pairs.items()))
        sources.note(labels(**pairs), fingerprint, firing=is_firing, now=1.0)
        firing[fingerprint] = pairs
        if not is_firing:
            del firing[fingerprint]

    assert bool(sources.inhibiting(labels(**target))) is plainly(rule, firing.values(), target)
