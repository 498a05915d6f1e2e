"""Random expressions over random series: promtool and our engine must come to the same result.

Debian's promtool is a Prometheus 2.42 and we mean what 3.x means. What is known to differ is kept out of expressions:

- Ranges and lookback were closed on the left: every query is made 7 s beside the samples, what a subquery evaluates on
  the grid of the samples has ranges of odd lengths, and a series that ends early ends with a staleness marker.
- Names were dropped at once and not at the end of the query: no selector chooses several metrics, and nothing groups by
  or rewrites `__name__`.
- A counter that enters a window late was extrapolated further towards zero: counters have no gaps and stay far from it.
- The deviation of a lone value that is not finite was 0 and not NaN: told apart in `known`.
- A comparison of many elements with one minded only those that it keeps: told apart in `ambiguous`.
- `atan2` kept the metric's name: left out.
- Sums were not compensated: values are whole numbers, so that sums are exact and nothing cancels to noise, `%` and
  `^` work on samples only, and results may differ by 1e-9.

Of equal elements `topk` and `bottomk` may keep any, and `count_values` makes a label of the last digit: they are asked
about metrics with distinct whole values only.
"""

import json
import math
import random
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from collectors.sample import Reading, Sample, Source
from rules.columns import STALE, Key
from rules.promql.compile import Query
from rules.promql.errors import EvaluationError, ExpressionError
from rules.promql.notation import series_key
from rules.promql.values import Scalar
from rules.series import SeriesStore
from tests.services.service import need

WORLDS = 50
EXPRESSIONS = 24
ENOUGH = 500
INTERVAL = 30
SAMPLES = 40
AT = INTERVAL * (SAMPLES - 6) + 7
TOLERANCE = 1e-9

PLACES = [(("a", a), ("b", b)) for a in "xy" for b in "pqr"]
BOUNDS = ("0.1", "1", "10", "+Inf")


# -- series


def gauge(rng: random.Random, place: int) -> list[str]:
    """Whole values, no two series of a metric ever with the same one; gaps; perhaps an early end."""
    values = [str(rng.randint(-20, 60) * 16 + place) for _ in range(SAMPLES)]
    for start in range(0, SAMPLES - 12, 12):
        if rng.random() < 0.3:
            length = rng.randint(1, 6)
            values[start : start + length] = ["_"] * length
    if rng.random() < 0.25:
        end = rng.randint(10, SAMPLES - 3)
        values[end:] = ["stale", *["_"] * (SAMPLES - end - 1)]
    return values


def counter(rng: random.Random, _place: int) -> list[str]:
    values, value = [], 10**6
    for _ in range(SAMPLES):
        value = 10**6 if rng.random() < 0.05 else value + rng.choice((0, 1, 7, 300))
        values.append(str(value))
    return values


def buckets(rng: random.Random, labels: tuple[tuple[str, str], ...]) -> list[tuple[str, list[str]]]:
    counts = [[0] * SAMPLES for _ in BOUNDS]
    totals = [1000] * len(BOUNDS)
    for time in range(SAMPLES):
        grown = 0
        for bucket in range(len(BOUNDS)):
            grown += rng.randint(0, 5)
            totals[bucket] += grown
            counts[bucket][time] = totals[bucket] + 100 * bucket
    return [
        (shown("d_bucket", (*labels, ("le", bound))), [str(count) for count in own])
        for bound, own in zip(BOUNDS, counts, strict=True)
    ]


def shown(name: str, labels: tuple[tuple[str, str], ...]) -> str:
    return name + "{" + ",".join(f'{label}="{value}"' for label, value in sorted(labels)) + "}"


def world(seed: int) -> list[tuple[str, list[str]]]:
    """Return series with their values: gauges g and h, counter c, one gauge s for each `a`, histogram d."""
    rng = random.Random(seed)
    series = [(shown("g", labels), gauge(rng, place)) for place, labels in enumerate(PLACES)]
    series += [(shown("h", labels), gauge(rng, place)) for place, labels in enumerate(PLACES[:4])]
    series += [(shown("c", labels), counter(rng, place)) for place, labels in enumerate(PLACES)]
    series += [(shown("s", (("a", a), ("team", f"t{a}"))), gauge(rng, place)) for place, a in enumerate("xy")]
    return series + [line for labels in PLACES[:2] for line in buckets(rng, labels)]


