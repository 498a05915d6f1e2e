"""Simulation: a recording goes through the real engine, by the recording's own time. Nothing is started or told.

The state is a temporary one; what is owed to runners and ticket systems is answered here and handed to nobody.
"""

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent.app import building, planning
from agent.config.options import Config
from agent.engine import recovery
from agent.engine.engine import Engine
from agent.engine.parts import Appointments, Outside, Parts
from agent.engine.queue import Item
from agent.engine.situations import Presence
from agent.incidents.decision import Reason
from agent.incidents.effects import Kind, OutboxRow
from agent.incidents.events import EffectSettled
from agent.incidents.incident import Incident, State
from agent.intake.playback import Recording
from agent.intake.recording import Ended, Header
from agent.store.database import Database
from remediations.sandbox import HostEnvironment

_TICK_SECONDS = 0.001
"""By so much time goes on at least when something is due again and again."""
_AUDIT = "SELECT id, at, incident_id, event, reason, guard, state, actor, detail FROM audit WHERE id > ? ORDER BY id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """How attempts end of which the recording does not tell, and after how long."""

    outcome: str = "succeeded"
    seconds: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One decision, as the record has it. `argv`: what it began, would have begun or wants approved; `by`: by whom."""

    at: float
    incident: str
    alertname: str
    labels: Mapping[str, str]
    event: str
    reason: str
    guard: str
    state: str
    actor: str
    detail: str
    argv: tuple[str, ...] = ()
    by: str = ""
    resource: str = ""


class SimulatedClock:
    """Stands still until it is set."""

    boot_id = "simulation"

    def __init__(self, at: float) -> None:
        self.at = at
        self._began = at

    def now(self) -> float:
        return self.at

    def boottime(self) -> float:
        return self.at - self._began

    def drift(self) -> float:
        return 0.0

    def follow(self) -> None:
        """It is never off."""


class Answers:
    """Stands where executors stand. Attempts end as they did when it was recorded, else as is assumed."""

    def __init__(self, clock: SimulatedClock, recorded: Iterable[Ended], assumed: Assumed) -> None:
        self._clock = clock
        self._recorded = list(recorded)
        self._assumed = assumed
        self._owed: list[tuple[float, int, EffectSettled]] = []
        self.by: dict[str, str] = {}
        """Who would have performed which run."""

    def take(self, row: OutboxRow) -> None:
        """Take what an executor would be handed; it goes no further."""
        at, result = self._clock.now(), dict[str, Any]()
        if row.kind is Kind.REMEDIATION:
            self.by[row.payload["run_id"]] = row.target
            at, result = self._end(row.payload)
        settled = EffectSettled(
            row=row.id, claim=row.claim, done=True, reason=str(result.get("detail", "")), result=result
        )
        heapq.heappush(self._owed, (at, row.id, settled))

    def _end(self, order: Mapping[str, Any]) -> tuple[float, dict[str, Any]]:
        now = self._clock.now()
        for index, ended in enumerate(self._recorded):
            alike = (ended.remediation, ended.resource) == (order["remediation"], order["resource"])
            if alike and list(ended.argv) == order["argv"] and ended.taken >= now:
                del self._recorded[: index + 1]
                return ended.taken, ended.result
        return now + self._assumed.seconds, {"outcome": self._assumed.outcome, "detail": "assumed"}

    def next_at(self) -> float:
        return self._owed[0][0] if self._owed else math.inf

    def due(self) -> list[EffectSettled]:
        answers = []
        while self.next_at() <= self._clock.now():
            answers.append(heapq.heappop(self._owed)[2])
        return answers


