"""Performing remediations through the root helper: a run outlives the daemon, the next one collects its result."""

from collections.abc import Callable

from agent.executor.prelude import NOTHING, Prelude
from agent.executor.repairs import planned, settled, unmet
from agent.incidents.effects import OutboxRow
from agent.incidents.events import EffectSettled
from remediations.helper_runner import HelperRunner
from remediations.runner import Result


class HelpedRepairs:
    """What `Repairs` is to the direct runner, this is to the helper."""

    def __init__(
        self,
        runner: HelperRunner,
        prepare: Callable[[OutboxRow], Prelude],
        outlived_by: Callable[[OutboxRow, Result], bool] = lambda _row, _result: False,
    ) -> None:
        self._runner = runner
        self._prepare = prepare
        self._outlived_by = outlived_by
        self._begun: set[str] = set()

    def perform(self, row: OutboxRow) -> EffectSettled | None:
        """Have the stored plan run, or if a former daemon did that, collect; None: the daemon stops before the end."""
        run_id, timeout = row.payload["run_id"], row.payload["timeout"]
        before = NOTHING
        if run_id in self._begun:
            result = self._runner.collect(run_id, timeout)
        elif (before := self._prepare(row)).unmet:
            return unmet(row, before)
        else:
            result = self._runner.run(run_id, planned(row), timeout)
        if result is None or self._outlived_by(row, result):
            return None
        return settled(row, result, before)

    def began(self, run_id: str) -> bool:
        """Tell whether a run that a crash interrupted has begun. One that has is never asked for again."""
        if not self._runner.began(run_id):
            return False
        self._begun.add(run_id)
        return True

    def stop(self) -> None:
        """Wait for no run any more."""
        self._runner.stop()
