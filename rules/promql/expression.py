"""Text to tree: `promql-parser` reads the text, and what it says is copied into our own frozen nodes at once.

The parser's objects have no equality, no positions and some panic when read, so none of them leaves this module.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

import promql_parser

from rules.matchers import Matcher, MatcherError, Operator
from rules.promql import lexis
from rules.promql.errors import ExpressionError, OutOfScopeError
from rules.promql.tree import (
    Aggregation,
    Binary,
    Boundary,
    Call,
    Cardinality,
    Expression,
    Grouping,
    Kind,
    Matching,
    Negation,
    Number,
    Pin,
    Range,
    Selector,
    Subquery,
    Text,
    kind,
)

NATIVE_ONLY = frozenset({"histogram_avg", "histogram_count", "histogram_stddev", "histogram_stdvar", "histogram_sum"})
INFO_METRIC = "target_info"
"""What `info()` takes labels from where it is not told."""

_OPERATORS = {
    str(promql_parser.MatchOp.Equal): Operator.EQUAL,
    str(promql_parser.MatchOp.NotEqual): Operator.NOT_EQUAL,
    str(promql_parser.MatchOp.Re): Operator.MATCHES,
    str(promql_parser.MatchOp.NotRe): Operator.NOT_MATCHES,
}
_CARDINALITIES = {
    str(promql_parser.VectorMatchCardinality.OneToOne): Cardinality.ONE_TO_ONE,
    str(promql_parser.VectorMatchCardinality.ManyToOne): Cardinality.MANY_TO_ONE,
    str(promql_parser.VectorMatchCardinality.OneToMany): Cardinality.ONE_TO_MANY,
    str(promql_parser.VectorMatchCardinality.ManyToMany): Cardinality.SETS,
}
_VECTOR = str(promql_parser.ValueType.Vector)
_SET_OPERATORS = frozenset({"and", "or", "unless"})


@lru_cache(maxsize=64)
def parse(text: str) -> Expression:
    """Return the tree of an expression. Raise ExpressionError, or OutOfScopeError for PromQL that is left out."""
    prepared = lexis.prepare(text)
    try:
        return _Reader(prepared.times).read(promql_parser.parse(prepared.text), 0)
    except ExpressionError:
        raise
    except MatcherError as error:
        raise ExpressionError(str(error)) from error
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        # A panic in the parser arrives as a BaseException of its own.
        raise (lexis.left_out(text) or ExpressionError(_message(error, text))) from error


def _message(error: BaseException, text: str) -> str:
    if not text.strip():
        return "the expression is empty"
    return str(error) or type(error).__name__


def _milliseconds(duration: timedelta | None) -> int:
    return (duration or timedelta()) // timedelta(milliseconds=1)


class _Reader:
    """Copies one parsed expression."""

    def __init__(self, times: tuple[int, ...]) -> None:
        self._times = times
        self._readers: dict[type, Callable[[Any, int], Expression]] = {
            promql_parser.NumberLiteral: lambda node, _: Number(value=node.val),
            promql_parser.StringLiteral: lambda node, _: Text(value=node.val),
            promql_parser.ParenExpr: lambda node, depth: self.read(node.expr, depth),
            promql_parser.UnaryExpr: self._negation,
            promql_parser.VectorSelector: lambda node, _: self._selector(node),
            promql_parser.MatrixSelector: self._range,
            promql_parser.SubqueryExpr: self._subquery,
            promql_parser.Call: self._call,
            promql_parser.AggregateExpr: self._aggregation,
            promql_parser.BinaryExpr: self._binary,
        }

    def read(self, node: promql_parser.Expr, depth: int) -> Expression:
        if depth > lexis.MAX_NESTING:
            raise ExpressionError(f"the expression is nested deeper than {lexis.MAX_NESTING}")
        return self._readers[type(node)](node, depth + 1)

    def _negation(self, node: promql_parser.UnaryExpr, depth: int) -> Expression:
        operand = self.read(node.expr, depth)
        return Number(value=-operand.value) if isinstance(operand, Number) else Negation(operand=operand)

    def _selector(self, node: promql_parser.VectorSelector) -> Selector:
        if node.matchers.or_matchers:
            raise ExpressionError("matchers joined by or are not PromQL: use a regular expression")
        name = node.name
        matchers = []
        for found in node.matchers.matchers:
            matcher = Matcher(name=found.name, operator=_OPERATORS[str(found.op)], value=found.value)
            if matcher.name == "__name__" and matcher.operator is Operator.EQUAL and name is None and matcher.value:
                name = matcher.value
            else:
                matchers.append(matcher)
        return Selector(name=name, matchers=tuple(matchers), pin=self._pin(node))

    def _pin(self, node: promql_parser.VectorSelector | promql_parser.SubqueryExpr) -> Pin:
        offset = _milliseconds(node.offset)
        if node.at is None:
            return Pin(offset=offset)
        if str(node.at.type) == str(promql_parser.AtModifierType.Start):
            return Pin(at=Boundary.START, offset=offset)
        if str(node.at.type) == str(promql_parser.AtModifierType.End):
            return Pin(at=Boundary.END, offset=offset)
        place = node.at.at.timestamp() if node.at.at is not None else 0
        return Pin(at=self._times[int(place)], offset=offset)

    def _range(self, node: promql_parser.MatrixSelector, _depth: int) -> Range:
        return Range(selector=self._selector(node.vector_selector), length=_milliseconds(node.range))

    def _subquery(self, node: promql_parser.SubqueryExpr, depth: int) -> Subquery:
        operand = self.read(node.expr, depth)
        if kind(operand) is not Kind.VECTOR:
            raise ExpressionError(f"subquery is only allowed on instant vector, got {kind(operand)} instead")
        step = _milliseconds(node.step) if node.step is not None else None
        return Subquery(operand=operand, length=_milliseconds(node.range), step=step, pin=self._pin(node))

    def _call(self, node: promql_parser.Call, depth: int) -> Call:
        name = node.func.name
        if name in NATIVE_ONLY:
            raise OutOfScopeError(f"{name}() works on native histograms, which are not supported")
        arguments = tuple(self.read(argument, depth) for argument in node.args)
        if name == "info":
            arguments = _with_info_selector(*arguments)
        # The parser lets numbers through where some functions (ln, exp …) need a vector.
        for argument, wanted in zip(arguments, node.func.arg_types, strict=False):
            if str(wanted) == _VECTOR and kind(argument) is not Kind.VECTOR:
                raise ExpressionError(f"expected type vector in call to function {name!r}, got {kind(argument)}")
        return Call(function=name, arguments=arguments)

    def _aggregation(self, node: promql_parser.AggregateExpr, depth: int) -> Aggregation:
        modifier = node.modifier
        without = modifier is not None and str(modifier.type) == str(promql_parser.AggModifierType.Without)
        labels = tuple(modifier.labels) if modifier is not None else ()
        return Aggregation(
            operator=str(node.op),
            operand=self.read(node.expr, depth),
            parameter=self.read(node.param, depth) if node.param is not None else None,
            grouping=Grouping(labels=labels, without=without),
        )

    def _binary(self, node: promql_parser.BinaryExpr, depth: int) -> Binary:
        operator = str(node.op)
        return Binary(
            operator=operator,
            left=self.read(node.lhs, depth),
            right=self.read(node.rhs, depth),
            matching=_matching(node.modifier, operator),
            as_bool=node.modifier is not None and bool(node.modifier.return_bool),
        )


def _with_info_selector(base: Expression, selector: Expression | None = None) -> tuple[Expression, Expression]:
    """Return the arguments of `info()` with its selector spelt out: it looks at the time that its base looks at."""
    chosen = selector if selector is not None else Selector(name=None, matchers=(), pin=Pin())
    if not isinstance(chosen, Selector) or chosen.pin != Pin():
        raise ExpressionError("the second argument of info() must be a plain label selector")
    if chosen.name is None and not any(matcher.name == "__name__" for matcher in chosen.matchers):
        chosen = replace(chosen, name=INFO_METRIC)
    return base, replace(chosen, pin=base.pin if isinstance(base, Selector) else Pin())


def _matching(modifier: promql_parser.BinModifier | None, operator: str) -> Matching:
    plain = Cardinality.SETS if operator in _SET_OPERATORS else Cardinality.ONE_TO_ONE
    if modifier is None:
        return Matching(cardinality=plain, on=False, labels=(), included=())
    matching = modifier.matching
    fill = modifier.fill_values
    return Matching(
        cardinality=plain if plain is Cardinality.SETS else _CARDINALITIES[str(modifier.card)],
        on=matching is not None and str(matching.type) == str(promql_parser.LabelModifierType.Include),
        labels=tuple(matching.labels) if matching is not None else (),
        included=tuple(modifier.group_labels or ()),
        fill_left=fill.lhs if fill is not None else None,
        fill_right=fill.rhs if fill is not None else None,
    )
