"""What the web server may ask of the daemon, answered."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.app import targeting
from agent.app.drills.room import DrillRoom
from agent.collecting import health
from agent.collecting.sink import Settings
from agent.config.options import Config
from agent.engine.commands import Command, CommandError, Reload, StartDrill
from agent.engine.engine import Engine
from agent.engine.judgements import Judgement
from agent.engine.parts import Parts
from agent.incidents.incident import ACTIVE
from agent.incidents.muting import Muting
from agent.incidents.policy import Policy
from agent.incidents.posted import Glance
from agent.store.reader import Reader
from agent.version import VERSION
from agent.web.backend import Target
from collectors.registry import SPECS
from collectors.sample import Labels, Metric
from collectors.spec import Spec
from remediations.sandbox import HostEnvironment
from rules.alert import Alert
from rules.group import RuleGroup
from rules.series import SeriesStore

if TYPE_CHECKING:
    from agent.app.recorder import Recorder
    from agent.app.reporting import ReportDesk

_CATCH_UP_SECONDS = 5.0
"""How long somebody who asks for alerts waits until those that were posted before are applied."""


class DaemonBackend:
    """Commands go through the engine's queue; what is durable is read from the database."""

    def __init__(self, engine: Engine, parts: Parts, reader: Reader, *, ready: Callable[[], bool]) -> None:
        self._engine = engine
        self._parts = parts
        self._reader = reader
        self._ready = ready
        self._started = time.time()
        self.endpoints: Mapping[str, str] = {}
        self.collectors: Mapping[str, Settings] = {}
        self.external: Labels = ()
        self.subscribed: Sequence[Metric] = ()
        """Metrics of no collector: what drills measure, and what messages become."""
        self.read_tickets: Callable[[], None] | None = None
        self.drill_room: DrillRoom | None = None
        self.reload: Callable[[str], Mapping[str, Any]] | None = None
        self.environment = HostEnvironment()
        """Where the daemon runs."""
        self.config: Callable[[], Config] = Config
        """As it is now."""
        self._recorder: Recorder | None = None

    @property
    def store(self) -> SeriesStore:
        return self._parts.series

    @property
    def muting(self) -> Muting:
        return self._parts.situations.muting

    def ready(self) -> tuple[bool, str]:
        return (True, "") if self._ready() else (False, "not every collector has been run yet")

    def call(self, command: Command, timeout_seconds: float) -> Mapping[str, Any]:
        if isinstance(command, StartDrill):
            if self.drill_room is None:
                raise CommandError("drills are switched off: set [drill] enabled = true")
            return self.drill_room.start(command)
        if isinstance(command, Reload) and self.reload is not None:
            return self.reload(command.actor)
        return self._engine.call(command, timeout_seconds)

    def busy(self) -> str:
        """Return why no drill may be held now, empty if one may."""
        from agent.app.drills.occupied import objection  # noqa: PLC0415 - once in a while

        return objection(self._parts.situations, self._parts.casebook.active(), self._parts.clock.now())

    def incidents(self, state: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """Return incidents, newest first: of one state, "active" ones, or ("") all that are not closed."""
        states = tuple(sorted(ACTIVE)) if state == "active" else (state,) if state else ()
        return self._reader.incidents(states, limit)

    def incident(self, incident_id: str) -> Mapping[str, Any] | None:
        return self._reader.incident(incident_id)

    def problems(self, *, closed: bool) -> Sequence[Mapping[str, Any]]:
        return self._reader.problems(closed=closed)

    def changes(self, state: str, limit: int) -> Sequence[Mapping[str, Any]]:
        return self._reader.changes(state, limit)

    def change(self, change_id: str) -> Mapping[str, Any] | None:
        return self._reader.change(change_id)

    def change_calendar(self, days: int) -> Mapping[str, Any]:
        from agent.itsm import freeze_calendar  # noqa: PLC0415 - once in a while

        now = self._parts.clock.now()
        end = now + days * 86400.0
        dated = [each for each in self.changes("open", 1000) if each["kind"] != "action" and _is_due(each, end)]
        return {"freezes": freeze_calendar.coming(self.muting.freezes, now, end), "changes": dated}

    def problem(self, problem_id: str) -> Mapping[str, Any] | None:
        return self._reader.problem(problem_id)

    def articles(self, question: str, limit: int) -> Sequence[Mapping[str, Any]]:
        from agent.app import knowledge  # noqa: PLC0415 - once in a while

        return knowledge.articles(self._reader, self._parts.desk.library.folders, question, limit)

    def article(self, name: str) -> Mapping[str, Any] | None:
        from agent.app import knowledge  # noqa: PLC0415 - once in a while

        return knowledge.article(self._reader, self._parts.desk.library.folders, name)

    def drafted(self, incident_id: str) -> Mapping[str, Any] | None:
        from agent.app import knowledge  # noqa: PLC0415 - once in a while

        return knowledge.drafted(self._reader, incident_id)

    def capacity(self) -> Sequence[Mapping[str, Any]]:
        from agent.app import capacity_view  # noqa: PLC0415 - once in a while

        return capacity_view.newest(self._reader, self._parts.clock.now())

    def services(self) -> Sequence[Mapping[str, Any]]:
        from agent.app import catalogue_view  # noqa: PLC0415 - once in a while

        return catalogue_view.services(self.policy().catalogue, self._reader, self._parts.clock.now())

    @property
    def reader(self) -> Reader:
        return self._reader

    def policy(self) -> Policy:
        """Return what the configuration says about incidents, as it is now."""
        return self._parts.situations.policy

    @property
    def reports(self) -> "ReportDesk":
        from agent.app.reviewing import report_desk  # noqa: PLC0415 - once in a while

        return report_desk(self.config(), self._parts, self._reader)

    def remediations(self) -> Sequence[Mapping[str, Any]]:
        parts = self._parts
        now = parts.clock.now()
        return [parts.desk.tally.shown(ladder.name, now) for ladder in parts.situations.policy.ladders]

    def on_call(self, at: float | None) -> Sequence[Mapping[str, Any]]:
        policy = self._parts.situations.policy
        if not policy.roster.rotas:
            return []
        from agent.app import oncall  # noqa: PLC0415 - loaded only where there is a rota

        return oncall.on_call(policy, self._parts.clock.now() if at is None else at)

    def tickets(self, closed: bool, limit: int) -> Sequence[Mapping[str, Any]]:  # noqa: FBT001 - called from a thread
        from agent.store import ticket_book  # noqa: PLC0415 - once in a while

        return ticket_book.tickets(self._reader, closed=closed, limit=limit)

    def ticket(self, number: int) -> Mapping[str, Any] | None:
        from agent.store import ticket_book  # noqa: PLC0415 - once in a while

        return ticket_book.ticket(self._reader, number)

    def tickets_written(self) -> bool:
        if self.read_tickets is not None:
            self.read_tickets()
        return self.read_tickets is not None

    def status(self) -> Mapping[str, Any]:
        parts, situations = self._parts, self._parts.situations
        now = parts.clock.now()
        return {
            "version": VERSION,
            "started_at": self._started,
            "endpoints": self.endpoints,
            "ready": self._ready(),
            "stopped": situations.stopped(),
            "maintenance": situations.muting.maintained(now),
            "freezes": situations.muting.frozen(now),
            "observing": [
                {"rule": rule.split(";")[2], "days_left": round((until - now) / 86400.0, 1)}
                for rule, until in situations.newcomers.all(now).items()
            ],
            "phase": str(situations.phase),
            "settling_seconds": max(0.0, situations.settled_at - now),
            "series": parts.series.series_count,
            "rules": sum(len(group.rules) for group in parts.ruleset.groups.values()),
            "alerts": len(self._engine.alerts) + len(parts.intake),
            "incidents": len(parts.casebook.active()),
            "owed": len(parts.delivery.outbox),
            "remediations": [
                {"name": ladder.name, "mode": str(ladder.mode), "steps": list(ladder.steps)}
                for ladder in situations.policy.ladders
            ],
            "on_call": [
                {name: row[name] for name in ("rota", "person", "contact", "until_local")} for row in self.on_call(now)
            ],
            "undelivered": self._reader.undelivered(),
            "dead_letters": self._reader.dead_letters(20),
            "quarantined": self._reader.quarantined(),
        }

    def drills(self) -> Sequence[Mapping[str, Any]]:
        return self._reader.drills()

    def drill(self, drill_id: str) -> Mapping[str, Any] | None:
        return self.drill_room.progress(drill_id) if self.drill_room is not None else None

    def record(self, seconds: float) -> Mapping[str, Any]:
        from agent.app.recorder import recorder  # noqa: PLC0415 - once in a while

        if self._recorder is not None and not self._recorder.is_over:
            raise CommandError("somebody is recording already")
        self._recorder = recorder(self._engine, self._parts, self.external, self.environment, seconds)
        return {"recording": self._recorder.id}

    def recorded(self, recording: str, *, stop: bool) -> Mapping[str, Any] | None:
        recorder = self._recorder
        if recorder is None or recorder.id != recording:
            return None
        return recorder.fetch(stop=stop)

    def submit(self, command: Command) -> Future[Mapping[str, Any]]:
        return self._engine.queue.order(command)

    def repeats(self, glances: Sequence[Glance]) -> bool:
        return self._parts.intake.refresh(glances, self._parts.clock.now())

    def alerts(self) -> Sequence[Alert]:
        intake = self._parts.intake
        if intake.is_behind:
            intake.hurry()
            self._engine.queue.wake()
            intake.catch_up(_CATCH_UP_SECONDS)
        return (*self._engine.alerts, *intake.active())

    def shown_alerts(self) -> Sequence[Alert]:
        return (*self._engine.alerts, *self._parts.intake.shown())

    def groups(self) -> Sequence[RuleGroup]:
        return tuple(self._parts.ruleset.groups.values())

    def judgement(self, rule: str) -> Judgement | None:
        return self._engine.judgement(rule)

    def targets(self) -> Sequence[Target]:
        return targeting.targets(self._parts.series, self.collectors, self.external)

    def metadata(self) -> Sequence[Metric]:
        return [*catalog(SPECS), *self.subscribed]


def _is_due(change: Mapping[str, Any], end: float) -> bool:
    dates = [at for at in (change["starts_at"], change["ends_at"]) if at is not None]
    return bool(dates) and min(dates) < end


def catalog(specs: Sequence[Spec]) -> list[Metric]:
    """Return every metric that the collectors and their host declare."""
    return [*health.METRICS, *(metric for spec in specs for metric in spec.metrics)]


def endpoints(addresses: tuple[str, ...], socket: Path) -> Mapping[str, str]:
    """Return where the daemon can be found."""
    web = {"metrics": f"{addresses[0]}/metrics"} if addresses else {}
    return {**web, "control": str(socket)}
