"""The counters that guards read. They belong to (remediation, resource), never to an incident, and survive restarts."""

import sqlite3
from collections import defaultdict, deque

from agent.store import writes
from agent.store.database import Write

Owner = tuple[str, str]
"""(remediation, resource)"""

_KEPT = 1000


class Ledger:
    """Runs and passes in memory; every change comes with the write that makes it durable."""

    def __init__(self) -> None:
        self._runs: dict[Owner, deque[float]] = defaultdict(lambda: deque(maxlen=_KEPT))
        self._last: dict[Owner, float] = {}
        self._passes: dict[Owner, tuple[int, float]] = {}
        self.host_runs: deque[float] = deque(maxlen=_KEPT)
        self.running: dict[str, str] = {}
        """run id -> resource of executions that have not ended."""

    def load(self, connection: sqlite3.Connection) -> None:
        """Rebuild the counters from the record."""
        rows = connection.execute(
            "SELECT remediation, resource, started_at, ended_at FROM runs ORDER BY started_at DESC LIMIT ?", (_KEPT,)
        ).fetchall()
        for remediation, resource, started, ended in reversed(rows):
            self._note((remediation, resource), started)
            self._last[remediation, resource] = ended if ended is not None else started
        for remediation, resource, count, unhealthy in connection.execute("SELECT * FROM passes"):
            self._passes[remediation, resource] = (count, unhealthy)

    def _note(self, owner: Owner, at: float) -> None:
        self._runs[owner].append(at)
        self.host_runs.append(at)
        self._last[owner] = at

    def started(self, owner: Owner, run_id: str, now: float, *, first_step: bool, reset: float) -> list[Write]:
        """Count an execution, and a pass if it is the first step of one. Return what must be written."""
        self._note(owner, now)
        self.running[run_id] = owner[1]
        if not first_step:
            return []
        self._passes[owner] = (self.passes(owner, now, reset) + 1, now)
        return [writes.put_passes(*owner, *self._passes[owner])]

    def ended(self, owner: Owner, run_id: str, now: float) -> None:
        self._last[owner] = now
        self.running.pop(run_id, None)

    def unhealthy(self, owner: Owner, now: float) -> list[Write]:
        """Note that the resource was not well until now: the healthy time that resets passes begins anew."""
        count, _ = self._passes.get(owner, (0, now))
        self._passes[owner] = (count, now)
        return [writes.put_passes(*owner, count, now)]

    def passes(self, owner: Owner, now: float, reset: float) -> int:
        count, unhealthy_at = self._passes.get(owner, (0, now))
        return 0 if now - unhealthy_at >= reset else count

    def runs(self, owner: Owner) -> tuple[float, ...]:
        return tuple(self._runs.get(owner, ()))

    def last_run_at(self, owner: Owner) -> float | None:
        return self._last.get(owner)

    def shift(self, delta: float) -> None:
        """Move every instant by a step of the wall clock, so that intervals keep their length."""
        for runs in (*self._runs.values(), self.host_runs):
            moved = [at + delta for at in runs]
            runs.clear()
            runs.extend(moved)
        self._last = {owner: at + delta for owner, at in self._last.items()}
        self._passes = {owner: (count, at + delta) for owner, (count, at) in self._passes.items()}
