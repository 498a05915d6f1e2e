"""Overrides: another limit for one service's alerts of a rule, until it expires by itself."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from agent.itsm.suggestions import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """The record. `limit` takes the place of `instead_of` in the rule's expression; times are wall seconds."""

    id: str
    rule: str
    service: str
    """Whose alerts it is about; empty: all of the rule's."""
    limit: float
    instead_of: float
    by: str
    reason: str
    created_at: float
    ends_at: float

    def __str__(self) -> str:
        whose = f"service {self.service}" if self.service else "every service"
        until = datetime.fromtimestamp(self.ends_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return f"{self.rule} for {whose}: {self.limit:g} instead of {self.instead_of:g} until {until}: {self.reason}"


def points(overrides: Iterable[Override]) -> Iterator[Point]:
    """Yield what holds, for reviews."""
    for each in overrides:
        yield Point(
            kind="override",
            about=f"override {each.id}",
            says=f"{each} (by {each.by})",
            suggestion="change the rule if it is to stay, or end it",
        )
