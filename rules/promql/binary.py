"""Binary operators between numbers and vectors."""

from collections.abc import Callable, Iterable, Sequence
from itertools import compress, repeat
from typing import Any

from rules.promql.arithmetic import COMPARISONS, column_operation, scalar_operation
from rules.promql.matching import Matcher, Pairs, Signature, signature_of
from rules.promql.moment import Moment
from rules.promql.tree import Binary, Cardinality, Kind, kind
from rules.promql.values import EMPTY, Keys, Vector

Evaluate = Callable[[Moment], Any]
Combine = Callable[[Vector, Vector], Vector]


def evaluation(node: Binary, left: Evaluate, right: Evaluate) -> Evaluate:
    """Return the evaluation of a binary operator over compiled operands."""
    left_scalar, right_scalar = kind(node.left) is Kind.SCALAR, kind(node.right) is Kind.SCALAR
    if left_scalar and right_scalar:
        operate = scalar_operation(node.operator)
        return lambda moment: operate(left(moment), right(moment))
    if left_scalar or right_scalar:
        return _with_scalar(node, left, right, scalar_is_left=left_scalar)
    combine = _SETS[node.operator](node) if node.operator in _SETS else _between_vectors(node)
    return lambda moment: combine(left(moment), right(moment))


# -- a vector and a number


def _with_scalar(node: Binary, left: Evaluate, right: Evaluate, *, scalar_is_left: bool) -> Evaluate:
    operate = _scalar_comparison(node) if node.operator in COMPARISONS else _scalar_arithmetic(node.operator)
    if scalar_is_left:
        return lambda moment: _swapped(operate, left(moment), right(moment))
    return lambda moment: _straight(operate, left(moment), right(moment))


ScalarOperate = Callable[[Vector, Iterable[float], Iterable[float]], Vector]


def _straight(operate: ScalarOperate, vector: Vector, number: float) -> Vector:
    return operate(vector, vector.values, repeat(number))


def _swapped(operate: ScalarOperate, number: float, vector: Vector) -> Vector:
    return operate(vector, repeat(number), vector.values)


def _scalar_arithmetic(symbol: str) -> ScalarOperate:
    columns = column_operation(symbol)
    return lambda vector, left, right: Vector(vector.keys.dropped(), columns(left, right))


def _scalar_comparison(node: Binary) -> ScalarOperate:
    compare = COMPARISONS[node.operator]
    if node.as_bool:
        return lambda vector, left, right: Vector(vector.keys.dropped(), list(map(float, map(compare, left, right))))

    def keep(vector: Vector, left: Iterable[float], right: Iterable[float]) -> Vector:
        return vector.pick(list(compress(range(len(vector.values)), map(compare, left, right))))

    return keep


# -- two vectors


def _between_vectors(node: Binary) -> Combine:
    comparison = node.operator in COMPARISONS
    matcher = Matcher(node.matching, renames=not comparison, drops=node.as_bool)
    matching = node.matching
    fills = (matching.fill_left, matching.fill_right)
    apply = _comparison(node) if comparison else _arithmetic(node.operator)

    def combine(left: Vector, right: Vector) -> Vector:
        if not _may_match(left, right, fills):
            return EMPTY
        if matching.cardinality is Cardinality.ONE_TO_MANY:
            pairs = matcher.pairs(right.keys, left.keys)
            return apply(pairs, _column(left, pairs.one, fills[0]), _column(right, pairs.many, fills[1]))
        pairs = matcher.pairs(left.keys, right.keys)
        return apply(pairs, _column(left, pairs.many, fills[0]), _column(right, pairs.one, fills[1]))

    return combine


def _may_match(left: Vector, right: Vector, fills: tuple[float | None, float | None]) -> bool:
    if not left.values and not right.values:
        return False
    return (bool(left.values) or fills[0] is not None) and (bool(right.values) or fills[1] is not None)


def _column(vector: Vector, places: Sequence[int | None], fill: float | None) -> list[float]:
    values = vector.values
    if fill is not None:
        return [fill if place is None else values[place] for place in places]
    return list(map(values.__getitem__, places))  # type: ignore[arg-type]


PairOperate = Callable[[Pairs, list[float], list[float]], Vector]


def _arithmetic(symbol: str) -> PairOperate:
    columns = column_operation(symbol)

    def operate(pairs: Pairs, left: list[float], right: list[float]) -> Vector:
        return Vector(pairs.keys, columns(left, right))

    return operate


def _comparison(node: Binary) -> PairOperate:
    compare = COMPARISONS[node.operator]

    def operate(pairs: Pairs, left: list[float], right: list[float]) -> Vector:
        verdicts = map(compare, left, right)
        if node.as_bool:
            return Vector(pairs.keys, list(map(float, verdicts)))
        return Vector(pairs.keys, left).pick(list(compress(range(len(left)), verdicts)))

    return operate


# -- sets


class _Membership:
    """Which elements of the left side have a partner on the right."""

    def __init__(self, node: Binary) -> None:
        self._signature = signature_of(node.matching)

    def signatures(self, keys: Keys) -> list[Signature]:
        known: list[Signature] | None = keys.memo.get(self)
        if known is None:
            known = keys.memo[self] = [self._signature(key) for key in keys.items]
        return known

    def of(self, left: Vector, right: Vector) -> list[bool]:
        partners = set(self.signatures(right.keys))
        return [signature in partners for signature in self.signatures(left.keys)]


def _and(node: Binary) -> Combine:
    membership = _Membership(node)

    def combine(left: Vector, right: Vector) -> Vector:
        if not left.values or not right.values:
            return EMPTY
        return left.pick(list(compress(range(len(left.values)), membership.of(left, right))))

    return combine


def _unless(node: Binary) -> Combine:
    membership = _Membership(node)

    def combine(left: Vector, right: Vector) -> Vector:
        if not left.values or not right.values:
            return left
        return left.pick([place for place, there in enumerate(membership.of(left, right)) if not there])

    return combine


def _or(node: Binary) -> Combine:
    membership = _Membership(node)

    def combine(left: Vector, right: Vector) -> Vector:
        if not left.values or not right.values:
            return left if left.values else right
        added = right.pick([place for place, there in enumerate(membership.of(right, left)) if not there])
        if not added.values:
            return left
        return Vector(Keys(left.keys.items + added.keys.items), left.values + added.values)

    return combine


_SETS: dict[str, Callable[[Binary], Combine]] = {"and": _and, "or": _or, "unless": _unless}
