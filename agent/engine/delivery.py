"""Effects on their way out: written with the decision, claimed when their lane is free, settled by the answer."""

import itertools
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from agent.engine.batch import Batch
from agent.engine.outbox import OVERDUE_SECONDS, Outbox, Owed
from agent.incidents.effects import Effect, Kind, OutboxRow
from agent.incidents.events import EffectSettled
from agent.incidents.incident import Incident
from agent.store import writes
from agent.telemetry import log, metrics

_log = log.get("outbox")
Presenter = Callable[[Effect, Incident], Mapping[str, Any]]
"""Makes the final payload of a ticket or publish effect from the incident as it is now."""
Inline = Callable[[sqlite3.Connection, OutboxRow], EffectSettled]
"""A performer that writes into our own database, within the transaction of the decision."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A settled row and what the far end said."""

    row: Owed
    incident_id: str
    payload: Mapping[str, Any]
    settled: EffectSettled


class Delivery:
    """The outbox, in memory and in the database, with the counters about it."""

    def __init__(self, *, owner: str, next_row: int, presenter: Presenter, inline: Mapping[str, Inline]) -> None:
        self.outbox = Outbox()
        self._owner = owner
        self._start = secrets.token_hex(8)
        self._claims = itertools.count(1)
        self._next_row = next_row
        self.presenter = presenter
        self._inline = inline
        self._rows: dict[int, OutboxRow] = {}
        self._fresh: dict[int, tuple[Effect, Mapping[str, Any]]] = {}

    def owe(self, batch: Batch, effect: Effect, incident: Incident) -> None:
        """Write the effect down; what we keep ourselves (the ticket book) is done in the same transaction."""
        payload = {
            **effect.payload,
            **(self.presenter(effect, incident) if effect.kind is not Kind.REMEDIATION else {}),
        }
        self._write(batch, effect, payload)

    def owe_as_written(self, batch: Batch, effect: Effect) -> None:
        """Write down an effect that is about no incident: its payload is final."""
        self._write(batch, effect, effect.payload)

    def _write(self, batch: Batch, effect: Effect, payload: Mapping[str, Any]) -> None:
        row = self._next_row
        self._next_row += 1
        if effect.target in self._inline:
            batch.writes.append(self._inline_write(row, effect, payload, batch.now))
            return
        batch.writes.append(writes.owe(row, effect, msgspec.json.encode(payload).decode(), batch.now))
        self._fresh[row] = (effect, payload)
        self.outbox.add(Owed(row, effect.kind, effect.lane, effect.target))

    def _inline_write(
        self, row: int, effect: Effect, payload: Mapping[str, Any], now: float
    ) -> Callable[[sqlite3.Connection], None]:
        perform = self._inline[effect.target]
        owed = _row(row, "", effect, payload, now)

        def write(connection: sqlite3.Connection) -> None:
            settled = perform(connection, owed)
            if settled.done and effect.kind is Kind.TICKET:
                connection.execute(*writes.put_ticket(effect.incident_id, effect.target, _link(settled), now))

        metrics.EFFECTS.labels(effect.target, "done").inc()
        return write

    def claim(self, batch: Batch, connection: sqlite3.Connection) -> None:
        """Mark everything that may be performed now as running; it is handed over once that is durable."""
        for owed in self.outbox.claim(batch.now, claim := f"{self._start}-{next(self._claims)}"):
            fresh = self._fresh.pop(owed.id, None)
            row = _row(owed.id, claim, *fresh, batch.now) if fresh is not None else _load(connection, owed, claim)
            self._rows[owed.id] = row
            batch.writes.append(writes.claim(owed.id, owner=self._owner, claim_id=claim))
            batch.claimed.append(row)

    def durable(self) -> None:
        """Everything owed so far is in the database: payloads need not be kept here."""
        self._fresh.clear()

    def overdue(self, now: float) -> list[EffectSettled]:
        """Return the answers that take the place of those that nobody waits for any more: to be tried again."""
        reason = f"no end after {OVERDUE_SECONDS / 60:.0f} minutes"
        return [EffectSettled(row=owed.id, claim=claim, reason=reason) for owed, claim in self.outbox.overdue(now)]

    def settle(self, batch: Batch, settled: EffectSettled) -> Answered | None:
        """Write an answer down. Return what it settled for good; None if it will be tried again or is not ours."""
        owed = self.outbox.running(settled.row, settled.claim)
        if owed is None:
            metrics.CLAIM_MISMATCHES.inc()
            return None
        row = self._rows.pop(settled.row)
        if not settled.done and not settled.dead:
            at = self.outbox.postpone(owed, batch.now, settled.retry_after)
            batch.writes.append(writes.postpone(owed.id, not_before=at, reason=settled.reason))
            metrics.EFFECTS.labels(owed.target, "retry").inc()
            return None
        result = "done" if settled.done else "dead"
        metrics.EFFECTS.labels(owed.target, result).inc()
        batch.writes.append(writes.settle(owed.id, state=result, at=batch.now, reason=settled.reason))
        if settled.dead:
            self._bury(batch, owed, row, settled.reason)
        else:
            self.outbox.settle(owed)
            if settled.reason and owed.kind is not Kind.REMEDIATION:  # how that ended its incident tells
                _log.warning(settled.reason, target=owed.target, incident=row.incident_id)
            if owed.kind is Kind.TICKET:
                batch.writes.append(writes.put_ticket(row.incident_id, owed.target, _link(settled), batch.now))
        return Answered(owed, row.incident_id, row.payload, settled)

    def _bury(self, batch: Batch, owed: Owed, row: OutboxRow, reason: str) -> None:
        """A dead letter: said aloud, kept with its reason. If the ticket was never opened its lane is lost with it."""
        _log.error("effect given up", target=owed.target, key=row.key, reason=reason)
        if row.payload.get("op") != "open":
            self.outbox.settle(owed)
            return
        for lost in self.outbox.drop_lane(owed):
            self._fresh.pop(lost.id, None)
            batch.writes.append(
                writes.settle(lost.id, state="dead", at=batch.now, reason=f"the ticket was never opened: {reason}")
            )


def _link(settled: EffectSettled) -> tuple[str, str, str]:
    """Return where a ticket is: its id, address and state, as the far end said."""
    said = settled.result
    return (str(said.get("id", "")), str(said.get("url", "")), str(said.get("state", "")))


def _row(row: int, claim: str, effect: Effect, payload: Mapping[str, Any], created_at: float) -> OutboxRow:
    return OutboxRow(
        id=row,
        claim=claim,
        kind=effect.kind,
        key=effect.key,
        target=effect.target,
        incident_id=effect.incident_id,
        payload=payload,
        attempts=1,
        created_at=created_at,
    )


def _load(connection: sqlite3.Connection, owed: Owed, claim: str) -> OutboxRow:
    key, incident_id, payload, attempts, created_at = connection.execute(
        "SELECT key, incident_id, payload, attempts, created_at FROM outbox WHERE id = ?", (owed.id,)
    ).fetchone()
    return OutboxRow(
        id=owed.id,
        claim=claim,
        kind=owed.kind,
        key=key,
        target=owed.target,
        incident_id=incident_id,
        payload=msgspec.json.decode(payload),
        attempts=attempts + 1,
        created_at=created_at,
    )
