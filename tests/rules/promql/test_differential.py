"""Random expressions over random series, evaluated here and by Prometheus.

The Prometheus at hand may be older than the semantics followed here. Where versions differ (closed windows, the cut at
zero, names that are dropped late) the generator keeps away: sample times lie 7 s off every window's edge, counters
begin far from zero, and nothing groups by name. Nor does it write `%`, which makes any rounding visible.
"""

import math
import random
import re
import shutil
import subprocess

import pytest
import yaml

from rules.promql import notation
from rules.promql.compile import compile_query
from rules.promql.errors import EvaluationError
from rules.promql.script import Loaded
from rules.promql.values import Scalar, Vector

PROMTOOL = shutil.which("promtool")
EXPRESSIONS = 600
INTERVAL = 15_000
AT = 1_207_000
"""When everything is evaluated, in milliseconds: 7 s after a sample."""

RANGES = ("1m", "2m", "5m", "10m")
LABELS = ("host", "dev")
RANGE_FUNCTIONS = (
    "avg_over_time", "changes", "count_over_time", "delta", "deriv", "idelta", "increase", "irate", "last_over_time",
    "max_over_time", "min_over_time", "present_over_time", "rate", "resets", "stddev_over_time", "stdvar_over_time",
    "sum_over_time",
)  # fmt: skip
VALUE_FUNCTIONS = ("abs", "ceil", "exp", "floor", "ln", "round", "sgn", "sqrt", "atan", "deg")


class Writer:
    """Writes random expressions."""

    def __init__(self, source):
        self.random = source

    def pick(self, *choices):
        return self.random.choice(choices)

    def selector(self):
        name = self.pick("gauge", "gauge", "level", "count_total")
        matcher = self.pick("", "", '{host="a"}', '{host!="a"}', '{dev=~"x|y"}', '{dev!~"x.*"}', '{zone=""}')
        return name + matcher

    def shift(self):
        return self.pick("", "", "", " offset 1m", " offset 4m", " @ 907", " @ 1207 offset 2m")

    def range(self):
        if self.random.random() < 0.15:
            return f"{self.pick('abs(', '(')}{self.selector()})[{self.pick(*RANGES)}:{self.pick('', '30s', '1m')}]"
        return f"{self.selector()}[{self.pick(*RANGES)}]{self.shift()}"

    def grouping(self):
        labels = ", ".join(self.random.sample(LABELS, self.random.randint(0, 2)))
        return self.pick("", f" by ({labels})", f" without ({labels})")

    def vector(self, depth):
        if depth <= 0:
            return self.selector() + self.shift()
        return self.pick(
            self.over_range, self.over_range, self.mapped, self.aggregated, self.scaled, self.compared, self.joined,
            self.many_to_one, self.combined, self.labelled,
        )(depth - 1)  # fmt: skip

    def over_range(self, _depth):
        function = self.pick(*RANGE_FUNCTIONS, "predict_linear", "quantile_over_time")
        if function == "predict_linear":
            return f"predict_linear({self.range()}, {self.random.randint(0, 3600)})"
        if function == "quantile_over_time":
            return f"quantile_over_time({self.random.random():.2f}, {self.range()})"
        if function in ("rate", "increase"):
            return f"{function}(count_total[{self.pick(*RANGES)}]{self.shift()})"
        return f"{function}({self.range()})"

    def mapped(self, depth):
        function = self.pick(*VALUE_FUNCTIONS, "clamp", "timestamp", "-")
        inner = self.vector(depth)
        if function == "clamp":
            return f"clamp({inner}, -10, {self.random.randint(-10, 50)})"
        return f"-({inner})" if function == "-" else f"{function}({inner})"

    def aggregated(self, depth):
        operator = self.pick("sum", "avg", "count", "min", "max", "group", "stddev", "stdvar", "quantile", "topk")
        parameter = {"quantile": f"{self.random.random():.2f}, ", "topk": f"{self.random.randint(1, 20)}, "}
        if operator.startswith("std"):
            depth = 0  # of what is not finite, versions differ
        if operator == "topk":
            return f"count(topk({parameter['topk']}{self.vector(depth)}))"
        return f"{operator}{self.grouping()} ({parameter.get(operator, '')}{self.vector(depth)})"

    def scaled(self, depth):
        number = self.pick("2", "0.5", "-3", "0", "1e3", "scalar(sum(gauge))", "time()")
        operator = self.pick("+", "-", "*", "/", "^")
        sides = [f"({self.vector(depth)})", number]
        self.random.shuffle(sides)
        return f"{sides[0]} {operator} {sides[1]}"

    def compared(self, depth):
        operator = self.pick(">", "<", ">=", "<=", "!=") + self.pick("", "", " bool")
        return f"({self.vector(depth)}) {operator} {self.random.randint(-20, 60)}.5"

    def joined(self, depth):
        matching = self.pick("", "", " on (host, dev)", " ignoring (zone)", " on (host)")
        operator = self.pick("+", "-", "*", "/", ">", "< bool")
        return f"({self.vector(depth)}) {operator}{matching} ({self.vector(depth)})"

    def many_to_one(self, depth):
        group = self.pick("group_left ()", "group_left (zone)")
        one = f"{self.pick('max', 'sum')} by (host{self.pick('', ', zone')}) ({self.selector()})"
        if self.random.random() < 0.3:
            return f"{one} {self.pick('+', '*')} on (host) {group.replace('left', 'right')} ({self.vector(depth)})"
        return f"({self.vector(depth)}) {self.pick('+', '*', '>')} on (host) {group} {one}"

    def combined(self, depth):
        matching = self.pick("", " on (host)", " ignoring (dev)", " on ()")
        return f"({self.vector(depth)}) {self.pick('and', 'or', 'unless')}{matching} ({self.vector(depth)})"

    def labelled(self, depth):
        return self.pick(
            f'label_replace({self.vector(depth)}, "host", "$1-{{}}", "dev", "(.).*")'.replace("{}", "n"),
            f'label_join({self.vector(depth)}, "both", "/", "host", "dev", "none")',
            f"sort({self.vector(depth)})",
            f"absent({self.vector(depth)})",
            f"histogram_quantile({self.random.random():.2f}, rate(took_bucket[{self.pick(*RANGES)}]))",
            f"vector(scalar({self.vector(depth)}))",
        )


