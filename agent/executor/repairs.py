"""Performing remediations with the direct runner; each leaves a record on disk, so that a crash leaves no stray run."""

import threading
from functools import partial
from pathlib import Path

import msgspec

from agent.executor.prelude import NOTHING, Prelude, prelude
from agent.incidents.effects import OutboxRow
from agent.incidents.events import EffectSettled
from remediations.plan import Plan
from remediations.runner import DirectRunner, Outcome, Record, Result

_Kept = Record | tuple[str, ...]
"""What a run's file holds: its first process, or its argv for the moment in which that is being started."""
_TOLD = frozenset({Outcome.REFUSED, Outcome.TIMED_OUT})


class Repairs:
    """`folder` holds one small file for each run under way."""

    def __init__(self, runner: DirectRunner, folder: Path) -> None:
        self._runner = runner
        self._folder = folder
        self._stopping = threading.Event()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def perform(self, row: OutboxRow) -> EffectSettled | None:
        """Run the plan that was stored with the decision, exactly as it stands; None: see `outlived_by`."""
        order, plan = row.payload, planned(row)
        record = self._folder / order["run_id"]
        before = self.prepare(row)
        if before.unmet:
            return unmet(row, before)
        try:
            _keep(record, plan.argv)
        except OSError as error:
            return settled(row, Result(outcome=Outcome.REFUSED, detail=_unrecorded(record, error)), before)
        result = self._runner.run(order["run_id"], plan, order["timeout"], partial(_keep, record))
        record.unlink(missing_ok=True)
        return None if self.outlived_by(row, result) else settled(row, result, before)

    def outlived_by(self, row: OutboxRow, result: Result) -> bool:
        """Tell whether a run that was to restart the host ended because it does: the next daemon knows how it went.

        Going down, the host ends everybody, us too. If that does not come within the run's time-out it was for nothing.
        """
        order = row.payload
        here = order.get("boot_id") == self._runner.boot_id
        if not here or result.exit_code is not None or result.outcome in _TOLD:
            return False
        return self._stopping.wait(order["timeout"])

    def prepare(self, row: OutboxRow) -> Prelude:
        """Run what is wanted before the action."""
        record = self._folder / row.payload["run_id"]
        try:
            before = prelude(self._runner, row, partial(_keep, record))
        except OSError as error:
            return Prelude(unmet=_unrecorded(record, error))
        record.unlink(missing_ok=True)
        return before

    def end_survivors(self, run_id: str) -> str:
        """End what is left of a run that a crash of the daemon interrupted. Return what was found."""
        path = self._folder / run_id
        try:
            kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
        except (OSError, msgspec.DecodeError):
            return "it was not recorded as started"
        record = kept if isinstance(kept, Record) else self._runner.find(run_id, kept)
        ended = record is not None and self._runner.end_survivors(record)
        path.unlink(missing_ok=True)
        return "what was left of it was ended" if ended else "nothing was left of it"

    def stop(self) -> None:
        """Interrupt every run; their results are still posted."""
        self._stopping.set()
        self._runner.stop()


def _unrecorded(record: Path, error: OSError) -> str:
    """Return why a run is not begun: without its record a crash could leave a stray one."""
    return f"{record} cannot be written: {error.strerror}"


def planned(row: OutboxRow) -> Plan:
    """Return the plan as it was stored with the decision."""
    order = row.payload
    return Plan(
        argv=tuple(order["argv"]),
        resource=order["resource"],
        environment=tuple((name, value) for name, value in order["environment"]),
    )


def unmet(row: OutboxRow, before: Prelude) -> EffectSettled:
    """Return what the engine is told when the action must not run."""
    result = {"outcome": "refused", "detail": before.unmet, "unmet": True}
    return EffectSettled(row=row.id, claim=row.claim, done=True, reason=before.unmet, result=result)


def settled(row: OutboxRow, result: Result, before: Prelude = NOTHING) -> EffectSettled:
    """Return what the engine is told about the end of a run."""
    return EffectSettled(
        row=row.id,
        claim=row.claim,
        done=True,
        reason=result.detail,
        result={
            "outcome": str(result.outcome),
            "detail": result.detail,
            "exit_code": result.exit_code,
            "output": result.output,
            "diagnostics": before.diagnostics,
        },
    )


def _keep(path: Path, kept: _Kept) -> None:
    """Replace the run's file whole: a crash leaves the old or the new. Raise OSError where the argv has no room.

    Its first process is kept if there is room: by argv and mark it would be found as well.
    """
    fresh = path.with_name(f"{path.name}.new")
    try:
        fresh.write_bytes(msgspec.json.encode(kept))
        fresh.replace(path)
    except OSError:
        if not isinstance(kept, Record):
            raise
