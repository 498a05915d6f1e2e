"""Commands of operators and other programs, carried out inside the engine."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import msgspec

from agent.engine import change_orders, silencing
from agent.engine.batch import Batch
from agent.engine.casebook import Casebook
from agent.engine.commands import (
    AnswerChange,
    CloseChange,
    CloseProblem,
    Command,
    CommandError,
    ExpireSilence,
    ExplainProblem,
    Farewell,
    Ingest,
    KeepSurvey,
    OnIncident,
    PostAlerts,
    Promote,
    ProposeChange,
    PutSilence,
    Reconfigure,
    RecordDrill,
    Rehearse,
    ReviewChange,
    SetMaintenance,
    SetStop,
    StandIn,
)
from agent.engine.desk import Desk
from agent.engine.improvements import Improvement
from agent.engine.intake import Intake
from agent.engine.situations import Situations
from agent.incidents.events import PlanWord, TicketClosed
from agent.incidents.incident import Incident
from agent.itsm.changes import word_of
from agent.store import writes
from agent.store.database import set_meta
from agent.telemetry import log

_log = log.get("operator")
STOP = "stop"
Rehearser = Callable[[Batch, Rehearse], Mapping[str, Any]]
Surveyor = Callable[[Batch, KeepSurvey], Mapping[str, Any]]
Improver = Callable[[Batch, Improvement], Mapping[str, Any]]
Substitute = Callable[[Batch, StandIn], Mapping[str, Any]]
Leaver = Callable[[Batch, Farewell], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long the record is kept, in seconds, and how large it may become."""

    incidents: float
    output: float
    rollups: float = math.inf
    disk: float = math.inf
    """Bytes of the database that may be in use."""


@dataclass(slots=True)
class Schedule:
    """When routine work is due next."""

    prune: float = 0.0
    alive: float = 0.0

    def shift(self, delta: float) -> None:
        self.prune += delta
        self.alive += delta


