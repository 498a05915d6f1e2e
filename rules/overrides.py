"""Another limit for some alerts of a rule, for a while: the number in one comparison of its expression is replaced."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from collectors.sample import Labels
from rules.promql import printing
from rules.promql.compile import Query, compile_query
from rules.promql.tree import Binary, Expression, Negation, Number

_ORDER = ("<", "<=", ">", ">=")
_EQUALITY = ("==", "!=")


class OverrideError(Exception):
    """The limit cannot be replaced; the message says why, and what can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What is asked instead of a rule's own expression about alerts with labels that it applies to, before `until`."""

    query: Query
    applies: Callable[[Labels], bool]
    until: float


def varied(text: str, limit: float, instead_of: float | None) -> tuple[str, float]:
    """Return the expression with another limit, and the one it had. Raise OverrideError."""
    tree = compile_query(text).tree
    old = _chosen(tree, instead_of)
    operators = _ORDER if old in _limits(tree, _ORDER) else _EQUALITY
    return printing.shown(_replaced(tree, operators, old, limit)), old


def _chosen(tree: Expression, instead_of: float | None) -> float:
    limits = set(_limits(tree, _ORDER)) or set(_limits(tree, _EQUALITY))
    every = limits | set(_limits(tree, _EQUALITY))
    if not every:
        raise OverrideError("its expression compares nothing with a number")
    shown = ", ".join(f"{each:g}" for each in sorted(every))
    if instead_of is not None and instead_of not in every:
        raise OverrideError(f"its expression compares nothing with {instead_of:g}, but with {shown}")
    if instead_of is not None:
        return instead_of
    if len(limits) > 1:
        raise OverrideError(f"its expression has more than one limit ({shown}): say instead of which")
    return limits.pop()


def _limits(tree: Expression, operators: tuple[str, ...]) -> Iterator[float]:
    """Yield the numbers that are compared with something."""
    for node in _nodes(tree):
        if isinstance(node, Binary) and node.operator in operators:
            yield from (value for value in map(_number, (node.left, node.right)) if value is not None)


def _nodes(tree: object) -> Iterator[Any]:
    yield tree
    for field in fields(tree) if is_dataclass(tree) else ():
        value = getattr(tree, field.name)
        for each in value if isinstance(value, tuple) else (value,):
            if is_dataclass(each):
                yield from _nodes(each)


def _number(node: Expression) -> float | None:
    match node:
        case Number(value=value):
            return value
        case Negation(operand=Number(value=value)):
            return -value
    return None


def _replaced(tree: Any, operators: tuple[str, ...], old: float, new: float) -> Any:  # noqa: ANN401 - any node
    """Return the tree with every comparison with `old` made one with `new`."""
    changes: dict[str, Any] = {}
    for field in fields(tree):
        value = getattr(tree, field.name)
        if isinstance(value, tuple):
            parts = (_replaced(each, operators, old, new) if is_dataclass(each) else each for each in value)
            changes[field.name] = tuple(parts)
        elif is_dataclass(value):
            changes[field.name] = _replaced(value, operators, old, new)
    if isinstance(tree, Binary) and tree.operator in operators:
        limit = Number(value=new) if new >= 0 else Negation(operand=Number(value=-new))
        changes |= {side: limit for side in ("left", "right") if _number(getattr(tree, side)) == old}
    return replace(tree, **changes)
