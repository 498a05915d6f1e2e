"""Trees back to text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.promql.expression import parse
from rules.promql.printing import MAX_WIDTH, duration, formatted, shown


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ('sum(rate(x{a="b"}[90m])) by (job)', 'sum by (job) (rate(x{a="b"}[1h30m]))'),
        ("sum without()(x)", "sum without () (x)"),
        ("topk(3,x)", "topk(3, x)"),
        ("(-2)^2 + -2^2", "(-2) ^ 2 + -2 ^ 2"),
        ("a-(b-c)-d", "a - (b - c) - d"),
        ("((a))", "a"),
        ("x offset -1w @ 5", "x @ 5.000 offset -1w"),
        ("(a+b)[1d:] @ end()", "(a + b)[1d:] @ end()"),
        ('{"a.b", "c.d"=~"e"}', '{"a.b","c.d"=~"e"}'),
        ('{__name__=~"a.*"}', '{__name__=~"a.*"}'),
        ("a * on(x) group_left b", "a * on (x) group_left () b"),
        ("a > bool ignoring(x) b", "a > bool ignoring (x) b"),
        ("a + fill(0) b", "a + fill_left (0) fill_right (0) b"),
        (r"label_replace(x, 'a', `\d`, 'b', '')", r'label_replace(x, "a", "\\d", "b", "")'),
        ("info(x offset 1m)", "info(x offset 1m, target_info)"),
    ],
)
def test_an_expression_is_written_as_prometheus_writes_it(text, printed):
    assert shown(parse(text)) == printed
    assert parse(printed) == parse(text)


def test_what_is_long_is_divided_over_lines():
    text = f"sum by (job) (rate({'x' * 60}[5m])) / on (job) group_left () topk(3, {'y' * 60}) > -max({'z' * 99})"
    printed = formatted(parse(text))
    assert printed.splitlines() == [
        f"    sum by (job) (rate({'x' * 60}[5m]))",
        "  / on (job) group_left ()",
        f"    topk(3, {'y' * 60})",
        ">",
        "  -max(",
        f"    {'z' * 99}",
        "  )",
    ]
    assert parse(printed) == parse(text)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0s"), (1, "1ms"), (90_000, "1m30s"), (93_600_000, "1d2h"), (8 * 86_400_000, "8d"), (-31_536_000_000, "-1y")],
)
def test_durations_are_written_as_prometheus_writes_them(milliseconds, text):
    assert duration(milliseconds) == text


names = st.sampled_from(["up", "a:b", "node_load1"])
labels = st.sampled_from(["job", "instance", "le"])
offsets = st.sampled_from(["", " offset 5m", " offset -90s", " @ 12.5", " @ start() offset 1d"])
values = st.text(st.characters(exclude_categories=["Cs"]), max_size=4).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
)
matchers = st.dictionaries(labels, st.builds("{}{}".format, st.sampled_from(["=", "!="]), values), max_size=2).map(
    lambda found: ",".join(sorted(f"{label}{test}" for label, test in found.items()))
)
series = st.builds("{}{{{}}}".format, names, matchers)
instants = st.one_of(st.builds("{}{}".format, series, offsets), st.sampled_from(["1", "-3", "0.5", "time()"]))
groupings = st.sampled_from(["", " by (job)", " without (le)"])
OPERATORS = ["+", "-", "*", "/", "%", "^", "==", "!=", ">", "<", "atan2", "and", "or", "unless"]


def over(inner):
    return st.one_of(
        st.builds("({}) {} ({})".format, inner, st.sampled_from(OPERATORS), inner),
        st.builds("({}) * on (job) group_left (le) ({})".format, inner, inner),
        st.builds("{} {} {}".format, inner, st.sampled_from(OPERATORS), inner),
        st.builds("-({})".format, inner),
        st.builds("sum{} ({})".format, groupings, inner),
        st.builds("quantile{} (0.9, {})".format, groupings, inner),
        st.builds("abs({})".format, inner),
        st.builds("max_over_time(({})[1h:5m]{})".format, inner, offsets),
        st.builds("rate({}[5m]{})".format, series, offsets),
    )


@given(st.recursive(instants, over, max_leaves=12))
def test_what_is_printed_means_the_same(text):
    try:
        tree = parse(text)
    except ValueError:
        return  # not of the right type
    assert parse(shown(tree)) == tree
    assert parse(formatted(tree)) == tree
    assert all(len(line) <= MAX_WIDTH * 3 for line in formatted(tree).splitlines())
