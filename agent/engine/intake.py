"""Posted alerts: durable in the inbox before they are acknowledged, applied afterwards, silent ones noticed."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from agent.engine.batch import Batch
from agent.engine.commands import BusyError, PostAlerts
from agent.incidents.posted import fingerprint_of, posted
from agent.store import writes
from agent.store.database import Write
from rules.alert import Alert, AlertChange, AlertState

_UNAPPLIED = 10_000
_PER_TURN = 50
_LEASE_SECONDS = 300.0
"""A posted alert without `endsAt` is expected again within this."""


class Intake:
    """The inbox and the posted alerts that are active."""

    def __init__(self, *, next_row: int) -> None:
        self._next_row = next_row
        self._waiting: deque[tuple[int, str, Sequence[Mapping[str, Any]]]] = deque()
        self._active: dict[str, Alert] = {}
        self._leases: dict[str, float] = {}

    def receive(self, batch: Batch, command: PostAlerts) -> Mapping[str, Any]:
        """Put the request into the inbox; it is acknowledged when that is durable."""
        if len(self._waiting) >= _UNAPPLIED:
            raise BusyError("too many posted alerts wait to be applied")
        row = self._next_row
        self._next_row += 1
        body = msgspec.json.encode(command.alerts).decode()
        batch.writes.append(writes.receive(row, at=batch.now, origin=command.origin, body=body))
        self._waiting.append((row, command.origin, command.alerts))
        return {}

    def restore(self, rows: Sequence[tuple[int, str, str]], alerts: Sequence[Alert]) -> None:
        """Take up what a restart left: rows that were not applied, alerts that were active."""
        self._waiting.extend((row, origin, msgspec.json.decode(body)) for row, origin, body in rows)
        for alert in alerts:
            self._active[alert.fingerprint] = alert
            self._leases[alert.fingerprint] = alert.keep_until or 0.0

    def next_at(self) -> float | None:
        if self._waiting:
            return 0.0
        return min(
            (at for key, at in self._leases.items() if self._active[key].state is AlertState.FIRING), default=None
        )

    def due(self, batch: Batch, unwritten: Sequence[Write]) -> Iterator[AlertChange]:
        """Apply what waits in the inbox and is durable; yield the alerts that changed."""
        if not unwritten:
            for _ in range(min(len(self._waiting), _PER_TURN)):
                row, origin, alerts = self._waiting.popleft()
                batch.writes.append(writes.apply(row))
                for document in alerts:
                    yield from self._apply(document, origin, batch.now)
        for key, until in list(self._leases.items()):
            alert = self._active[key]
            if alert.state is AlertState.FIRING and until <= batch.now:
                silent = replace(alert, state=AlertState.NO_DATA, reason="not refreshed by its sender")
                self._active[key] = silent
                yield AlertChange(alert=silent, before=alert.state, at=batch.now)

    def _apply(self, document: Mapping[str, Any], origin: str, now: float) -> Iterator[AlertChange]:
        key = fingerprint_of(document)
        before = self._active.get(key)
        alert = posted(document, origin=origin, before=before, now=now, lease=_LEASE_SECONDS)
        if alert.state is AlertState.RESOLVED:
            self._active.pop(key, None)
            self._leases.pop(key, None)
            if before is None:
                return
        else:
            self._active[key] = alert
            self._leases[key] = alert.keep_until or now + _LEASE_SECONDS
        if before is None or before.state is not alert.state or before.annotations != alert.annotations:
            yield AlertChange(alert=alert, before=before.state if before is not None else None, at=now)

    def active(self) -> list[Alert]:
        return list(self._active.values())
