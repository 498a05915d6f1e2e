"""Expressions compiled once, to closures over the series store."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rules.columns import Key, milliseconds
from rules.promql import (
    aggregate,
    binary,
    function_info,
    functions_histogram,
    functions_label,
    functions_math,
    functions_range,
    functions_time,
    functions_trend,
    selectors,
    subquery,
)
from rules.promql.errors import ExpressionError, OutOfScopeError, QueryLimitError
from rules.promql.expression import parse
from rules.promql.horizon import Horizon
from rules.promql.moment import LOOKBACK, Moment, Notes, Queried
from rules.promql.tree import (
    Aggregation,
    Binary,
    Call,
    Expression,
    Kind,
    Negation,
    Number,
    Range,
    Selector,
    Subquery,
    Text,
    kind,
)
from rules.promql.values import Matrix, RangeSeries, Scalar, String, Value, Vector, Windows

Evaluate = Callable[[Moment], Any]

FUNCTIONS: Mapping[str, Callable[[Call, tuple[Evaluate, ...]], Evaluate]] = {
    **functions_histogram.FUNCTIONS,
    **functions_label.FUNCTIONS,
    **functions_math.FUNCTIONS,
    **functions_range.FUNCTIONS,
    **functions_time.FUNCTIONS,
    **functions_trend.FUNCTIONS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a query may cost. `deadline` is on the monotonic clock, in seconds."""

    deadline: float | None = None
    max_series: int | None = None
    max_steps: int = 11_000
    max_samples: int = 5_000_000


NO_LIMITS = Limits()


class Query:
    """A compiled expression. It keeps which series it selects, so keep the query to evaluate it again."""

    def __init__(
        self, text: str, *, lookback_seconds: float = LOOKBACK / 1000, subquery_step_seconds: float = 60.0
    ) -> None:
        """Raise ExpressionError if the text is not an expression this engine takes."""
        self.text = text
        self.tree = parse(text)
        self.kind = kind(self.tree)
        self._lookback = milliseconds(lookback_seconds)
        self._subquery_step = milliseconds(subquery_step_seconds)
        compiler = _Compiler()
        self._evaluate = compiler.compile(self.tree)
        self._chosen = compiler.chosen
        self._horizon = Horizon.of(self.tree, self._lookback)

    @property
    def metrics(self) -> frozenset[str] | None:
        """The metrics it selects; None when a selector names none."""
        return self._horizon.metrics

    @property
    def horizons(self) -> Mapping[str, float]:
        """For each metric it names, how many seconds before the evaluation it looks back."""
        return self._horizon.seconds_by_metric

    @property
    def range_seconds(self) -> float:
        """How many seconds its ranges and offsets reach back: until they are covered, the query is warming up."""
        return self._horizon.range_seconds

    def instant(self, store: Queried, at: float, *, limits: Limits = NO_LIMITS, notes: Notes | None = None) -> Value:
        """Evaluate at one time (wall-clock seconds). Raise EvaluationError when there is no result."""
        now = milliseconds(at)
        moment = self._moment(store, (now, now, 0), limits, notes)
        result = self._evaluate(moment)
        if isinstance(result, Vector):
            _check_count(len(result.values), limits)
            return Vector(result.keys.final(), result.values)
        if isinstance(result, Windows):
            return _matrix_of_windows(result, limits)
        return String(result) if isinstance(result, str) else Scalar(result)

    def range(
        self,
        store: Queried,
        start: float,
        end: float,
        step: float,
        *,
        limits: Limits = NO_LIMITS,
        notes: Notes | None = None,
    ) -> Matrix:
        """Evaluate at start, start + step, … up to end (seconds). Raise EvaluationError when there is no result."""
        if self.kind not in (Kind.SCALAR, Kind.VECTOR):
            raise ExpressionError(f"a range query needs an instant vector or a scalar, not a {self.kind}")
        first, last, pace = milliseconds(start), milliseconds(end), milliseconds(step)
        if pace <= 0 or last < first:
            raise QueryLimitError("the end must not be before the start, and the step must be positive")
        if (last - first) // pace >= limits.max_steps:
            raise QueryLimitError(f"the query has more than {limits.max_steps} steps")
        moment = self._moment(store, (first, last, pace), limits, notes)
        rows: dict[Key, RangeSeries] = {}
        samples = 0
        for at in range(first, last + 1, pace):
            moment.check()
            samples += _collect(self._evaluate(moment.moved(at)), at, rows)
            _check_count(len(rows), limits)
            if samples > limits.max_samples:
                raise QueryLimitError(f"the result has more than {limits.max_samples} samples")
        return Matrix(sorted(rows.values(), key=lambda row: row.key))

    def newest(self, store: Queried, at: float) -> float | None:
        """Return the time (seconds) up to which the input is fresh: that of the least fresh selector's newest sample.

        None if no selector finds a sample.
        """
        now = milliseconds(at)
        moment = self._moment(store, (now, now, 0), NO_LIMITS, None)
        times = [time for chosen in self._chosen if (time := chosen.newest(moment)) is not None]
        return min(times) / 1000 if times else None

    def _moment(self, store: Queried, grid: tuple[int, int, int], limits: Limits, notes: Notes | None) -> Moment:
        start, end, step = grid
        return Moment(
            store,
            start,
            start=start,
            end=end,
            step=step,
            deadline=limits.deadline,
            notes=notes,
            lookback=self._lookback,
            subquery_step=self._subquery_step,
        )


