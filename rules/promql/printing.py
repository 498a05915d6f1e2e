"""Trees back to text, as Prometheus formats expressions. Parentheses are put where the meaning needs them."""

import json
import re
from dataclasses import replace

from rules.matchers import Matcher
from rules.promql.formatting import go_float
from rules.promql.tree import (
    Aggregation,
    Binary,
    Boundary,
    Call,
    Cardinality,
    Expression,
    Matching,
    Negation,
    Number,
    Pin,
    Range,
    Selector,
    Subquery,
    Text,
)

MAX_WIDTH = 100
"""What is longer is divided over several lines."""

_PLAIN_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_PLAIN_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_LOOSEST_FIRST = ("or", "and unless", "== != <= < >= >", "+ -", "* / % atan2", "^")
_BINDING = {operator: strength for strength, level in enumerate(_LOOSEST_FIRST) for operator in level.split()}
_POWER, _SIGN, _ATOM = _BINDING["^"], _BINDING["*"] + 0.5, 9.0
_UNITS = (("y", 31_536_000_000), ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000))
_WHOLE_ONLY = frozenset("yw")


def formatted(node: Expression, level: int = 0) -> str:
    """Return the expression, divided over indented lines where it is long."""
    pad, text = "  " * level, shown(node)
    if len(text) <= MAX_WIDTH:
        return pad + text
    match node:
        case Aggregation():
            return _divided(pad, _aggregator(node), _operands(node), level)
        case Call():
            return _divided(pad, node.function, node.arguments, level)
        case Binary():
            sides = (_side(node.left, level + 1, _left_needs(node)), _side(node.right, level + 1, _right_needs(node)))
            return f"{sides[0]}\n{pad}{_operator(node)}\n{sides[1]}"
        case Negation():
            return f"{pad}-{_side(node.operand, level, _POWER).lstrip()}"
        case Subquery():
            return _side(node.operand, level, _ATOM) + _grid(node)
    return pad + text


def _divided(pad: str, head: str, parts: tuple[Expression, ...], level: int) -> str:
    lines = ",\n".join(formatted(part, level + 1) for part in parts)
    return f"{pad}{head}(\n{lines}\n{pad})"


def _side(node: Expression, level: int, needed: float) -> str:
    if _strength(node) >= needed:
        return formatted(node, level)
    pad = "  " * level
    return f"{pad}(\n{formatted(node, level + 1)}\n{pad})"


def shown(node: Expression) -> str:
    """Return the expression in one line."""
    match node:
        case Number(value=value) | Text(value=value):
            return _quoted(value) if isinstance(value, str) else go_float(value)
        case Selector():
            return _series(node) + _pinned(node.pin)
        case Range(selector=selector, length=length):
            return f"{_series(selector)}[{duration(length)}]{_pinned(selector.pin)}"
        case Subquery(operand=operand):
            return _wrapped(operand, _ATOM) + _grid(node)
        case Negation(operand=operand):
            return f"-{_wrapped(operand, _POWER)}"
        case Call(function=function):
            return f"{function}({_listed(_arguments(node))})"
        case Aggregation():
            return f"{_aggregator(node)}({_listed(_operands(node))})"
        case Binary(left=left, right=right):
            return f"{_wrapped(left, _left_needs(node))} {_operator(node)} {_wrapped(right, _right_needs(node))}"


def duration(milliseconds: int) -> str:
    """Return a duration as Prometheus writes it: `1h30m`, `8d`, `0s`."""
    left, text = abs(milliseconds), ""
    for unit, size in _UNITS:
        if unit not in _WHOLE_ONLY or left % size == 0:
            count, left = divmod(left, size)
            text += f"{count}{unit}" if count else ""
    text += f"{left}ms" if left else ""
    return ("-" if milliseconds < 0 else "") + (text or "0s")


def _strength(node: Expression) -> float:
    match node:
        case Binary(operator=operator):
            return _BINDING[operator]
        case Negation():
            return _SIGN
        case Number(value=value) if value < 0:
            return _SIGN
    return _ATOM


def _left_needs(node: Binary) -> float:
    return _ATOM if node.operator == "^" else _BINDING[node.operator]


def _right_needs(node: Binary) -> float:
    return _POWER if node.operator == "^" else _BINDING[node.operator] + 0.25


def _wrapped(node: Expression, needed: float) -> str:
    return shown(node) if _strength(node) >= needed else f"({shown(node)})"


def _listed(nodes: tuple[Expression, ...]) -> str:
    return ", ".join(map(shown, nodes))


def _arguments(node: Call) -> tuple[Expression, ...]:
    """Return the arguments as they are written: the selector of `info()` is moved by its base and not by itself."""
    match node:
        case Call(function="info", arguments=(base, Selector() as selector)):
            return base, replace(selector, pin=Pin())
    return node.arguments


def _aggregator(node: Aggregation) -> str:
    labels = ", ".join(map(_label, node.grouping.labels))
    if node.grouping.without:
        return f"{node.operator} without ({labels}) "
    return f"{node.operator} by ({labels}) " if labels else node.operator


def _operands(node: Aggregation) -> tuple[Expression, ...]:
    return (node.operand,) if node.parameter is None else (node.parameter, node.operand)


def _operator(node: Binary) -> str:
    matching = node.matching
    return " ".join((node.operator, *(["bool"] if node.as_bool else []), *_matched(matching), *_filled(matching)))


def _matched(matching: Matching) -> list[str]:
    grouping = {Cardinality.MANY_TO_ONE: "group_left", Cardinality.ONE_TO_MANY: "group_right"}.get(matching.cardinality)
    parts = []
    if matching.on or matching.labels or grouping:
        parts.append(f"{'on' if matching.on else 'ignoring'} ({', '.join(map(_label, matching.labels))})")
    if grouping:
        parts.append(f"{grouping} ({', '.join(map(_label, matching.included))})")
    return parts


def _filled(matching: Matching) -> list[str]:
    sides = (("fill_left", matching.fill_left), ("fill_right", matching.fill_right))
    return [f"{name} ({go_float(value)})" for name, value in sides if value is not None]


def _series(node: Selector) -> str:
    parts = sorted(_matcher(matcher) for matcher in node.matchers)
    name = node.name or ""
    if name and not _PLAIN_NAME.fullmatch(name):
        parts.insert(0, _quoted(name))
        name = ""
    return name + ("{" + ",".join(parts) + "}" if parts or not name else "")


def _matcher(matcher: Matcher) -> str:
    return f"{_label(matcher.name)}{matcher.operator}{_quoted(matcher.value)}"


def _label(name: str) -> str:
    return name if _PLAIN_LABEL.fullmatch(name) else _quoted(name)


def _pinned(pin: Pin) -> str:
    at = ""
    if isinstance(pin.at, Boundary):
        at = f" @ {pin.at}()"
    elif pin.at is not None:
        at = f" @ {pin.at / 1000:.3f}"
    return at + (f" offset {duration(pin.offset)}" if pin.offset else "")


def _grid(node: Subquery) -> str:
    step = duration(node.step) if node.step is not None else ""
    return f"[{duration(node.length)}:{step}]{_pinned(node.pin)}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
