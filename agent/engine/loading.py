"""Reading what is durable at a start. A row that cannot be read or applied is set aside, and the others go on."""

from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from agent.engine import housekeeping, orders, silencing
from agent.engine.batch import Batch
from agent.engine.outbox import Owed
from agent.engine.parts import Parts
from agent.incidents.effects import Kind
from agent.incidents.incident import Incident
from agent.incidents.posted import Held, Post, alert_of, posts_of
from agent.incidents.silences import Silence
from agent.store import documents, quarantine, writes
from agent.store.database import Database, set_meta
from rules.alert import Alert, AlertState

FORGOTTEN_SECONDS = 3600.0
"""After a longer outage the `for` timers of pending alerts start again."""

_WANTED = "WHERE state IN ('pending', 'running') ORDER BY id"
_POSTED = "id, labels, rest, origin, active_at, fired_at, until, state"

HELPER = "helper"
"""Who performs what needs root."""
_UNREADABLE = '{"operator": "who had stopped what cannot be read (resume-actions goes on)"}'
_stops = msgspec.json.Decoder(dict[str, str])
_maintenance = msgspec.json.Decoder(tuple[str, float])


class Interrupted(NamedTuple):
    """A run that was under way when the daemon ended. `asked_on`: see `attempts.by_boot`."""

    run_id: str
    incident_id: str
    remediation: str
    resource: str
    asked_on: str


class _Order(msgspec.Struct):
    """What an order for a remediation says. Other effects say nothing of it."""

    run_id: str = ""
    remediation: str = ""
    boot_id: str = ""


class _Owed(NamedTuple):
    """A row of the outbox, with all that is read of it one day."""

    id: int
    kind: str
    lane: str
    target: str
    key: str
    incident_id: str
    state: str
    attempts: int
    created_at: float
    payload: str

    def order(self) -> _Order:
        """Return what it says. Raise ValueError or TypeError for one that nobody could perform or answer for."""
        order = msgspec.json.decode(self.payload, type=_Order)
        if Kind(self.kind) is Kind.REMEDIATION and not (order.run_id and order.remediation):
            raise ValueError("it does not say what is to be run")
        int(self.attempts), float(self.created_at)
        return order


class SetAsideError(Exception):
    """A row of the record could not be applied and was set aside."""


@contextmanager
def aside(database: Database, table: str, key: object) -> Iterator[None]:
    """Set a row aside if it cannot be applied."""
    try:
        yield
    except quarantine.FOREIGN as error:
        quarantine.set_aside(database, table, (key,), error)
        raise SetAsideError from error


def switches(parts: Parts) -> None:
    """Take back the operators' stop and maintenance. The broker tells its own again."""
    situations, database = parts.situations, parts.database
    held = [set_meta(orders.STOP, _UNREADABLE)]  # better nothing is done than what somebody had stopped
    stops = quarantine.meta(database, orders.STOP, _stops.decode, dict[str, str](), held)
    situations.stopped_by = {origin: reason for origin, reason in stops.items() if origin == "operator"}
    reason, until = quarantine.meta(database, silencing.MAINTENANCE, _maintenance.decode, ("", 0.0), held)
    situations.muting.maintain(reason, until)


def silences(parts: Parts) -> None:
    """Take up what is silenced, now or later."""
    found: list[Silence] = []
    quarantine.each(parts.database, "silences", "document", lambda text: found.append(documents.silence(text)))
    parts.situations.muting.place(found)


def incidents(parts: Parts, now: float) -> None:
    """Take up the incidents that are not closed."""

    def take(text: str) -> None:
        incident = _clamped(documents.incident(text), parts, now)
        parts.casebook.put(incident)
        parts.situations.note(incident, now)

    quarantine.each(parts.database, "incidents", "document", take, where=("WHERE state != 'closed'", ()))


