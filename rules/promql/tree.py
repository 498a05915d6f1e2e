"""The syntax tree: what an expression says, in frozen nodes. Durations and times are whole milliseconds."""

from dataclasses import dataclass
from enum import StrEnum

from rules.matchers import Matcher


class Boundary(StrEnum):
    """What `@ start()` and `@ end()` pin a selector to."""

    START = "start"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """Which moment a selector looks at: `@ at` (None: the evaluation's), moved back by `offset`."""

    at: int | Boundary | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """An instant selector. `name` is None when only matchers (perhaps on `__name__`) choose the metric."""

    name: str | None
    matchers: tuple[Matcher, ...]
    pin: Pin


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A range selector."""

    selector: Selector
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subquery:
    """`operand` evaluated on the grid of `step` (None: the default) over the last `length`."""

    operand: "Expression"
    length: int
    step: int | None
    pin: Pin


@dataclass(frozen=True, slots=True, kw_only=True)
class Negation:
    operand: "Expression"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    function: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """`by (labels)`, or `without (labels)`. Aggregating everything is `by ()`."""

    labels: tuple[str, ...]
    without: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregation:
    operator: str
    operand: "Expression"
    parameter: "Expression | None"
    grouping: Grouping


class Cardinality(StrEnum):
    """How many elements of one side may match one of the other."""

    ONE_TO_ONE = "one-to-one"
    MANY_TO_ONE = "many-to-one"
    """group_left"""
    ONE_TO_MANY = "one-to-many"
    """group_right"""
    SETS = "many-to-many"
    """and, or, unless"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """How the elements of two vectors find each other: `on (labels)` or `ignoring (labels)`."""

    cardinality: Cardinality
    on: bool
    labels: tuple[str, ...]
    included: tuple[str, ...]
    """Labels that group_left and group_right copy from the one side."""
    fill_left: float | None = None
    fill_right: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    operator: str
    left: "Expression"
    right: "Expression"
    matching: Matching
    as_bool: bool


Expression = Number | Text | Selector | Range | Subquery | Negation | Call | Aggregation | Binary


class Kind(StrEnum):
    """The types of values in the language."""

    SCALAR = "scalar"
    VECTOR = "instant vector"
    MATRIX = "range vector"
    STRING = "string"


SCALAR_FUNCTIONS = frozenset({"end", "max_of", "min_of", "pi", "range", "scalar", "start", "step", "time"})


def kind(node: Expression) -> Kind:
    """Return the type of what the node evaluates to."""
    match node:
        case Number():
            return Kind.SCALAR
        case Text():
            return Kind.STRING
        case Range() | Subquery():
            return Kind.MATRIX
        case Negation(operand=operand):
            return kind(operand)
        case Binary(left=left, right=right):
            return Kind.SCALAR if kind(left) is kind(right) is Kind.SCALAR else Kind.VECTOR
        case Call(function=function) if function in SCALAR_FUNCTIONS:
            return Kind.SCALAR
    return Kind.VECTOR