def series(source):
    """Return random series in the notation, about twenty minutes of them."""

    def line(step):
        parts, value = [], source.uniform(1e5, 2e5) if step else source.uniform(-50, 50)
        for _ in range(80):
            chance = source.random()
            value = value + source.randint(0, step) if step else round(source.uniform(-50, 50), 3)
            if step and chance < 0.02:
                value = 1e5
            parts.append("_" if chance > 0.97 else "stale" if chance > 0.96 and not step else f"{value:.3f}")
        return " ".join(parts)

    found = {}
    for host in "ab":
        for dev in ("x", "xy", "z"):
            for name, step in (("gauge", 0), ("level", 0), ("count_total", 50)):
                if source.random() < 0.85:
                    zone = f', zone="{host}1"' if source.random() < 0.5 else ""
                    found[f'{name}{{host="{host}", dev="{dev}"{zone}}}'] = line(step)
        for place, bound in enumerate(("0.1", "1", "+Inf")):
            found[f'took_bucket{{host="{host}", le="{bound}"}}'] = f"{1e6 * (place + 1)}+{3 * (place + 1)}x80"
    return found


def prometheus_results(folder, series, expressions):
    """Return what Prometheus gives for each expression: elements by their labels, None for a failure."""
    tests = [
        {"expr": text, "eval_time": f"{AT}ms", "exp_samples": [{"labels": "never", "value": 1}]} for text in expressions
    ]
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    file = folder / "test.yml"
    file.write_text(yaml.safe_dump({"tests": [{"interval": "15s", "input_series": inputs, "promql_expr_test": tests}]}))
    done = subprocess.run([PROMTOOL, "test", "rules", file], capture_output=True, text=True, timeout=120, check=False)
    blocks = re.split(r"^ +expr: ", done.stdout + done.stderr, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(expressions), done.stderr[:2000]
    return [elements(block) for block in blocks]


def elements(block):
    if ", err: " in block or "got:" not in block:
        return None
    got = block.split("got:", 1)[1]
    return {
        notation.series_key(found[1], found[2]): notation.number(found[3])
        for found in re.finditer(r"([\w:]*)(\{[^}]*\}) (\S+?)(?=,|\s|$)", got)
    }


def our_result(store, text):
    try:
        value = compile_query(text).instant(store, AT / 1000)
    except EvaluationError:
        return None
    if isinstance(value, Scalar):
        return {notation.series_key("", "{}"): value.value}
    assert isinstance(value, Vector)
    return dict(zip(value.keys, value.values, strict=True))


def same(left, right):
    if left is None or right is None:
        return left is right
    return left.keys() == right.keys() and all(close(left[key], right[key]) for key in left)


def close(left, right):
    return (math.isnan(left) and math.isnan(right)) or math.isclose(left, right, rel_tol=1e-7, abs_tol=1e-7)


@pytest.mark.acceptance
@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
@pytest.mark.parametrize("seed", range(3))
def test_prometheus_gives_the_same_results(tmp_path, seed):
    source = random.Random(seed)
    given = series(source)
    writer = Writer(source)
    expressions = [writer.vector(source.randint(1, 3)) for _ in range(EXPRESSIONS)]
    loaded = Loaded()
    for name, values in given.items():
        key, samples = notation.series_line(f"{name} {values}")
        for place, sample in enumerate(samples):
            if sample is not None:
                loaded.add(place * INTERVAL, key, sample)
    expected = prometheus_results(tmp_path, given, expressions)
    store = loaded.store()
    different = [
        f"{text}\n  prometheus: {wanted}\n  here: {got}"
        for text, wanted in zip(expressions, expected, strict=True)
        if not same(got := our_result(store, text), wanted)
    ]
    assert different == [], f"seed {seed}"
