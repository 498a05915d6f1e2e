"""Daemons that break one promise each: the matrix must convict every one of them."""

import os
import threading
from collections.abc import Callable

from agent.engine import loading
from agent.engine.batch import Batch
from agent.engine.changes import ChangeBook
from agent.engine.engine import Engine
from agent.engine.outbox import Owed
from agent.incidents.effects import Kind
from agent.itsm.changes import Change
from agent.store import database
from agent.store.database import Write
from agent.tickets.webhook import Webhook


def _effect_before_intent() -> None:
    """Makes repairs before the transaction that owes them."""
    finish = Engine._finish

    def eager(self: Engine, batch: Batch) -> None:
        early = [row for row in batch.claimed if row.kind is Kind.REMEDIATION]
        batch.claimed = [row for row in batch.claimed if row not in early]
        for row in early:
            self._p.outside.hand_over(row)
        for thread in threading.enumerate():
            if thread.name in {f"effect-{row.id}" for row in early}:
                thread.join()
        finish(self, batch)

    Engine._finish = eager


def _create_without_find() -> None:
    """Opens tickets without looking for the one that may be there."""
    Webhook.find = lambda _self, _correlation: None


def _repeat_interrupted() -> None:
    """Takes a repair that a crash interrupted for one that has yet to be made, as if it were a ticket."""
    load = loading.outbox

    def repeat(parts, batch, never):
        load(parts, batch, never)
        query = "SELECT id, lane, target FROM outbox WHERE kind = 'remediation' AND state = 'running'"
        for row, lane, target in parts.database.connection.execute(query).fetchall():
            batch.writes.pop()
            parts.delivery.outbox.add(Owed(row, Kind.REMEDIATION, lane, target))
        return []

    loading.outbox = repeat


def _forget_to_sync() -> None:
    """Leaves it to the kernel when a commit reaches the disk."""
    migrate = database.Database._migrate

    def relaxed(self, connection) -> None:
        connection.execute("PRAGMA synchronous = NORMAL")
        migrate(self, connection)

    database.Database._migrate = relaxed


def _record_changes_afterwards() -> None:
    """Writes a change down once what it is about is durable, in a transaction of its own."""
    keep, finish = ChangeBook.keep, Engine._finish
    late: list[Write] = []

    def keep_back(self: ChangeBook, batch: Batch, change: Change) -> None:
        aside = Batch(now=batch.now)
        keep(self, aside, change)
        late.extend(aside.writes)

    def finish_twice(self: Engine, batch: Batch) -> None:
        finish(self, batch)
        if late:
            self._p.database.commit(late)
            late.clear()

    ChangeBook.keep, Engine._finish = keep_back, finish_twice


def _be_a_service() -> None:
    """No mutant: a daemon that systemd has started, and that has others act for it."""
    os.environ["SYSTEMD_EXEC_PID"] = str(os.getpid())


MUTANTS: dict[str, Callable[[], None]] = {
    "": lambda: None,
    "effect_before_intent": _effect_before_intent,
    "create_without_find": _create_without_find,
    "repeat_interrupted": _repeat_interrupted,
    "forget_to_sync": _forget_to_sync,
    "record_changes_afterwards": _record_changes_afterwards,
    "helped": _be_a_service,
}


def become(name: str) -> None:
    MUTANTS[name]()
