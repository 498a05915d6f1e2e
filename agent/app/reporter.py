"""Makes the reports that are due, each once: whatever the clock does, and however long the daemon was away."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.app.backend import DaemonBackend
from agent.app.reporting import ReportDesk
from agent.clock import Clock
from agent.config.options import Config
from agent.config.reports import schedules
from agent.engine.commands import Command, CommandError
from agent.engine.engine import Engine
from agent.engine.improvements import PublishReport
from agent.itsm.schedules import Due, Schedule, last_due
from agent.itsm.stretches import Period
from agent.store import improvement
from agent.store.reader import Reader
from agent.telemetry import log

_log = log.get("report")
_CALL_SECONDS = 30.0
_ACTOR = "schedule"


class Reporter:
    """`tick` is called now and then, on one thread. `order` raises CommandError; then the next tick tries again."""

    def __init__(
        self,
        planned: Callable[[], Sequence[Schedule]],
        desk: Callable[[], ReportDesk],
        reader: Reader,
        order: Callable[[Command], Mapping[str, Any]],
        now: Callable[[], float],
    ) -> None:
        self._planned = planned
        self._desk = desk
        self._reader = reader
        self._order = order
        self._now = now
        self._settled: dict[str, Due] = {}
        """What was due last and is done, by the name of the schedule."""
        self._failing: dict[str, str] = {}
        """Why a report could not be made, by the name of the schedule: said once."""

    def tick(self) -> None:
        """Publish what is due and not there yet."""
        for schedule in self._planned():
            due = last_due(schedule, self._now())
            if self._settled.get(schedule.name) == due:
                continue
            try:
                self._settle(schedule, due)
            except CommandError as error:
                if self._failing.get(schedule.name) != str(error):
                    _log.warning("report not made yet", report=due.id, reason=str(error))
                self._failing[schedule.name] = str(error)
            else:
                self._failing.pop(schedule.name, None)
                self._settled[schedule.name] = due

    def _settle(self, schedule: Schedule, due: Due) -> None:
        with self._reader.opened() as connection:
            newest = improvement.newest(connection, schedule.name)
        if newest is None:  # what was before the first of its kind is only noted: nobody asked for it then
            self._order(PublishReport(actor=_ACTOR, report_id=due.id, name=schedule.name, start=due.start, end=due.end))
        elif newest < due.end:
            period = Period(start=due.start, end=due.end, zone=schedule.zone)
            self._order(self._desk().publication(due.id, schedule.name, period, schedule.channels, _ACTOR))


def reporter(config: Callable[[], Config], backend: DaemonBackend, engine: Engine, clock: Clock) -> Reporter:
    """Return what makes the reports that the configuration asks for at the time."""
    return Reporter(
        lambda: schedules(config()),
        lambda: backend.reports,
        backend.reader,
        lambda command: engine.call(command, _CALL_SECONDS),
        clock.now,
    )
