"""Verbs on one systemd unit. Only those that polkit can allow safely: never start, stop, enable or mask."""

from dataclasses import dataclass
from typing import Annotated

from remediations.kinds import UNIT
from remediations.plan import Plan
from remediations.spec import ActionSpec, Context, Privilege


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitParameters:
    """The unit to act on."""

    unit: Annotated[str, UNIT]


def _spec(verb: str, summary: str, *, disruptive: bool) -> ActionSpec:
    def plan(parameters: UnitParameters, _context: Context) -> Plan:
        argv = ("systemctl", "--no-ask-password", verb, "--", parameters.unit)
        return Plan(argv=argv, resource=f"unit:{parameters.unit}")

    return ActionSpec(
        name=f"{verb.replace('-', '_')}_unit",
        summary=summary,
        parameters=UnitParameters,
        plan=plan,
        disruptive=disruptive,
        unit_verb=True,
        privilege=Privilege(user="root", network=False),
        host=True,
    )


SPECS = (
    _spec("restart", "Restart one systemd unit, or start it if it is down.", disruptive=True),
    _spec("try-restart", "Restart one systemd unit if it runs.", disruptive=True),
    _spec("reload", "Make one systemd unit read its configuration again.", disruptive=False),
    _spec("reset-failed", "Forget that one systemd unit failed, and its start limit.", disruptive=False),
)
