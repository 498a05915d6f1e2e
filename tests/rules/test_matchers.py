"""Label matchers."""

import pytest

from collectors.sample import labels
from rules.matchers import CACHED_VALUES, MatcherError, Operator, parse, parse_all


@pytest.mark.parametrize(
    ("text", "name", "operator", "value"),
    [
        ('a="b"', "a", Operator.EQUAL, "b"),
        ('a != "b"', "a", Operator.NOT_EQUAL, "b"),
        (' a =~ "b|c" ', "a", Operator.MATCHES, "b|c"),
        ('a!~"b.*"', "a", Operator.NOT_MATCHES, "b.*"),
        ("a=b", "a", Operator.EQUAL, "b"),
        ("severity=~warning|critical", "severity", Operator.MATCHES, "warning|critical"),
        ('a=""', "a", Operator.EQUAL, ""),
        ("a=", "a", Operator.EQUAL, ""),
        (r'a="say \"hi\"\n\\"', "a", Operator.EQUAL, 'say "hi"\n\\'),
        (r'a=~"\d+"', "a", Operator.MATCHES, r"\d+"),
        ('"k8s.io/name"="x"', "k8s.io/name", Operator.EQUAL, "x"),
    ],
)
def test_matchers_are_read(text, name, operator, value):
    matcher = parse(text)
    assert (matcher.name, matcher.operator, matcher.value) == (name, operator, value)


@pytest.mark.parametrize(
    "text", ["", "a", "=b", 'a="b', 'a="b"c', "1a=b", "a b=c", "a=b c", 'a=b"c', '"a=b', "a>b", 'a=~"("', "a=~[z-a]"]
)
def test_what_is_no_matcher_is_refused_with_a_reason(text):
    with pytest.raises(MatcherError) as caught:
        parse(text)
    assert len(str(caught.value)) > 10


@pytest.mark.parametrize(
    ("text", "accepted", "refused"),
    [
        ('a="b"', "b", "bb"),
        ('a!="b"', "c", "b"),
        ('a=~"b|c"', "c", "bc"),
        ('a=~"b.c"', "b\nc", "b.c."),
        ('a!~"b|c"', "bc", "b"),
        ('a=~"((?i)PRO).*"', "production", "xproduction"),
        ('a=~"é+"', "éé", "e"),
    ],
)
def test_values_are_compared_whole(text, accepted, refused):
    matcher = parse(text)
    assert matcher.accepts(accepted)
    assert not matcher.accepts(refused)
    assert matcher.matches(labels(a=accepted))
    assert not matcher.matches({"a": refused})


def test_a_missing_label_reads_as_empty():
    assert parse('a=""').matches(())
    assert parse('a!="x"').matches(())
    assert parse('a=~".*"').matches(())
    assert not parse('a=~".+"').matches(())


def test_bytes_that_are_no_text_do_not_break_a_regular_expression():
    assert parse('a=~".*"').accepts("\udcff")


def test_verdicts_are_remembered_but_not_without_end():
    matcher = parse('a=~"x.*"')
    assert not any(matcher.accepts(str(number)) for number in range(3 * CACHED_VALUES))
    assert matcher.accepts("x1")


def test_a_hostile_regular_expression_takes_no_time():
    assert not parse('a=~"(a+)+$"').accepts("a" * 50_000 + "b")


def test_lists_are_read_with_and_without_braces():
    assert [str(matcher) for matcher in parse_all('{a="b", c=~"d,e"}')] == ['a="b"', 'c=~"d,e"']
    assert [str(matcher) for matcher in parse_all('a="b",c!="}"')] == ['a="b"', 'c!="}"']
    assert parse_all("{}") == ()


def test_a_matcher_prints_as_it_is_written():
    for text in ('a="b"', r'a="x\"\\"'):
        assert parse(str(parse(text))) == parse(text)
