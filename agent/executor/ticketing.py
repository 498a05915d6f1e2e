"""Performing ticket effects: search before create, one ticket for one incident however often a row is repeated."""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from agent.incidents.effects import OutboxRow, TicketOp
from agent.incidents.events import EffectSettled
from agent.tickets.book import Book
from agent.tickets.contract import Draft, TicketError, TicketRef, TicketState, TicketSystem, Update
from agent.tickets.delivery import change_ticket, open_ticket

CLOSED_BY_HAND = "somebody has closed the ticket while the incident lasts; it is left closed"


def performer(system: TicketSystem) -> Callable[[OutboxRow], EffectSettled]:
    """Return what performs ticket rows at this system."""

    def perform(row: OutboxRow) -> EffectSettled:
        try:
            return _done(row, _perform(system, row))
        except TicketError as error:
            retry = error.retry_after or 0.0
            return EffectSettled(
                row=row.id, claim=row.claim, dead=error.permanent, reason=error.reason, retry_after=retry
            )

    return perform


def in_the_book(connection: sqlite3.Connection, row: OutboxRow, now: float) -> EffectSettled:
    """Perform a row in our own ticket book, within the open transaction."""
    return _done(row, _perform(Book(connection, lambda: now), row))


def _perform(system: TicketSystem, row: OutboxRow) -> TicketRef:
    payload = row.payload
    draft, op = msgspec.convert(payload["draft"], Draft), TicketOp(payload["op"])
    if op is TicketOp.OPEN:
        return open_ticket(system, draft)
    ref = system.find(draft.correlation)
    if ref is None:
        ref = open_ticket(system, draft)
    return change_ticket(system, op, ref, msgspec.convert(payload["update"], Update))


def _done(row: OutboxRow, ref: TicketRef) -> EffectSettled:
    result: Mapping[str, Any] = {"id": ref.id, "url": ref.url, "state": str(ref.state)}
    # Only a person can have closed what we go on telling about. Their word is not fought.
    theirs = row.payload["op"] == TicketOp.UPDATE and ref.state is not TicketState.OPEN
    return EffectSettled(row=row.id, claim=row.claim, done=True, reason=CLOSED_BY_HAND if theirs else "", result=result)
