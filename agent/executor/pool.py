"""Performing effects: each owed row on a thread of its own, its answer posted back to the engine."""

import threading
from collections.abc import Callable, Mapping

from agent.incidents.effects import OutboxRow
from agent.incidents.events import EffectSettled
from agent.telemetry import log

_log = log.get("executor")
Performer = Callable[[OutboxRow], EffectSettled]
"""Performs a row and says how it went. It has time-outs of its own; how many run at once is for the outbox to say."""


class Pool:
    """Threads are not kept: a new one starts within 0.1 ms, and a hung ticket system cannot block the exit."""

    def __init__(self, performers: Mapping[str, Performer], settled: Callable[[EffectSettled], None]) -> None:
        self._performers = dict(performers)
        self._settled = settled

    def hand_over(self, row: OutboxRow) -> None:
        """Start performing the row. Never blocks."""
        thread = threading.Thread(target=self._perform, args=(row,), name=f"effect-{row.id}", daemon=True)
        thread.start()

    def _perform(self, row: OutboxRow) -> None:
        performer = self._performers.get(row.target)
        if performer is None:
            reason = f"nothing is configured by the name {row.target!r}"
            self._settled(EffectSettled(row=row.id, claim=row.claim, dead=True, reason=reason))
            return
        try:
            settled = performer(row)
        # The seam to performers: whatever one of them raises, the row must be answered for or its lane stands still.
        except Exception as error:  # noqa: BLE001
            _log.exception("a performer failed", target=row.target, key=row.key)
            reason = f"{type(error).__name__}: {error}"
            settled = EffectSettled(row=row.id, claim=row.claim, reason=reason)
        self._settled(settled)
