"""One turn of the engine: everything that is to become durable together."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from agent.incidents.effects import OutboxRow
from agent.store.database import Write
from rules.alert import Alert


@dataclass(slots=True, kw_only=True)
class Batch:
    """Writes of this turn, and what may leave the engine once they are durable."""

    now: float
    writes: list[Write] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    """Alerts that changed, for those who are told about alerts."""
    answers: list[tuple[Future[Mapping[str, Any]], Mapping[str, Any] | Exception]] = field(default_factory=list)
    claimed: list[OutboxRow] = field(default_factory=list)
    pushed_at: float | None = None
    """When the oldest pushed reading of this turn was taken; for the detection time."""
    judged: bool = False
    """Alerts changed, or their values."""
    grown: set[str] = field(default_factory=set)
    """Storm incidents with more members than are written down."""
    decided: bool = False
    """An incident changed."""
    settled: bool = False
    """An attempt ended in this turn: fresh data is wanted."""

    def begin_again(self, now: float) -> None:
        """Start the next turn in the same object, after everything of this one was finished."""
        self.now = now
        self.writes, self.alerts, self.answers, self.claimed = [], [], [], []
        self.pushed_at = None
        self.judged = self.decided = self.settled = False
