"""One drill as it goes on: something is broken, and its incidents are followed until it is over."""

import json
import secrets
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.app.drills import faults, fitness, phases, scoring, scratch_tickets
from agent.app.drills.faults import FaultError, TicketSystemDown
from agent.app.drills.room import NOT_NOW, Engine, reading
from agent.app.drills.scenarios import ACKNOWLEDGED, BACK, HELD, SCENARIOS, TICKETS, TICKETS_DOWN, with_people
from agent.app.drills.scoring import Held
from agent.engine.commands import CommandError, Ingest, OnIncident, RecordDrill, StartDrill
from agent.incidents.events import Released, RetryOrdered
from agent.store.reader import Reader
from agent.telemetry import log
from collectors.sample import Reading, Sample

_log = log.get("drill")
_LONGEST_SECONDS = 60.0
_LOOK_SECONDS = 0.02
_MEASURE_EVERY = 5
"""Looks."""
_SETTLED_SECONDS = 0.3
"""The service must be known to the watch before it is killed."""
_CALL_SECONDS = 5.0


class Going:
    """One drill. `begin` waits until all is set up and breaks it, `follow` until it is over, or the daemon closes."""

    def __init__(
        self, folder: Path, reader: Reader, engine: Engine, order: StartDrill, closing: threading.Event
    ) -> None:
        scenario = SCENARIOS.get(order.scenario)
        if scenario is None:
            raise CommandError(f"there is no drill {order.scenario!r}; known: {', '.join(SCENARIOS)}", 404)
        if order.people_seconds:
            scenario = with_people(scenario, order.people_seconds)
        self._folder = folder
        self._reader = reader
        self._engine = engine
        self._closing = closing
        self._fault = faults.FAULTS[scenario.name](folder)
        self.held = Held(id=secrets.token_hex(4), scenario=scenario, actor=order.actor, struck_at=time.time())

    def begin(self) -> None:
        """Set up what is to be broken, and break it. Raise CommandError."""
        if why := fitness.objection(self._folder):
            raise CommandError(f"no drill now: {why}", NOT_NOW)
        try:
            self._fault.start()
        except FaultError as error:
            self._fault.clear()
            faults.clear(self._folder)
            raise CommandError(str(error), 500) from error
        self._measure()
        self._closing.wait(_SETTLED_SECONDS)
        self.held.struck_at = time.time()
        self._fault.strike()

    def _reading(self) -> Reading:
        waits = self.held.has_people and ACKNOWLEDGED not in self.held.at
        down = isinstance(self._fault, TicketSystemDown)
        own = (Sample(HELD.name, float(waits)), Sample(TICKETS_DOWN.name, float(down)))
        return reading((*own, *self._fault.samples()))

    def _measure(self) -> None:
        self._engine.read(self._reading())

    def result(self) -> Mapping[str, Any]:
        """Return how far it is, or what it came to."""
        return scoring.document(self.held)

    def follow(self) -> None:
        """Look again and again until the drill is over; keep what it came to, and leave nothing behind."""
        held = self.held
        within = next((phase.target for phase in held.scenario.phases if phase.name == ACKNOWLEDGED), 0.0)
        deadline = held.struck_at + _LONGEST_SECONDS + within
        looks = 0
        while not (self._closing.wait(_LOOK_SECONDS) or held.complete or held.failed):
            looks += 1
            if looks % _MEASURE_EVERY == 0:
                self._measure()
            self._look(held)
            if within and ACKNOWLEDGED not in held.at and time.time() > held.struck_at + within:
                held.failed = f"nobody acknowledged it within {within:g} s"
            elif time.time() > deadline:
                held.failed = f"not over after {deadline - held.struck_at:g} s"
        self._end(held)

    def _end(self, held: Held) -> None:
        if held.complete and not held.failed and isinstance(self._fault, TicketSystemDown):
            held.failed = phases.delivered(_lines(self._folder), len(held.incidents))
        if "mended" not in held.at and not self._closing.is_set():
            self._relieve()
        self._fault.clear()
        faults.clear(self._folder)
        self._engine.read(reading())
        if not held.complete and not held.failed:
            held.failed = "the daemon was stopped"
        held.finished = True
        result = scoring.document(held)
        _log.info("drill over", drill=held.id, ok=result["ok"], points=result["points"], failed=held.failed)
        try:
            self._engine.call(RecordDrill(result=result), _CALL_SECONDS)
        except CommandError as error:
            _log.warning("the drill's result is not kept", drill=held.id, reason=str(error))

    def _relieve(self) -> None:
        """End a fault that nobody has mended, and let that be seen, so that its incident is over."""
        try:
            self._fault.relieve()
        except FaultError as error:
            _log.warning("the fault of a drill goes on", reason=str(error))
        self._closing.wait(_SETTLED_SECONDS)

    def _look(self, held: Held) -> None:
        """Take note of the phases that can be seen now, and do what is due next."""
        incidents = self._incidents(held)
        if not incidents:
            return
        first, newest = incidents[0], incidents[-1]
        if "mended" not in held.at and self._fault.mended():
            held.at["mended"] = time.time()
        system = TICKETS if isinstance(self._fault, TicketSystemDown) else ""
        held.at = phases.seen(first, system) | held.at
        if held.strikes == len(incidents) < held.scenario.faults and newest["state"] in ("resolved", "closed"):
            held.strikes += 1
            self._fault.strike()
        if isinstance(self._fault, TicketSystemDown):
            self._restore(held, self._fault, incidents)
        self._hear(held, first)
        waits = held.has_people
        held.failed = held.failed or next(filter(None, (phases.failure(each, held=waits) for each in incidents)), "")

    def _incidents(self, held: Held) -> list[Mapping[str, Any]]:
        """Return the incidents that the fault has opened, oldest first."""
        known = self._reader.incidents(("open", "remediating", "verifying", "escalated", "resolved", "closed"), 20)
        alert, since = held.scenario.alert, held.struck_at - 1.0
        held.incidents = [str(i["id"]) for i in known if i["alertname"] == alert and i["opened_at"] >= since][::-1]
        return [found for each in held.incidents if (found := self._reader.incident(each)) is not None]

    def _restore(self, held: Held, fault: TicketSystemDown, incidents: list[Mapping[str, Any]]) -> None:
        """Let the ticket system work again once all is mended; it is over when the last ticket is closed."""
        over = all(each["state"] in ("resolved", "closed") for each in incidents)
        if BACK not in held.at:
            for phase in ("ticket opened", "ticket closed"):
                held.at.pop(phase, None)
            if over and len(incidents) == held.scenario.faults:
                fault.restore()
                held.at[BACK] = time.time()
        elif "ticket closed" in held.at and not all("ticket closed" in phases.seen(i, TICKETS) for i in incidents):
            held.at.pop("ticket closed")

    def _hear(self, held: Held, incident: Mapping[str, Any]) -> None:
        """Let automation go on as soon as somebody has taken the incident: that is what is practised."""
        taken = phases.taken(incident)
        if not held.has_people or ACKNOWLEDGED in held.at or taken is None:
            return
        held.acknowledged_by, held.at[ACKNOWLEDGED] = taken
        words = (Released(actor="drill"), RetryOrdered(actor="drill", reason=f"acknowledged by {taken[0]}"))
        try:
            # Not just read: what is read may be taken after what is called.
            self._engine.call(Ingest(readings=[self._reading()]), _CALL_SECONDS)
            for word in words:
                self._engine.call(OnIncident(incident_id=incident["id"], event=word), _CALL_SECONDS)
        except CommandError as error:
            held.failed = f"it cannot go on: {error}"


def _lines(folder: Path) -> list[dict[str, str]]:
    try:
        return [json.loads(line) for line in (folder / scratch_tickets.LOG).read_text().splitlines()]
    except OSError:
        return []
