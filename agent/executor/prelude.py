"""What runs before an action: a command that must succeed, and commands whose output shows how things were."""

from collections.abc import Callable
from dataclasses import dataclass

from agent.incidents.effects import OutboxRow
from remediations.plan import Plan
from remediations.runner import DirectRunner, Outcome, Record

PRECONDITION_SECONDS = 10.0
DIAGNOSTIC_SECONDS = 5.0
MAX_CAPTURED = 16 * 1024
"""Characters of diagnostics that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prelude:
    """`unmet` is why the action must not run; empty: it may."""

    unmet: str = ""
    diagnostics: str = ""


NOTHING = Prelude()


def prelude(runner: DirectRunner, row: OutboxRow, keep: Callable[[Record | tuple[str, ...]], None]) -> Prelude:
    """Run what the row wants to be run first, as our own user. `keep` is told of each run, so that none outlives us."""
    order = row.payload
    if unmet := _unmet(runner, order["run_id"], tuple(order.get("precondition", ())), keep):
        return Prelude(unmet=unmet)
    captured = ""
    for words in order.get("diagnostics", ()):
        argv = tuple(words)
        keep(argv)
        result = runner.run(order["run_id"], Plan(argv=argv, resource=order["resource"]), DIAGNOSTIC_SECONDS, keep)
        captured += f"$ {' '.join(argv)}\n{result.output or result.detail}\n"
    return Prelude(diagnostics=captured[:MAX_CAPTURED])


def _unmet(
    runner: DirectRunner, run_id: str, argv: tuple[str, ...], keep: Callable[[Record | tuple[str, ...]], None]
) -> str:
    if not argv:
        return ""
    keep(argv)
    result = runner.run(run_id, Plan(argv=argv, resource="precondition"), PRECONDITION_SECONDS, keep)
    if result.outcome is Outcome.SUCCEEDED:
        return ""
    return f"the precondition {' '.join(argv)} does not hold: {result.detail or result.outcome}"
