"""Drills as training: what was practised, by whom, and with what result. They are in no other figure. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One drill that is over. `took` is how many seconds it took somebody to acknowledge; empty: nobody took part."""

    drill: str
    scenario: str
    held_at: float
    passed: bool
    points: int
    acknowledged_by: str = ""
    took: float | None = None

    @property
    def certifies(self) -> str:
        """Return the operator whom it certifies: whoever took a drill that was passed; empty: nobody."""
        return self.acknowledged_by if self.passed else ""


def training(drills: Iterable[Mapping[str, Any]], start: float, end: float) -> tuple[Training, ...]:
    """Return the drills of a period, oldest first, of all that are on record."""
    found = [_training(each) for each in drills if start <= each["killed_at"] < end]
    return tuple(sorted(found, key=lambda each: (each.held_at, each.drill)))


def _training(result: Mapping[str, Any]) -> Training:
    took = next((row["took"] for row in result["phases"] if row["name"] == "acknowledged"), None)
    return Training(
        drill=result["drill"],
        scenario=result["scenario"],
        held_at=result["killed_at"],
        passed=result["ok"],
        points=result["points"] or 0,
        acknowledged_by=result["acknowledged_by"] or "",
        took=took,
    )
