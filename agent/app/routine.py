"""What is done now and then beside the engine, where it is configured: due reports, figures about services."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from agent.app.backend import DaemonBackend
from agent.clock import Clock
from agent.config.options import Config
from agent.engine.engine import Engine
from agent.scheduling import Scheduling
from agent.store.database import Database, checkpoint

if TYPE_CHECKING:
    from agent.app.reporter import Reporter

CHECKPOINT_SECONDS = 30.0
REPORTS_SECONDS = 60.0
BUDGETS_SECONDS = 300.0
_CHECKPOINT_BYTES = 4 * 1024 * 1024


def schedule(
    scheduling: Scheduling, config: Callable[[], Config], backend: DaemonBackend, engine: Engine, clock: Clock
) -> None:
    """Have done what the configuration asks for, as it is at the time."""

    @cache
    def made() -> "Reporter":
        from agent.app.reporter import reporter  # noqa: PLC0415 - loaded only where reports are scheduled

        return reporter(config, backend, engine, clock)

    def report() -> None:
        if config().reports:
            made().tick()

    shown: set[str] = set()

    def measure() -> None:
        if shown or any(service.objective for service in config().services):
            from agent.app.budgets import budgets  # noqa: PLC0415 - loaded only where there are objectives

            budgets(backend.reader, backend.policy, clock.now, shown)

    scheduling.every(REPORTS_SECONDS, report, "reports")
    scheduling.every(BUDGETS_SECONDS, measure, "budgets")


def checkpointer(database: Database) -> Callable[[], None]:
    """Return what empties the database's log when it has grown."""
    log_file = database.path.with_name(database.path.name + "-wal")

    def run() -> None:
        if log_file.exists() and log_file.stat().st_size > _CHECKPOINT_BYTES:
            checkpoint(database.path)

    return run
