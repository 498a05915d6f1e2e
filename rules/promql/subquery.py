"""Subqueries: an instant expression, evaluated on a grid, as a range vector."""

from collections.abc import Callable

from rules.columns import Key
from rules.promql.errors import EvaluationError, QueryLimitError
from rules.promql.moment import Moment
from rules.promql.tree import Subquery
from rules.promql.values import Keys, Vector, Window, Windows

MAX_STEPS = 100_000
MAX_SAMPLES = 2_000_000
"""Some fifty bytes each while the query runs; a query and a rule may run beside one another."""


def evaluation(node: Subquery, operand: Callable[[Moment], Vector]) -> Callable[[Moment], Windows]:
    """Return the evaluation of a subquery. Its grid lies on whole multiples of the step, whatever the query's time."""
    pin, length = node.pin, node.length

    def evaluate(moment: Moment) -> Windows:
        step = node.step or moment.subquery_step
        end = moment.pinned(pin)
        start = end - length
        first = (start // step + 1) * step
        if (end - first) // step > MAX_STEPS:
            raise QueryLimitError(f"the subquery has more than {MAX_STEPS} steps")
        columns: dict[tuple[str, object], tuple[list[int], list[float]]] = {}
        keys: dict[tuple[str, object], Key] = {}
        samples = 0
        for at in range(first, end + 1, step):
            moment.check()
            vector = operand(moment.moved(at))
            samples += len(vector.values)
            if samples > MAX_SAMPLES:
                raise QueryLimitError(f"the subquery yields more than {MAX_SAMPLES} samples")
            _add(vector, at, columns, keys)
        return Windows(Keys(list(keys.values())), [Window(*column) for column in columns.values()], start, end)

    return evaluate


def _add(
    vector: Vector,
    at: int,
    columns: dict[tuple[str, object], tuple[list[int], list[float]]],
    keys: dict[tuple[str, object], Key],
) -> None:
    for key, value in zip(vector.keys.items, vector.values, strict=True):
        identity = (key.name, key.labels)
        column = columns.get(identity)
        if column is None:
            column = columns[identity] = ([], [])
            keys[identity] = key
        elif column[0][-1] == at:
            raise EvaluationError("vector cannot contain metrics with the same labelset")
        elif key.dropped:
            keys[identity] = key
        column[0].append(at)
        column[1].append(value)