class Orders:
    """What is None at first is the application's; it runs in the engine thread and must not block."""

    def __init__(
        self,
        *,
        casebook: Casebook,
        desk: Desk,
        situations: Situations,
        intake: Intake,
        keep: Keep,
    ) -> None:
        self._casebook = casebook
        self._desk = desk
        self._situations = situations
        self._intake = intake
        self.keep = keep
        self.schedule = Schedule()
        self.farewell: Leaver | None = None
        self.rehearse: Rehearser | None = None
        self.stand_in: Substitute | None = None
        self.survey: Surveyor | None = None
        self.improve: Improver | None = None

    def carry_out(self, batch: Batch, command: Command) -> Mapping[str, Any] | CommandError:
        """Return the answer, or the reason why there is none. The answer is given once the batch is durable."""
        try:
            return self._carry_out(batch, command)
        except CommandError as error:
            return error

    def _carry_out(self, batch: Batch, command: Command) -> Mapping[str, Any]:
        match command:
            case OnIncident() | Promote():
                return self._decided(batch, command)
            case PostAlerts() | Ingest():
                return self._receive(batch, command)
            case SetStop():
                return self._set_stop(batch, command)
            case SetMaintenance():
                return self._set_maintenance(batch, command)
            case PutSilence() | ExpireSilence():
                return silencing.carry_out(batch, self._situations.muting, command)
            case ExplainProblem() | CloseProblem():
                return self._about_problem(batch, command)
            case ProposeChange() | AnswerChange() | CloseChange() | ReviewChange():
                return change_orders.carry_out(batch, self._desk, self._casebook, command)
            case _:
                return self._by_application(batch, command)

    def _by_application(self, batch: Batch, command: Command) -> Mapping[str, Any]:
        match command:
            case RecordDrill():
                batch.writes += writes.put_drill(command.result, batch.now)
                return {}
            case Reconfigure():
                return command.swap(batch)
            case Farewell() if self.farewell is not None:
                return self.farewell(batch, command)
            case Rehearse() if self.rehearse is not None:
                return self.rehearse(batch, command)
            case StandIn() if self.stand_in is not None:
                return self.stand_in(batch, command)
            case KeepSurvey() if self.survey is not None:
                return self.survey(batch, command)
        if isinstance(command, Improvement) and self.improve is not None:
            return self.improve(batch, command)
        raise CommandError("this engine cannot do that", 500)

    def _about_problem(self, batch: Batch, command: ExplainProblem | CloseProblem) -> Mapping[str, Any]:
        answer = self._desk.problems.carry_out(batch, command)
        if isinstance(command, CloseProblem):
            why = f"the problem is closed: {command.reason}"
            self._desk.changes.withdraw(batch, f"problem:{command.problem_id}", why)
        return answer

    def _decided(self, batch: Batch, command: OnIncident | Promote) -> Mapping[str, Any]:
        return self._on_incident(batch, command) if isinstance(command, OnIncident) else self._promote(batch, command)

    def _receive(self, batch: Batch, command: PostAlerts | Ingest) -> Mapping[str, Any]:
        """Take alerts in; the readings of an ingest are with the engine already."""
        posts = command.alerts if isinstance(command, Ingest) else (command,)
        dropped = sum(self._intake.receive(posted, batch.now) for posted in posts)
        return {"dropped": dropped} if dropped else {}

    def _on_incident(self, batch: Batch, command: OnIncident) -> Mapping[str, Any]:
        incident = self._casebook.get(command.incident_id)
        if incident is None:
            raise CommandError(f"there is no open incident {command.incident_id!r}", 404)
        if isinstance(command.event, TicketClosed) and self._desk.owes(command.event.system, incident):
            return {}  # what is owed there may well open it again
        heard = _hearing(incident, command.remark)
        if heard is None:
            return asdict(incident)
        word = command.event if isinstance(command.event, PlanWord) else None
        why = self._desk.objection(heard, word, batch.now) if word is not None else ""
        after = self._desk.happened(batch, heard, command.event)
        if heard != incident and after == heard:
            self._casebook.put(heard)
            batch.writes.append(writes.put_incident(heard))
        if why:
            raise CommandError(why, 403)
        if after == heard and not isinstance(command.event, TicketClosed):
            raise CommandError(f"that cannot be done to an incident that is {incident.state}")
        return asdict(after)

    def _promote(self, batch: Batch, command: Promote) -> Mapping[str, Any]:
        word = word_of(command.actor, batch.now, command.reason)
        why = self._desk.tally.promote(batch, command.remediation, word, command.to)
        if why:
            raise CommandError(f"{command.remediation} is not promoted: {why}")
        detail = f"{command.remediation}: {command.reason}"
        batch.writes.append(writes.audit_order(batch.now, "promoted", actor=command.actor, detail=detail))
        _log.warning("promoted", remediation=command.remediation, actor=command.actor, reason=command.reason)
        return self._desk.tally.shown(command.remediation, batch.now)

    def _set_stop(self, batch: Batch, command: SetStop) -> Mapping[str, Any]:
        switches = self._situations.stopped_by
        switches.pop(command.origin, None)
        if command.reason:
            switches[command.origin] = f"{command.reason} ({command.actor})"
        batch.writes.append(set_meta(STOP, msgspec.json.encode(switches).decode()))
        _log.warning("global stop", actor=command.actor, reason=command.reason, on=bool(command.reason))
        return {"stopped": self._situations.stopped()}

    def _set_maintenance(self, batch: Batch, command: SetMaintenance) -> Mapping[str, Any]:
        muting = self._situations.muting
        reason = f"{command.reason} ({command.actor})" if command.seconds else muting.maintenance
        muting.maintain(reason, batch.now + command.seconds)
        batch.writes.append(silencing.put_maintenance(muting))
        _log.warning("maintenance", actor=command.actor, reason=command.reason, seconds=command.seconds)
        return {"maintenance": muting.maintained(batch.now), "until": muting.maintenance_until}


def _hearing(incident: Incident, remark: tuple[str, int] | None) -> Incident | None:
    """Return the incident that has heard this remark; None if it had heard it before."""
    if remark is None:
        return incident
    system, number = remark
    heard = dict(incident.heard)
    if heard.get(system, 0) >= number:
        return None
    return replace(incident, heard=tuple(sorted({**heard, system: number}.items())))
