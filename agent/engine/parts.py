"""What the engine is made of, and whom it tells."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.clock import Clock
from agent.engine.batch import Batch
from agent.engine.casebook import Casebook
from agent.engine.commands import CommandError, StandIn
from agent.engine.delivery import Delivery
from agent.engine.desk import Desk
from agent.engine.intake import Intake
from agent.engine.ledger import Ledger
from agent.engine.orders import Orders
from agent.engine.situations import Situations
from agent.incidents.effects import OutboxRow
from agent.incidents.incident import Incident
from agent.store.database import Database, Write
from rules.alert import Alert
from rules.ruleset import Ruleset
from rules.series import SeriesStore

if TYPE_CHECKING:
    from agent.engine.overriding import OverrideBook

IDLE_SECONDS = 60.0
"""How long the engine sleeps at most."""


@dataclass(slots=True, kw_only=True)
class Outside:
    """Everything the engine tells the rest of the program; none of it may block or raise."""

    hand_over: Callable[[OutboxRow], None] = lambda _row: None
    told_alerts: Callable[[Iterable[Alert]], None] = lambda _alerts: None
    hears_alerts: bool = False
    """Whether anybody is told; if not, posted alerts that are no incident are left alone."""
    told_incidents: Callable[[Iterable[Incident]], None] = lambda _incidents: None
    refresh: Callable[[], None] = lambda: None
    """Asks the watchers for fresh data now."""
    watchdog: Callable[[], None] = lambda: None
    watchdog_seconds: float = IDLE_SECONDS


class Appointments:
    """What is told at times of the calendar: nothing, unless there are rotas or digests (`appointments.py`)."""

    def next_at(self) -> float | None:
        return None

    def shift(self, _delta: float) -> list[Write]:
        """Look anew, for the clock was set; move what is no date. Return what must be written."""
        return []

    def stand_in(self, _batch: Batch, _command: StandIn) -> Mapping[str, Any]:
        """Let somebody stand in on a rota. Raise CommandError."""
        raise CommandError("there is no rota: [[rotas]] makes one", 404)

    def keep(self, batch: Batch) -> None:
        """Owe what is due."""


@dataclass(slots=True, kw_only=True)
class Parts:
    """What the engine is made of; everything in here belongs to its thread."""

    database: Database
    series: SeriesStore
    ruleset: Ruleset
    clock: Clock
    casebook: Casebook
    ledger: Ledger
    situations: Situations
    delivery: Delivery
    desk: Desk
    intake: Intake
    orders: Orders
    outside: Outside
    overrides: "OverrideBook | None" = None
    """Other limits for a while, where there are any."""
    appointments: Appointments = field(default_factory=Appointments)
    crowded: frozenset[str] = frozenset()
    """Collectors for which there was no room in the series store."""
    unreadable: bool = False
    """Whether the last look into the database failed."""
