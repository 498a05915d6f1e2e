"""What the web needs of the rest of the daemon."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from agent.engine.commands import Command
from agent.engine.improvements import PublishReport
from agent.engine.judgements import Judgement
from agent.incidents.muting import Muting
from agent.incidents.posted import Glance
from agent.itsm.stretches import Period
from collectors.sample import Labels, Metric
from rules.alert import Alert
from rules.group import RuleGroup
from rules.series import SeriesStore

if TYPE_CHECKING:
    from agent.itsm.overrides import Override


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A collector, or one of the things it was pointed at. `health` is up, down or unknown."""

    collector: str
    target: str
    labels: Labels
    health: str
    error: str
    last_run_at: float | None
    seconds: float
    """How long the collector's last run took, over all its targets."""
    interval_seconds: float
    timeout_seconds: float


class Reports(Protocol):
    """Reports, suggestions and reviews, all out of the record. Times are wall seconds; any call may wait."""

    def text(self, period: Period, form: str) -> str:
        """Return the report on a period as "markdown", "html" or "json"."""

    def publication(
        self, report_id: str, name: str, period: Period, channels: Sequence[str], actor: str
    ) -> PublishReport:
        """Return the order to publish a report on a period. Raise CommandError for a channel that is none."""

    def published(self) -> Sequence[Mapping[str, Any]]:
        """Return what was published, newest first."""

    def recomputed(self, report_id: str, form: str) -> Mapping[str, Any] | None:
        """Return {"form", "text", "same"} of a published report, computed again; None if there is none."""

    def controls(self, start: float, end: float, form: str) -> str:
        """Return the records of a period that prove each control, as "json" or "csv"."""

    def suggestions(self, *, closed: bool) -> Sequence[Mapping[str, Any]]: ...

    def due(self, now: float, seconds: float) -> Sequence[Mapping[str, Any]]:
        """Return what a review should look at now, given what happened in the last so many seconds."""

    def reviews(self) -> Sequence[Mapping[str, Any]]:
        """Return what was decided, newest first."""

    def overrides(self) -> "Sequence[Override]":
        """Return the limits that hold instead of a rule's own."""


class Backend(Protocol):
    """Commands, incidents, drills and `status` may wait, on other threads; the rest never does."""

    @property
    def store(self) -> SeriesStore: ...

    @property
    def muting(self) -> Muting:
        """What keeps alerts quiet; to be asked, not changed."""

    def ready(self) -> tuple[bool, str]:
        """Tell whether every collector has been run; if not, what is missing."""

    def call(self, command: Command, timeout_seconds: float) -> Mapping[str, Any]:
        """Hand the command to the engine; return its answer. Raise CommandError."""

    def record(self, seconds: float) -> Mapping[str, Any]:
        """Begin a recording; return its id. Raise CommandError where there is one already."""

    def recorded(self, recording: str, *, stop: bool) -> Mapping[str, Any] | None:
        """Return the text that was not fetched yet, and whether it is over; None if there is no such recording."""

    def submit(self, command: Command) -> Future[Mapping[str, Any]]:
        """Hand the command to the engine; the future has its answer. Raise BusyError. Never waits."""

    def repeats(self, glances: Sequence[Glance]) -> bool:
        """Take posted alerts if they only say again what is on record; return whether they do. Never waits."""

    def incidents(self, state: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """Return incidents, newest first: of one state, "active" ones, or ("") all."""

    def incident(self, incident_id: str) -> Mapping[str, Any] | None: ...

    def problems(self, *, closed: bool) -> Sequence[Mapping[str, Any]]:
        """Return problems, newest first: the open ones, or all."""

    def changes(self, state: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """Return changes, newest first: the "open" or "unreviewed" ones, or all."""

    def change(self, change_id: str) -> Mapping[str, Any] | None:
        """Return one change; None if there is none."""

    def change_calendar(self, days: int) -> Mapping[str, Any]:
        """Return the freezes and the dated changes that are due within so many days."""

    def problem(self, problem_id: str) -> Mapping[str, Any] | None:
        """Return one problem; None if there is none."""

    def articles(self, question: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """Return the articles that answer a question, the best first; for an empty one all of them, by name."""

    def article(self, name: str) -> Mapping[str, Any] | None:
        """Return one article or draft; None if there is none."""

    def drafted(self, incident_id: str) -> Mapping[str, Any] | None:
        """Return an article to be finished, written from an incident's timeline; None if there is no incident."""

    def capacity(self) -> Sequence[Mapping[str, Any]]:
        """Return the newest outlook on each resource, and the change that was asked for because of it."""

    def services(self) -> Sequence[Mapping[str, Any]]:
        """Return every service of the catalogue with how it stands."""

    @property
    def reports(self) -> Reports: ...

    def remediations(self) -> Sequence[Mapping[str, Any]]:
        """Return the configured remediations with their standing, in file order."""

    def tickets(self, closed: bool, limit: int) -> Sequence[Mapping[str, Any]]:  # noqa: FBT001 - called from a thread
        """Return tickets of the embedded book, newest first: the open ones, or all."""

    def ticket(self, number: int) -> Mapping[str, Any] | None:
        """Return a ticket of the book with its comments."""

    def tickets_written(self) -> bool:
        """Have tickets read now; return whether any ticket system is read at all."""

    def status(self) -> Mapping[str, Any]: ...

    def on_call(self, at: float | None) -> Sequence[Mapping[str, Any]]:
        """Return every rota with who is on call at a time (wall seconds; None: now). Never waits."""

    def drills(self) -> Sequence[Mapping[str, Any]]: ...

    def drill(self, drill_id: str) -> Mapping[str, Any] | None: ...

    def alerts(self) -> Sequence[Alert]:
        """Return the alerts that are pending, firing or without data. With many posted ones, that takes its time."""

    def shown_alerts(self) -> Sequence[Alert]:
        """Return the same without posted ones if these are too many for metrics."""

    def groups(self) -> Sequence[RuleGroup]: ...

    def judgement(self, rule: str) -> Judgement | None:
        """Return how the last evaluation of a rule went, by its identity."""

    def targets(self) -> Sequence[Target]: ...

    def metadata(self) -> Sequence[Metric]:
        """Return every metric that collectors declare."""