class Simulation:
    """One life of an engine in `folder`, from the first instant of the recording to its last."""

    def __init__(
        self, config: Config, recording: Recording, ended: Iterable[Ended], assumed: Assumed, folder: Path
    ) -> None:
        self._recording = recording
        header = recording.header
        self.clock = SimulatedClock(header.at)
        self._answers = Answers(self.clock, ended, assumed)
        self.database = Database(folder)
        self._parts = _parts(config, header, self.database, self.clock, self._answers)
        self._engine = Engine(self._parts)
        self._told = 0
        self._incidents: dict[str, Incident] = {}

    def run(self) -> Iterator[Happening]:
        """Yield every decision."""
        for taken in self._recording.turns:
            yield from self._pass_time(taken.at)
            yield from self._turn(max(taken.at, self.clock.at), taken.items)

    def incidents(self) -> Sequence[Incident]:
        """Return every incident there was, as it is now."""
        return tuple(self._incidents.values())

    def close(self) -> None:
        self.database.close()

    def _pass_time(self, until: float) -> Iterator[Happening]:
        """Let everything happen that becomes due before an instant."""
        while (at := max(self._due_at(), self.clock.at + _TICK_SECONDS)) < until:
            yield from self._turn(at, ())

    def _due_at(self) -> float:
        return min(self._engine.due_at(), self._answers.next_at())

    def _turn(self, at: float, items: Iterable[Item]) -> Iterator[Happening]:
        self.clock.at = at
        self._engine.turn((*self._answers.due(), *items))
        for row in self.database.connection.execute(_AUDIT, (self._told,)).fetchall():
            self._told, at, incident_id, *words = row
            yield self._happening(at, incident_id, *words)

    def _happening(self, at: float, incident_id: str, *words: str) -> Happening:
        event, reason, guard, state, actor, detail = words
        known = self._parts.casebook.get(incident_id) or self._incidents.get(incident_id)
        if known is not None:  # one that is closed is forgotten by the casebook
            self._incidents[incident_id] = known = replace(known, state=State(state))
        argv, by, resource = self._meant(reason, known) if known is not None else ((), "", "")
        return Happening(
            at=at,
            incident=incident_id,
            alertname=known.alertname if known is not None else "",
            labels=dict(known.labels) if known is not None else {},
            event=event,
            reason=reason,
            guard=guard,
            state=state,
            actor=actor,
            detail=detail,
            argv=argv,
            by=by,
            resource=resource,
        )

    def _meant(self, reason: str, incident: Incident) -> tuple[tuple[str, ...], str, str]:
        """Return the argv that a decision is about, who would run it, and on what."""
        if reason in _BEGAN and incident.attempts:
            attempt = incident.attempts[-1]
            return attempt.argv, self._answers.by.get(attempt.run_id, ""), attempt.resource
        if reason == Reason.WOULD_RUN:
            return incident.would_run, "", ""
        if reason == Reason.APPROVAL_NEEDED and incident.awaiting is not None:
            return incident.awaiting.argv, "", ""
        return (), "", ""


def _parts(config: Config, header: Header, database: Database, clock: SimulatedClock, answers: Answers) -> Parts:
    """Return an engine's parts that know the recording's host and nothing of the one they are on."""
    config = _alone(config, header)
    outside = Outside(hand_over=answers.take)
    parts = building.parts(config, database, clock, outside, owner="simulation", publish=False)
    parts.appointments = Appointments()
    situations = parts.situations
    if header.environment:
        situations.planner = planning.planner(config, HostEnvironment(**header.environment))
    situations.stop_file = database.directory / "stop"
    situations.presence = lambda _now: Presence()
    situations.settled_at = header.settled_at
    recovery.recover(parts, lambda _run: "", lambda _run: False)
    return parts


def _alone(config: Config, header: Header) -> Config:
    """Return the configuration without drills and those who are told about alerts, for the recording's host."""
    host = replace(config.host, name=header.instance or config.host.name, job=header.job or config.host.job)
    return replace(config, host=host, alertmanagers=(), drill=replace(config.drill, enabled=False))


_BEGAN = (Reason.ATTEMPT_STARTED, Reason.COMPENSATION_STARTED)
