"""Reads on tickets whether somebody approved what waits there. It works only while something waits, and sleeps else."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from agent.engine.commands import CommandError, OnIncident
from agent.incidents.incident import Incident
from agent.intake.words import remarked
from agent.telemetry import log
from agent.tickets.contract import Remarked, TicketError, TicketSystem
from agent.tickets.wording import correlation

POLL_SECONDS = 20.0
_log = log.get("tickets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A ticket system by the name that incidents know it by, and by its kind, which approvers are listed with."""

    name: str
    kind: str
    system: TicketSystem


class Remarks:
    """A thread of its own from `start` to `close`. `order` hands a word to the engine; it may raise CommandError."""

    def __init__(
        self,
        readers: Iterable[Reader],
        order: Callable[[OnIncident], object],
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._readers = {each.name: each for each in readers if isinstance(each.system, Remarked)}
        self._order = order
        self._poll_seconds = poll_seconds
        self._changed = threading.Condition()
        self._waiting: Mapping[str, Incident] = {}
        self._closing = False
        self._read: dict[tuple[str, str], int] = {}
        """By asking and ticket system: the last remark that was read."""
        self._thread = threading.Thread(target=self._run, name="remarks", daemon=True)

    def offer(self, incidents: Iterable[Incident]) -> None:
        """Tell which incidents there are. Never blocks."""
        waiting = {i.id: i for i in incidents if i.awaiting is not None and not i.suppressed}
        with self._changed:
            if waiting.keys() != self._waiting.keys() or waiting:
                self._waiting = waiting
                self._changed.notify()

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if self._closing:
                    return
                waiting = list(self._waiting.values())
            for incident in waiting:
                for name in incident.tickets:
                    if name in self._readers:
                        self._ask(incident, self._readers[name])
            asked = {incident.awaiting.plan for incident in waiting if incident.awaiting}
            self._read = {key: last for key, last in self._read.items() if key[0] in asked}
            with self._changed:
                self._changed.wait_for(lambda: self._closing, self._poll_seconds)

    def _ask(self, incident: Incident, reader: Reader) -> None:
        assert incident.awaiting is not None  # noqa: S101 - for the type checker
        plan, system = incident.awaiting.plan, reader.system
        assert isinstance(system, Remarked)  # noqa: S101 - for the type checker
        key = (plan, reader.name)
        try:
            ref = system.find(correlation(incident))
            found = system.remarks(ref, self._read.get(key, 0)) if ref is not None else ()
        except TicketError as error:
            _log.warning("remarks cannot be read", system=reader.name, incident=incident.id, reason=error.reason)
            return
        for remark in found:
            self._read[key] = max(self._read.get(key, 0), remark.id)
            order = remarked(remark.text, incident=incident.id, plan=plan, actor=remark.actor, via=reader.kind)
            if order is not None:
                self._give(order, reader)

    def _give(self, order: OnIncident, reader: Reader) -> None:
        try:
            self._order(order)
        except CommandError as error:
            _log.warning(
                "a word on a ticket does not count", system=reader.name, incident=order.incident_id, reason=str(error)
            )