def stored(series: list[tuple[str, list[str]]]) -> SeriesStore:
    store = SeriesStore()
    keys = [series_key(*re.fullmatch(r"(\w+)(\{.*\})", name).groups()) for name, _ in series]
    for time in range(AT // INTERVAL + 1):
        found = ((key, values[time]) for key, (_, values) in zip(keys, series, strict=True))
        samples = [
            Sample(key.name, STALE if text == "stale" else float(text), key.labels)
            for key, text in found
            if text != "_"
        ]
        store.append(Reading(source=Source("t"), at=time * INTERVAL, samples=samples, complete=False))
    return store


# -- expressions

GAUGES = ("g", "h", "s")
numbers = st.sampled_from(("0", "1", "2", "-3", "0.5", "16", "100"))
ranges = st.sampled_from(("1m", "2m", "5m", "10m"))
odd_ranges = st.sampled_from(("67s", "127s", "247s"))
offsets = st.sampled_from(("", "", "", " offset 1m", " offset 5m", " offset -1m", f" @ {AT - 120}", " @ end()"))
matchers = st.sampled_from(("", "", "", '{a="x"}', '{b!="p"}', '{b=~"p|q"}', '{a!~"y.*"}', '{b=""}', '{a=~".+"}'))
groupings = st.sampled_from(("", " by (a)", " by (b)", " by (a, b)", " without (a)", " without (b)", " by ()"))
OVER_TIME = ("sum", "avg", "min", "max", "count", "last", "present", "stddev", "stdvar", "absent")
OF_RANGE = ("changes", "resets", "delta", "idelta", "deriv")
OF_COUNTER = ("rate", "increase", "irate")
OF_NUMBER = (
    *("abs", "ceil", "floor", "sgn", "round", "sqrt", "exp", "ln", "log2", "log10"),
    *("deg", "rad", "sin", "cos", "tan", "atan", "sinh", "tanh", "asinh"),
    *("timestamp", "sort", "sort_desc"),
)
OF_DATE = ("minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year")
AGGREGATIONS = ("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")
ARITHMETIC = ("+", "-", "*", "/")
COMPARISONS = ("==", "!=", ">", "<", ">=", "<=")


def joined(template: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda drawn: template.format(*drawn))


def among(*texts: str) -> st.SearchStrategy[str]:
    return st.sampled_from(texts)


selectors = joined("{}{}{}", among(*GAUGES, "c"), matchers, offsets)
plain = joined("{}{}", among(*GAUGES), matchers)


def over_time(lengths: st.SearchStrategy[str], where: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Functions of a range; `where` moves it in time."""
    window = joined("{}{}[{}]{}", among(*GAUGES, "c"), matchers, lengths, where)
    counted = joined("c{}[{}]{}", matchers, lengths, where)
    return st.one_of(
        joined("{}_over_time({})", among(*OVER_TIME), window),
        joined("{}({})", among(*OF_RANGE), window),
        joined("{}({})", among(*OF_COUNTER), counted),
        joined("quantile_over_time({}, {})", among("0", "0.3", "0.9", "1", "2"), window),
        joined("predict_linear({}, {})", window, among("0", "600", "-60")),
    )


leaves = st.one_of(
    selectors,
    over_time(ranges, offsets),
    joined("histogram_quantile({}, d_bucket)", among("0", "0.5", "0.99", "1")),
    joined("histogram_quantile({}, sum by (le) (rate(d_bucket[{}])))", among("0.5", "0.9"), ranges),
    joined("topk{}({}, {})", groupings, among("1", "2", "4"), plain),
    joined("bottomk{}({}, {})", groupings, among("1", "3"), plain),
    joined('count_values{}("v", {})', groupings, plain),
    joined("absent({}{})", among("g", "nothing"), matchers),
    joined("vector({})", numbers),
    joined("{}_over_time(({})[{}:{}])", among(*OVER_TIME[:-1]), plain, ranges, among("", "1m", "17s")),
    joined("{}_over_time({}[{}:])", among("max", "sum", "count"), over_time(odd_ranges, st.just("")), ranges),
)
scalars = st.one_of(numbers, joined("scalar({})", among("s{a='x'}", "sum(g)", "g", "max(h)")), st.just("time()"))


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions made of others."""
    matching = among("", "", " on (a)", " on (a, b)", " ignoring (b)", " ignoring (team)", " on ()")
    many = among(" on (a) group_left ()", " on (a) group_left (team)", " ignoring (b, team) group_left ()")
    return st.one_of(
        joined("{}({})", among(*OF_NUMBER), inner),
        joined("{}({} * 86407)", among(*OF_DATE), plain),
        joined("-({})", inner),
        joined("round({}, {})", inner, among("5", "0.5")),
        joined("clamp({}, {}, {})", inner, among("-10", "0"), among("10", "50")),
        joined("clamp_{}({}, {})", among("min", "max"), inner, scalars),
        joined("{}{}({})", among(*AGGREGATIONS), groupings, inner),
        joined("quantile{}({}, {})", groupings, among("0", "0.25", "0.9", "1"), inner),
        joined("({}) {} {}", inner, among(*ARITHMETIC), scalars),
        joined("{} {} ({})", scalars, among(*ARITHMETIC), inner),
        joined("{} {} {}", plain, among("%", "^"), among("2", "0.5", "-3")),
        joined("{} {} ({} % 7)", numbers, among("%", "^"), plain),
        joined("({}) {}{} {}", inner, among(*COMPARISONS), among("", " bool"), numbers),
        joined("({}) {}{} ({})", inner, among(*ARITHMETIC), matching, inner),
        joined("({}) {}{} s", inner, among(*ARITHMETIC), many),
        joined("({}) {}{} ({})", plain, among(*COMPARISONS), among("", " bool", " on (a, b)", " bool on (a)"), plain),
        joined("({}) {}{} ({})", inner, among("and", "or", "unless"), matching, inner),
        joined(
            'label_replace({}, "n", "$1-z", "{}", "{}")', inner, among("a", "b", "none"), among("(.*)", "(x|p)", "()q?")
        ),
        joined('label_join({}, "n", "-", "a", "b")', inner),
    )


nested = grown(st.one_of(leaves, grown(st.one_of(leaves, grown(leaves)))))


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Hide how the expressions are made: Hypothesis spells a strategy out in its messages, and this one is long."""
    return draw(nested)


# -- both engines


def promtool_says(series: list[tuple[str, list[str]]], asked: list[str], folder: Path) -> list[str]:
    """Return what promtool says of each expression. It shows results only of tests that fail: all do."""
    wrong = [{"labels": "nobody", "value": 1}]
    tests = {
        "evaluation_interval": f"{INTERVAL}s",
        "tests": [
            {
                "interval": f"{INTERVAL}s",
                "input_series": [{"series": name, "values": " ".join(values)} for name, values in series],
                "promql_expr_test": [{"expr": each, "eval_time": f"{AT}s", "exp_samples": wrong} for each in asked],
            }
        ],
    }
    path = folder / "t.yml"
    path.write_text(json.dumps(tests))
    argv = (need("promtool", "prometheus"), "test", "rules", path)
    done = subprocess.run(argv, capture_output=True, check=False, timeout=60, text=True)
    said = re.split(r"^    expr: ", done.stderr, flags=re.MULTILINE)[1:]
    assert len(said) == len(asked), done.stderr[:2000]
    return said


def understood(said: str) -> dict[str, float] | None:
    """Return promtool's result by label set, None for an error."""
    got = re.search(r"^        got: ?(.*)", said, re.MULTILINE)
    if got is None:
        return None
    return {labels: float(value) for labels, value in re.findall(r"(\{[^}]*\}) ([^\s,]+)", got[1])}


def ours(store: SeriesStore, expression: str) -> dict[str, float] | None:
    try:
        value = Query(expression, subquery_step_seconds=INTERVAL).instant(store, AT)
    except (ExpressionError, EvaluationError):
        return None
    if isinstance(value, Scalar):
        return {"{}": value.value}
    return {labelled(key): number for key, number in zip(value.keys, value.values, strict=True)}


def labelled(key: Key) -> str:
    pairs = sorted([*key.labels, *([("__name__", key.name)] if key.name else [])])
    return "{" + ", ".join(f'{name}="{value}"' for name, value in pairs) + "}"


def alike(left: dict[str, float] | None, right: dict[str, float] | None) -> bool:
    if left is None or right is None:
        return left is right
    return left.keys() == right.keys() and all(near(left[key], right[key]) for key in left)


def near(left: float, right: float) -> bool:
    both_nan = math.isnan(left) and math.isnan(right)
    return both_nan or math.isclose(left, right, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def known(store: SeriesStore, expression: str, theirs: dict[str, float] | None, found: dict[str, float] | None) -> bool:
    """Return whether the results differ only by what is known to: a deviation in them is not a number here."""
    if not theirs or not found or theirs.keys() != found.keys():
        return False
    alone = [value for each in deviations(expression) for value in (ours(store, each) or {}).values()]
    if not any(map(math.isnan, alone)):
        return False
    return all(near(theirs[key], found[key]) or math.isnan(found[key]) for key in theirs)


def deviations(expression: str) -> list[str]:
    """Return the parts of an expression that are deviations, from their name to their closing parenthesis."""
    found = []
    for name in re.finditer(r"std(?:dev|var)\b(?: (?:by|without) \([^)]*\))? ?(?=\()", expression):
        depth, end = 0, name.end()
        while end == name.end() or depth:
            depth += {"(": 1, ")": -1}.get(expression[end], 0)
            end += 1
        found.append(expression[name.start() : end])
    return found


def ambiguous(store: SeriesStore, expression: str) -> bool:
    """Return whether a comparison has many elements for one, some of which it does not keep."""
    if not re.search(r"[<>]|[=!]=", expression):
        return False
    try:
        Query(expression, subquery_step_seconds=INTERVAL).instant(store, AT)
    except EvaluationError as error:
        return "many-to-one matching must be explicit" in str(error)
    return False


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("differential")


def test_random_expressions_mean_what_they_mean_to_promtool(folder):
    compared: set[str] = set()
    empty: set[str] = set()

    # Nothing is shrunk: that would take minutes, and an expression is telling enough.
    @settings(
        max_examples=WORLDS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.integers(0, 2**32), st.lists(expressions(), min_size=EXPRESSIONS, max_size=EXPRESSIONS, unique=True))
    def compare(seed: int, asked: list[str]) -> None:
        series = world(seed)
        store = stored(series)
        for expression, said in zip(asked, promtool_says(series, asked, folder), strict=True):
            theirs, found = understood(said), ours(store, expression)
            same = alike(found, theirs) or known(store, expression, theirs, found) or ambiguous(store, expression)
            assert same, f"seed {seed}: {expression}\npromtool: {said}\nours: {found}"
            compared.add(expression)
            empty.update([expression] if not theirs else [])

    compare()
    assert len(compared) >= ENOUGH
    assert len(empty) < len(compared) / 2, "most expressions have a result"


def test_another_result_would_be_noticed(folder):
    series = world(1)
    (said,) = promtool_says(series, ["sum(g)"], folder)
    assert understood(said).keys() == {"{}"}
    assert alike(ours(stored(series), "sum(g)"), understood(said))
    for other in ("sum(g) + 1", "sum by (a) (g)", "nothing", "g + on () g"):
        assert not alike(ours(stored(series), other), understood(said))
