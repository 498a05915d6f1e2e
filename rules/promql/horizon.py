"""How far an expression looks back: what the store must keep for it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rules.promql.moment import DEFAULT_SUBQUERY_STEP
from rules.promql.tree import Aggregation, Binary, Call, Expression, Negation, Pin, Range, Selector, Subquery


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """Seconds before the evaluation, offsets included."""

    metrics: frozenset[str] | None
    seconds_by_metric: Mapping[str, float]
    """The furthest it may look for each, look-back included: what must be kept."""
    range_seconds: float
    """The furthest its ranges and offsets reach, look-back left out: what must be there for a full answer."""

    @classmethod
    def of(cls, tree: Expression, lookback: int) -> "Horizon":
        """Return the horizon of an expression; `lookback` in milliseconds."""
        reaches = list(_reaches(tree, 0, lookback))
        by_metric: dict[str, float] = {}
        for name, reach in reaches:
            if name is not None:
                by_metric[name] = max(by_metric.get(name, 0.0), reach / 1000)
        return cls(
            metrics=None if any(name is None for name, _ in reaches) else frozenset(by_metric),
            seconds_by_metric=by_metric,
            range_seconds=max(((reach - lookback) / 1000 for _, reach in reaches), default=0.0),
        )


def _reaches(node: Expression, beyond: int, lookback: int) -> Iterator[tuple[str | None, int]]:
    """Yield each selector's metric and how many milliseconds it reaches back, `beyond` being what surrounds it."""
    match node:
        case Selector():
            yield node.name, beyond + lookback + _offset(node.pin)
        case Range():
            yield node.selector.name, beyond + node.length + lookback + _offset(node.selector.pin)
        case Subquery():
            step = node.step or DEFAULT_SUBQUERY_STEP
            yield from _reaches(node.operand, beyond + node.length + step + _offset(node.pin), lookback)
        case Negation():
            yield from _reaches(node.operand, beyond, lookback)
        case Aggregation(parameter=parameter):
            for child in (node.operand, *([parameter] if parameter is not None else [])):
                yield from _reaches(child, beyond, lookback)
        case Binary():
            yield from _reaches(node.left, beyond, lookback)
            yield from _reaches(node.right, beyond, lookback)
        case Call():
            for argument in node.arguments:
                yield from _reaches(argument, beyond, lookback)


def _offset(pin: Pin) -> int:
    return max(0, pin.offset)
