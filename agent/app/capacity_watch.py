"""Looks at capacity once an hour. What that takes is loaded when there is something to look at."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.config.options import Config
from agent.engine.commands import KeepSurvey
from agent.engine.engine import Engine
from agent.engine.parts import Parts
from agent.store.reader import Reader

if TYPE_CHECKING:
    from agent.app.surveying import Surveying
    from agent.itsm.capacity_plan import Survey

_ANSWER_SECONDS = 30.0


class CapacityWatch:
    """`look` is to be called at the start and then every interval; at the start it only shows what was known before."""

    def __init__(self, config: Callable[[], Config], engine: Engine, parts: Parts) -> None:
        self._config = config
        self._engine = engine
        self._parts = parts
        self._reader = Reader(parts.database.path)
        self._surveying: Surveying | None = None
        self._started = False

    def look(self) -> None:
        first, self._started = not self._started, True
        if first and not self._has_history():
            return
        if self._surveying is None:
            self._surveying = self._opened()
        if not first:
            self._surveying.look()

    def _has_history(self) -> bool:
        with self._reader.opened() as connection:
            return connection.execute("SELECT 1 FROM capacity_subjects LIMIT 1").fetchone() is not None

    def _opened(self) -> "Surveying":
        from agent.app.surveying import Surveying  # noqa: PLC0415 - once an hour

        return Surveying(self._config, self._parts.series, self._reader, self._parts.clock, self._order)

    def _order(self, survey: "Survey") -> None:
        self._engine.call(KeepSurvey(survey=survey), _ANSWER_SECONDS)
