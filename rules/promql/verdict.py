"""Whether a test script's case has the outcome it expects."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from rules.columns import Key
from rules.promql.compile import compile_query
from rules.promql.errors import EvaluationError, ExpressionError, OutOfScopeError, OutOfScopeSampleError
from rules.promql.moment import Notes
from rules.promql.notation import SeriesLine
from rules.promql.values import Matrix, Scalar, String, Value, Vector
from rules.series import SeriesStore

TOLERANCE = 1e-6
"""How far two values may differ in relation to their size."""

_POSITION = re.compile(r" \(\d+:\d+\)$")


class Outcome(StrEnum):
    """What became of a case. UNSUPPORTED: the engine refused it, saying that it is out of its scope."""

    PASSED = "passed"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"


@dataclass(slots=True, kw_only=True)
class Expectation:
    """What a case is to give."""

    fails: bool = False
    message: str | None = None
    pattern: str | None = None
    ordered: bool = False
    warns: bool | None = None
    informs: bool | None = None
    notes: list[str] = field(default_factory=list)
    note_patterns: list[str] = field(default_factory=list)
    scalar: float | None = None
    string: str | None = None
    grid: tuple[int, int, int] | None = None
    rows: list[SeriesLine] = field(default_factory=list)


class Case(Protocol):
    """What is judged; times in milliseconds, `step` 0 for an instant query."""

    @property
    def expression(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def step(self) -> int: ...
    @property
    def expectation(self) -> Expectation: ...


class Mismatch(Exception):  # noqa: N818 (a verdict, not an error)
    """The result is not the expected one; the message says how."""


def judge(case: Case, store: SeriesStore) -> tuple[Outcome, str]:
    """Evaluate a case; return its outcome and, unless it passed, why."""
    notes = Notes()
    expected = case.expectation
    try:
        value = _evaluate(case, store, notes)
    except (OutOfScopeError, OutOfScopeSampleError) as error:
        return Outcome.UNSUPPORTED, str(error)
    except (ExpressionError, EvaluationError) as error:
        return _judge_failure(expected, str(error))
    if expected.fails:
        return Outcome.FAILED, "expected it to fail"
    try:
        _compare(value, case)
        _compare_notes(notes, expected)
    except Mismatch as mismatch:
        return Outcome.FAILED, str(mismatch)
    return Outcome.PASSED, ""


def _evaluate(case: Case, store: SeriesStore, notes: Notes) -> Value:
    query = compile_query(case.expression)
    if case.step:
        return query.range(store, case.start / 1000, case.end / 1000, case.step / 1000, notes=notes)
    return query.instant(store, case.start / 1000, notes=notes)


def _judge_failure(expected: Expectation, message: str) -> tuple[Outcome, str]:
    if not expected.fails:
        return Outcome.FAILED, f"failed: {message}"
    if expected.message is not None and expected.message not in message:
        return Outcome.FAILED, f"expected the message {expected.message!r}, got {message!r}"
    if expected.pattern is not None and not re.search(expected.pattern, message):
        return Outcome.FAILED, f"expected a message like {expected.pattern!r}, got {message!r}"
    return Outcome.PASSED, ""


def _compare_notes(notes: Notes, expected: Expectation) -> None:
    for wanted, found, word in ((expected.warns, notes.warnings, "warning"), (expected.informs, notes.infos, "info")):
        if wanted is not None and wanted is not bool(found):
            raise Mismatch(f"expected {'a' if wanted else 'no'} {word}, got {list(found)}")
    found_texts = {*notes.warnings, *notes.infos}
    for text in expected.notes:
        # The syntax tree has no positions: messages are compared without theirs.
        if _POSITION.sub("", text) not in found_texts:
            raise Mismatch(f"expected the remark {text!r}, got {sorted(found_texts)}")
    for pattern in expected.note_patterns:
        if not any(re.search(pattern, text) for text in found_texts):
            raise Mismatch(f"expected a remark like {pattern!r}, got {sorted(found_texts)}")


def _compare(value: Value, case: Case) -> None:
    expected = case.expectation
    match value:
        case String(value=text):
            if text != expected.string:
                raise Mismatch(f"expected {expected.string!r}, got {text!r}")
        case Scalar(value=number):
            if expected.scalar is None or not nearly(number, expected.scalar):
                raise Mismatch(f"expected {expected.scalar}, got {number}")
        case Vector():
            _compare_vector(value, expected)
        case Matrix():
            _compare_matrix(value, expected, *(expected.grid or (case.start, case.end, case.step)))


def _compare_vector(vector: Vector, expected: Expectation) -> None:
    if expected.scalar is not None or expected.string is not None:
        raise Mismatch("expected no vector")
    found = dict(zip(vector.keys, vector.values, strict=True))
    _compare_keys(found, expected.rows)
    for key, values in expected.rows:
        wanted = values[0] if values else None
        if wanted is None or not nearly(found[key], wanted):
            raise Mismatch(f"expected {wanted} for {show(key)}, got {found[key]}")
    if expected.ordered and list(found) != [row.key for row in expected.rows]:
        raise Mismatch(f"expected another order than {[show(key) for key in found]}")


def _compare_keys(found: Iterable[Key], rows: Sequence[SeriesLine]) -> None:
    keys, wanted = set(found), {row.key for row in rows}
    if keys != wanted:
        missing, surplus = sorted(map(show, wanted - keys)), sorted(map(show, keys - wanted))
        raise Mismatch(f"missing {missing}, not expected {surplus}")


def _compare_matrix(matrix: Matrix, expected: Expectation, start: int, end: int, step: int) -> None:
    wanted_rows = [row for row in expected.rows if any(value is not None for value in row.values)]
    found = {
        row.key: dict(zip((round(at * 1000) for at in row.times), row.values, strict=True)) for row in matrix.series
    }
    _compare_keys(found, wanted_rows)
    for key, values in wanted_rows:
        wanted = {start + place * step: value for place, value in enumerate(values) if value is not None}
        got = found[key]
        if max(wanted) > end or wanted.keys() != got.keys():
            raise Mismatch(f"expected samples of {show(key)} at {sorted(wanted)}, got {sorted(got)}")
        for at, value in wanted.items():
            if not nearly(got[at], value):
                raise Mismatch(f"expected {value} for {show(key)} at {at} ms, got {got[at]}")


def nearly(left: float, right: float) -> bool:
    """Return whether two values are the same but for rounding; a NaN is like any other."""
    if left == right or (math.isnan(left) and math.isnan(right)):
        return True
    if not (math.isfinite(left) and math.isfinite(right)):
        return False
    return abs(left - right) < TOLERANCE * min(abs(left) + abs(right), 1.7e308) or abs(left - right) < 1e-300  # noqa: PLR2004


def show(key: Key) -> str:
    """Return a series as PromQL writes it."""
    return key.name + "{" + ", ".join(f'{name}="{value}"' for name, value in key.labels) + "}"
