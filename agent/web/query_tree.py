"""The syntax tree of an expression in the shape of Prometheus' `parse_query`. It has no nodes for parentheses."""

from collections.abc import Mapping
from typing import Any

from rules.matchers import Matcher, Operator
from rules.promql.formatting import go_float
from rules.promql.tree import (
    Aggregation,
    Binary,
    Boundary,
    Call,
    Cardinality,
    Expression,
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

Json = Mapping[str, Any]

_KINDS = {Kind.SCALAR: "scalar", Kind.VECTOR: "vector", Kind.MATRIX: "matrix", Kind.STRING: "string"}
_CARDINALITIES = {
    Cardinality.ONE_TO_ONE: "one-to-one",
    Cardinality.MANY_TO_ONE: "many-to-one",
    Cardinality.ONE_TO_MANY: "one-to-many",
    Cardinality.SETS: "many-to-many",
}


def tree(node: Expression) -> Json:
    """Return the node and all below it; durations and times in milliseconds."""
    match node:
        case Number(value=value) | Text(value=value):
            return _literal(value)
        case Selector():
            return {"type": "vectorSelector", **_selected(node), **_pinned(node.pin)}
        case Range(selector=selector, length=length):
            return {"type": "matrixSelector", **_selected(selector), "range": length, **_pinned(selector.pin)}
        case Subquery(operand=operand, length=length, step=step, pin=pin):
            grid = {"range": length, "step": step or 0}
            return {"type": "subquery", "expr": tree(operand), **grid, **_pinned(pin)}
        case Negation(operand=operand):
            return {"type": "unaryExpr", "op": "-", "expr": tree(operand)}
        case Call():
            return _call(node)
        case Aggregation():
            return _aggregation(node)
        case Binary():
            return _binary(node)


def _literal(value: float | str) -> Json:
    if isinstance(value, str):
        return {"type": "stringLiteral", "val": value}
    return {"type": "numberLiteral", "val": go_float(value)}


def _selected(node: Selector) -> Json:
    name = [Matcher(name="__name__", operator=Operator.EQUAL, value=node.name)] if node.name else []
    matchers = [
        {"type": each.operator.value, "name": each.name, "value": each.value} for each in (*node.matchers, *name)
    ]
    return {"name": node.name or "", "matchers": matchers}


def _pinned(pin: Pin) -> Json:
    boundary = pin.at if isinstance(pin.at, Boundary) else None
    return {
        "offset": pin.offset,
        "timestamp": None if boundary else pin.at,
        "startOrEnd": boundary.value if boundary else None,
    }


def _call(node: Call) -> Json:
    function = {
        "name": node.function,
        "argTypes": [_KINDS[kind(argument)] for argument in node.arguments],
        "variadic": 0,
        "returnType": _KINDS[kind(node)],
    }
    return {"type": "call", "func": function, "args": [tree(argument) for argument in node.arguments]}


def _aggregation(node: Aggregation) -> Json:
    return {
        "type": "aggregation",
        "op": node.operator,
        "expr": tree(node.operand),
        "param": tree(node.parameter) if node.parameter is not None else None,
        "grouping": list(node.grouping.labels),
        "without": node.grouping.without,
    }


def _binary(node: Binary) -> Json:
    between_vectors = kind(node.left) is kind(node.right) is Kind.VECTOR
    return {
        "type": "binaryExpr",
        "op": node.operator,
        "lhs": tree(node.left),
        "rhs": tree(node.right),
        "matching": _matching(node.matching) if between_vectors else None,
        "bool": node.as_bool,
    }


def _matching(matching: Matching) -> Json:
    return {
        "card": _CARDINALITIES[matching.cardinality],
        "labels": list(matching.labels),
        "on": matching.on,
        "include": list(matching.included),
    }
