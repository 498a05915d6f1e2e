"""From text to tree."""

import pytest

from rules.matchers import Operator
from rules.promql.compile import compile_query
from rules.promql.errors import ExpressionError, OutOfScopeError
from rules.promql.expression import parse
from rules.promql.tree import (
    Aggregation,
    Binary,
    Boundary,
    Call,
    Cardinality,
    Negation,
    Number,
    Range,
    Selector,
    Subquery,
    Text,
)
from rules.series import SeriesStore


def test_a_selector_has_a_name_matchers_and_a_pin():
    node = parse('up{job="node", instance!~"a|b"} offset 5m @ 1.5')
    assert isinstance(node, Selector)
    assert node.name == "up"
    assert [(m.name, m.operator, m.value) for m in node.matchers] == [
        ("job", Operator.EQUAL, "node"),
        ("instance", Operator.NOT_MATCHES, "a|b"),
    ]
    assert (node.pin.at, node.pin.offset) == (1500, 300_000)


def test_a_name_may_be_given_as_a_matcher_or_in_quotes():
    assert parse('{__name__="up"}').name == "up"
    assert parse('{"a.b"}').name == "a.b"
    assert parse('{__name__=~"up.*"}').name is None


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("x @ -1.5", -1500),
        ("x @ 253402300800", 253_402_300_800_000),
        ("x @ 0x10", 16_000),
        ("x @ 1e3", 1_000_000),
        ("x @ start()", Boundary.START),
        ("x @ end()", Boundary.END),
        ("x @ 1m40s", 100_000),
        ("x @ -5s", -5000),
        ("x[5m:] @ 7", 7000),
        ('x{a="@ 9"} @ 7 # @ 8', 7000),
    ],
)
def test_any_time_may_follow_the_at_sign(text, at):
    assert parse(text).pin.at == at


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"`a\d\\`", r"a\d\\"),
        ('`say "hi"\n`', 'say "hi"\n'),
        (r'"\x41\xc3\xa9\303\251"', "Aéé"),
        (r"'it\'s'", "it's"),
        (r'"é\u00e9"', "éé"),
    ],
)
def test_strings_are_read_as_go_reads_them(text, value):
    assert parse(text) == Text(value=value)


def test_a_comment_is_no_expression():
    assert parse("1 # `\n + 2 # '") == parse("1 + 2")


def test_precedence_is_that_of_promql():
    assert parse("-2 ^ 2") == Negation(operand=parse("2 ^ 2"))
    assert parse("2 ^ 3 ^ 2").right == parse("3 ^ 2")
    tree = parse("a or b and c")
    assert isinstance(tree, Binary)
    assert tree.operator == "or"


def test_matching_is_read():
    tree = parse("a * on (x, y) group_left (z) b")
    assert tree.matching.cardinality is Cardinality.MANY_TO_ONE
    assert (tree.matching.on, tree.matching.labels, tree.matching.included) == (True, ("x", "y"), ("z",))
    assert parse("a and ignoring (x) b").matching.cardinality is Cardinality.SETS
    assert parse("a > bool b").as_bool


def test_durations_are_whole_milliseconds():
    assert parse("x[1h30m]") == Range(selector=parse("x"), length=5_400_000)
    subquery = parse("x[90s:15s] offset -1ms")
    assert isinstance(subquery, Subquery)
    assert (subquery.length, subquery.step, subquery.pin.offset) == (90_000, 15_000, -1)


def test_aggregations_and_calls_are_read():
    tree = parse("topk without (a) (2, rate(x[5m]))")
    assert isinstance(tree, Aggregation)
    assert isinstance(tree.operand, Call)
    assert (tree.operator, tree.parameter, tree.grouping.without) == ("topk", Number(value=2.0), True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("  # nothing", "."),
        ("sum(x", "parenthesis"),
        ("rate(x)", "matrix"),
        ("nonsense(x)", "unknown function"),
        ("1 > 2", "BOOL"),
        ('x{a="b" or c="d"}', "regular expression"),
        ("{}", "non-empty matcher"),
        ('x{a=~"("}', "regex"),
        ('x{a=~"(?=a)"}', "regex"),
        (r'label_replace(x, "\xff", "", "a", "")', "UTF-8"),
        ("x\udcff", "UTF-8"),
        ("x @ 1e15", "out of bounds"),
        ("x @ 0xffffffffffffffff", "out of bounds"),
        ("x @ " + "9" * 5000, "out of bounds"),
        ("x @ nan", "out of bounds"),
        ("1[5m:]", "vector"),
        ('count_values("", x)', "label name"),
        ('label_replace(x, "a", "b", "c", "(")', "regular expression"),
        ("x" * 70_000, "64 KiB"),
        ("(" * 500 + "1" + ")" * 500, "nested"),
        ("(" * 20_000 + "1" + ")" * 20_000, "nested"),
        ("1" + " + 1" * 300, "nested"),
        ("1" + " ^ 1" * 15_000, "operators"),
        ("-" * 30_000 + "1", "operators"),
        ("a" + " or a" * 5_000, "operators"),
    ],
)
def test_what_is_no_expression_is_refused_with_a_reason(text, words):
    with pytest.raises(ExpressionError, match=words):
        compile_query(text)


@pytest.mark.parametrize(
    "text",
    [
        "rate(x[5m] anchored)",
        "x[5m] smoothed",
        "x[5m * 2]",
        "x offset (5m)",
        "x[step()]",
        "x </ 3",
        "histogram_count(x)",
        "x[1h:30s + 30s]",
        "x offset step()",
        "x offset -min(step(), 1s)",
    ],
)
def test_what_is_left_out_of_the_language_says_so(text):
    with pytest.raises(OutOfScopeError, match="not supported"):
        compile_query(text)


@pytest.mark.parametrize(
    "text",
    [
        "up[99999999999y]",
        "up[99999999999999]",
        "up[1h:99999999999999]",
        "up offset -9999999999w",
        "up offset 1000000000000",
        "up @ 300y",
        f"up[{'9' * 5000}s]",
        f"up[{'9' * 5000}]",
        "vector(99999999999999999999y)",
    ],
)
def test_a_duration_that_is_out_of_range_never_reaches_the_parser(text, capfd):
    with pytest.raises(ExpressionError, match="duration out of range") as caught:
        parse(text)
    assert caught.value.column
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("function", ["abs", "exp", "ln", "log2", "log10", "sqrt"])
@pytest.mark.parametrize("number", ["0", "-1", "Inf", "NaN", "1e400", "time()"])
def test_a_number_is_no_vector(function, number):
    with pytest.raises(ExpressionError, match="expected type vector"):
        parse(f"{function}({number})")


def test_columns_are_given_where_they_are_known():
    with pytest.raises(ExpressionError) as caught:
        parse(r'x + label_replace(y, "\xff", "", "", "")')
    assert caught.value.column == 22
    with pytest.raises(ExpressionError) as caught:
        parse("sum(x")
    assert caught.value.column is None


@pytest.mark.parametrize("text", ["(" * 199 + "1" + ")" * 199, "1" + " + 1" * 190, "-" * 190 + "1"])
def test_what_is_just_not_too_deep_evaluates(text):
    compile_query(text).instant(SeriesStore(), 0.0)


def test_a_regular_expression_that_would_explode_is_refused_or_harmless():
    with pytest.raises(ExpressionError):
        parse('x{a=~"((a{1000}){1000}){1000}"}')
