"""Run now what a timer would run later."""

from dataclasses import dataclass
from typing import Annotated

from remediations.kinds import TIMER, UNIT
from remediations.plan import Plan
from remediations.spec import ActionSpec, Context, Privilege


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerParameters:
    """The timer; `unit` is what it runs, if that is not the service of its name."""

    timer: Annotated[str, TIMER]
    unit: Annotated[str, UNIT] = ""


def plan(parameters: TimerParameters, _context: Context) -> Plan:
    """Restart the unit, which starts one that is not running. The timer itself goes on as it was."""
    unit = parameters.unit or f"{parameters.timer.removesuffix('.timer')}.service"
    return Plan(argv=("systemctl", "--no-ask-password", "restart", "--", unit), resource=f"unit:{unit}")


SPEC = ActionSpec(
    name="trigger_timer",
    summary="Run now what a systemd timer would run later.",
    parameters=TimerParameters,
    plan=plan,
    disruptive=False,
    unit_verb=True,
    privilege=Privilege(user="root", network=False),
    host=True,
)
