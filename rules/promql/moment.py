"""The moment at which an expression is evaluated, and what bounds the work."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rules.columns import Columns, Key
from rules.promql.errors import QueryTimeoutError
from rules.promql.tree import Boundary, Pin

LOOKBACK = 5 * 60 * 1000
"""How far an instant selector looks back for a sample, in milliseconds."""

DEFAULT_SUBQUERY_STEP = 60 * 1000


class StoredSeries(Protocol):
    """A series with its samples."""

    @property
    def key(self) -> Key: ...

    @property
    def columns(self) -> Columns: ...


class Queried(Protocol):
    """What a query asks of a store: `SeriesStore`, or a view of one."""

    def select(self, name: str | None) -> Sequence[StoredSeries]: ...

    def generation(self, name: str | None) -> int: ...


@dataclass(slots=True)
class Notes:
    """Remarks on a query that has a result: what was odd about its input."""

    warnings: dict[str, None] = field(default_factory=dict)
    infos: dict[str, None] = field(default_factory=dict)

    def warn(self, text: str) -> None:
        self.warnings[f"PromQL warning: {text}"] = None

    def inform(self, text: str) -> None:
        self.infos[f"PromQL info: {text}"] = None


class Moment:
    """One evaluation at `at`, within a query from `start` to `end`; all in milliseconds."""

    __slots__ = ("at", "deadline", "end", "lookback", "notes", "start", "step", "store", "subquery_step")

    def __init__(
        self,
        store: Queried,
        at: int,
        *,
        start: int,
        end: int,
        step: int,
        deadline: float | None = None,
        notes: Notes | None = None,
        lookback: int = LOOKBACK,
        subquery_step: int = DEFAULT_SUBQUERY_STEP,
    ) -> None:
        self.store = store
        self.at = at
        self.start = start
        self.end = end
        self.step = step
        self.deadline = deadline
        self.notes = notes if notes is not None else Notes()
        self.lookback = lookback
        self.subquery_step = subquery_step

    def moved(self, at: int) -> "Moment":
        """Return the same query at another time."""
        return Moment(
            self.store,
            at,
            start=self.start,
            end=self.end,
            step=self.step,
            deadline=self.deadline,
            notes=self.notes,
            lookback=self.lookback,
            subquery_step=self.subquery_step,
        )

    def pinned(self, pin: Pin) -> int:
        """Return the time a selector looks at."""
        if pin.at is None:
            return self.at - pin.offset
        if pin.at is Boundary.START:
            return self.start - pin.offset
        if pin.at is Boundary.END:
            return self.end - pin.offset
        return pin.at - pin.offset

    def check(self) -> None:
        """Raise QueryTimeoutError if the time budget is spent."""
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise QueryTimeoutError("the query took longer than its time budget")
