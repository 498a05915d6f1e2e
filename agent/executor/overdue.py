"""Deliveries by libraries that bound each step but not the whole: a peer that drips is given up from outside."""

import threading
from collections.abc import Callable

from agent.incidents.effects import OutboxRow
from agent.incidents.events import EffectSettled

RETRY_SECONDS = 60.0


class Bounded:
    """Performs rows, each on a thread that is waited for so long; what hangs is left alone, and nothing joins it."""

    def __init__(self, perform: Callable[[OutboxRow], EffectSettled], seconds: float) -> None:
        self._perform = perform
        self._seconds = seconds
        self._given_up: threading.Thread | None = None

    def perform(self, row: OutboxRow) -> EffectSettled:
        """Answer in time. Whatever is given up comes again: it may then be delivered twice, but never not at all."""
        if self._given_up is not None and self._given_up.is_alive():
            return _later(row, "still busy with a delivery that was given up")
        answers: list[EffectSettled] = []
        thread = threading.Thread(
            target=lambda: answers.append(self._perform(row)), name=f"delivery-{row.id}", daemon=True
        )
        thread.start()
        thread.join(self._seconds)
        if thread.is_alive():
            self._given_up = thread
            return _later(row, f"not delivered within {self._seconds:g} s")
        # Nothing: it broke off, and the log says why.
        return answers[0] if answers else _later(row, "the delivery broke off")


def _later(row: OutboxRow, reason: str) -> EffectSettled:
    return EffectSettled(row=row.id, claim=row.claim, reason=reason, retry_after=RETRY_SECONDS)