def compile_query(text: str) -> Query:
    """Return the compiled expression. Raise ExpressionError if the text is none that this engine takes."""
    return Query(text)


def budget(seconds: float, *, max_series: int | None = None) -> Limits:
    """Return limits that end `seconds` from now."""
    return Limits(deadline=time.monotonic() + seconds, max_series=max_series)


def _check_count(count: int, limits: Limits) -> None:
    if limits.max_series is not None and count > limits.max_series:
        raise QueryLimitError(f"the result has more than {limits.max_series} series")


def _matrix_of_windows(windows: Windows, limits: Limits) -> Matrix:
    _check_count(len(windows.columns), limits)
    if sum(len(times) for times, _ in windows.columns) > limits.max_samples:
        raise QueryLimitError(f"the result has more than {limits.max_samples} samples")
    rows = [
        RangeSeries(key, [at / 1000 for at in times], list(values))
        for key, (times, values) in zip(windows.keys.final(), windows.columns, strict=True)
    ]
    return Matrix(sorted(rows, key=lambda row: row.key))


def _collect(result: Vector | float, at: int, rows: dict[Key, RangeSeries]) -> int:
    """Add one step's result to the rows; return how many samples it has."""
    keys, values = (result.keys.final().items, result.values) if isinstance(result, Vector) else (_SCALAR, [result])
    for key, value in zip(keys, values, strict=True):
        plain = Key(key.name, key.labels)
        row = rows.get(plain)
        if row is None:
            row = rows[plain] = RangeSeries(plain, [], [])
        row.times.append(at / 1000)
        row.values.append(value)
    return len(values)


_SCALAR = (Key("", ()),)


class _Compiler:
    """Turns nodes into closures, and notes the selectors it meets."""

    def __init__(self) -> None:
        self.chosen: list[selectors.Chosen] = []

    def compile(self, node: Expression) -> Evaluate:
        match node:
            case Number(value=value) | Text(value=value):
                return lambda _moment: value
            case Selector():
                return selectors.instant(self._choose(node))
            case Range():
                return selectors.ranged(node, self._choose(node.selector))
            case Subquery():
                return subquery.evaluation(node, self.compile(node.operand))
            case Negation():
                return self._negation(node)
            case Call():
                return self._call(node)
            case Aggregation():
                parameter = self.compile(node.parameter) if node.parameter is not None else None
                return aggregate.evaluation(node, self.compile(node.operand), parameter)
            case Binary():
                return binary.evaluation(node, self.compile(node.left), self.compile(node.right))

    def _choose(self, selector: Selector) -> selectors.Chosen:
        chosen = selectors.Chosen(selector)
        self.chosen.append(chosen)
        return chosen

    def _negation(self, node: Negation) -> Evaluate:
        operand = self.compile(node.operand)
        if kind(node) is Kind.SCALAR:
            return lambda moment: -operand(moment)

        def negated(moment: Moment) -> Vector:
            keys, values = operand(moment)
            return Vector(keys.dropped(), [-value for value in values])

        return negated

    def _call(self, node: Call) -> Evaluate:
        if node.function == "timestamp":
            return self._timestamp(node)
        match node:
            case Call(function="info", arguments=(base, Selector() as selector)):
                return function_info.evaluation(self.compile(base), selector, self._choose(selector))
        build = FUNCTIONS.get(node.function)
        if build is None:
            raise OutOfScopeError(f"{node.function}() is not supported")
        return build(node, tuple(self.compile(argument) for argument in node.arguments))

    def _timestamp(self, node: Call) -> Evaluate:
        (argument,) = node.arguments
        if isinstance(argument, Selector):
            return selectors.sample_times(self._choose(argument))
        operand = self.compile(argument)

        def now(moment: Moment) -> Vector:
            keys, values = operand(moment)
            return Vector(keys.dropped(), [moment.at / 1000] * len(values))

        return now