def _clamped(incident: Incident, parts: Parts, now: float) -> Incident:
    """No wait may be longer than its full period: the clock may have been wrong before the restart."""
    longest = max(parts.situations.policy.reopen_window, parts.situations.policy.no_data_after, 86400.0)
    if incident.wake_at is None or incident.wake_at <= now + longest:
        return incident
    return replace(incident, wake_at=now + longest)


def alerts(parts: Parts, batch: Batch, then: float) -> None:
    """Take up alerts; `then` is what the clock that wrote them would say now."""
    now = batch.now
    known: list[Alert] = []
    quarantine.each(parts.database, "alerts", "document", lambda text: known.append(documents.alert(text)))
    alive = [a for a in known if a.state is not AlertState.RESOLVED]
    outage = then - quarantine.meta(parts.database, housekeeping.ALIVE, float, then)
    cutoff = then if outage > FORGOTTEN_SECONDS else 0.0
    ended = parts.ruleset.restore(alive, then, cutoff)
    for change in ended:
        with aside(parts.database, "alerts", change.alert.fingerprint):
            parts.desk.alert_changed(batch, change)
    _posted(parts, now)
    parts.desk.take_up(chain(parts.ruleset.active(), parts.intake.each()))
    parts.situations.muting.note(chain(parts.ruleset.active(), parts.intake.each()), now)
    parts.outside.told_alerts([a for a in known if a.state is not AlertState.PENDING])
    if parts.outside.hears_alerts:
        parts.outside.told_alerts(parts.intake.each())


def _posted(parts: Parts, now: float) -> None:
    """Take up what others have posted."""
    waiting: list[tuple[int, str, list[Post]]] = []
    held: list[Held] = []

    def receive(row: int, origin: str, body: bytes) -> None:
        waiting.append((row, origin, posts_of(body)))

    quarantine.each(parts.database, "inbox", "id, origin, body", receive, where=("ORDER BY id", ()))
    quarantine.each(parts.database, "posted", _POSTED, lambda *row: held.append(documents.held(row, now)))
    parts.intake.restore(waiting, held)
    try:
        deque(parts.intake.each(), maxlen=0)
    except quarantine.FOREIGN as error:  # there may be very many: only now is looked which it is
        quarantine.each(parts.database, "posted", _POSTED, lambda *row: alert_of(documents.held(row, now)))
        raise SetAsideError from error


def replay(parts: Parts, batch: Batch) -> None:
    """Apply what the inbox holds: posted, acknowledged, and not applied when the daemon ended."""
    try:
        for change in parts.intake.replay(batch):
            parts.desk.alert_changed(batch, change)
    except quarantine.FOREIGN as error:
        quarantine.set_aside(parts.database, "inbox", (parts.intake.at_hand,), error)
        raise SetAsideError from error


def outbox(parts: Parts, batch: Batch, never: Collection[str]) -> list[Interrupted]:
    """Put owed rows back into their lanes. Return the runs that the crash interrupted: those are never repeated.

    A run that the helper has in hand goes on: its row stays owed, and whoever performs it collects the result.
    """
    interrupted: list[Interrupted] = []

    def take(*columns: Any) -> None:  # noqa: ANN401 - whatever stands there
        row = _Owed(*columns)
        owed, order = Owed(row.id, Kind(row.kind), row.lane, row.target), row.order()
        if owed.kind is Kind.REMEDIATION and row.state == "running" and row.key in never:
            batch.writes.append(writes.settle(row.id, state="interrupted", at=batch.now, reason="it never began"))
        elif owed.kind is Kind.REMEDIATION and row.state == "running" and row.target != HELPER:
            batch.writes.append(writes.settle(row.id, state="interrupted", at=batch.now, reason="the daemon stopped"))
            interrupted.append(Interrupted(row.key, row.incident_id, order.remediation, row.lane, order.boot_id))
        else:
            parts.delivery.outbox.add(owed)
            if owed.kind is Kind.REMEDIATION:
                parts.ledger.running[row.key] = row.lane

    quarantine.each(parts.database, "outbox", ", ".join(_Owed._fields), take, where=(_WANTED, ()))
    return interrupted
