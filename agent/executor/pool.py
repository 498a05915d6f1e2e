"""Performing effects: each owed row on a thread of its own, its answer posted back to the engine."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping

from agent.incidents.effects import Kind, OutboxRow
from agent.incidents.events import EffectSettled
from agent.telemetry import log

_log = log.get("executor")
Performer = Callable[[OutboxRow], EffectSettled | None]
"""Performs a row and says how it went; None: the daemon stops before that is known, and the next one asks again.

It has time-outs of its own; how many run at once is for the outbox to say."""


class Pool:
    """Threads are not kept: a new one starts within 0.1 ms, and a hung ticket system cannot block the exit."""

    def __init__(self, performers: Mapping[str, Performer], settled: Callable[[EffectSettled], None]) -> None:
        self._performers = dict(performers)
        self._settled = settled
        self._changed = threading.Condition()
        self._unanswered: Counter[str] = Counter()

    def hand_over(self, row: OutboxRow) -> None:
        """Start performing the row. Never blocks."""
        with self._changed:
            self._unanswered[row.target] += 1
        thread = threading.Thread(target=self._perform, args=(row,), name=f"effect-{row.id}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system gives no more threads: somebody else has them all
            _log.error("nothing can be performed", target=row.target, key=row.key, reason=str(error))
            self._end(row, _not_performed(row, str(error), "refused"))

    def finish(self, target: str, seconds: float) -> None:
        """Wait until every row of the target has been answered for, but no longer than so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._unanswered[target], seconds)

    def _perform(self, row: OutboxRow) -> None:
        self._end(row, self._answer(row))

    def _end(self, row: OutboxRow, answer: EffectSettled | None) -> None:
        if answer is not None:
            self._settled(answer)
        with self._changed:
            self._unanswered[row.target] -= 1
            self._changed.notify_all()

    def _answer(self, row: OutboxRow) -> EffectSettled | None:
        performer = self._performers.get(row.target)
        if performer is None:
            reason = f"nothing is configured by the name {row.target!r}"
            return EffectSettled(row=row.id, claim=row.claim, dead=True, reason=reason)
        try:
            return performer(row)
        # The seam to performers: whatever one of them raises, the row must be answered for or its lane stands still.
        except Exception as error:  # noqa: BLE001
            _log.exception("a performer failed", target=row.target, key=row.key)
            return _not_performed(row, f"{type(error).__name__}: {error}", "interrupted")


def _not_performed(row: OutboxRow, reason: str, outcome: str) -> EffectSettled:
    """Return the answer for a row that went wrong here. A repair is never repeated: it may have been begun."""
    done = row.kind is Kind.REMEDIATION
    result = {"outcome": outcome, "detail": reason} if done else {}
    return EffectSettled(row=row.id, claim=row.claim, done=done, reason=reason, result=result)
