"""Restart this host. A person must have said so, and only the next boot tells that it worked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from remediations.kinds import FLAG
from remediations.limits import KindLimits
from remediations.plan import Plan
from remediations.spec import ActionSpec, Context, Privilege

SCRIPT = Path(__file__).parents[1] / "scripts" / "reboot_host.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class RebootParameters:
    """Whether to restart although a program holds a restart up, such as a package manager at work."""

    despite_inhibitors: Annotated[bool, FLAG] = False


def plan(parameters: RebootParameters, context: Context) -> Plan:
    """Ask systemd for a restart, and wait for it."""
    options = ("--despite-inhibitors",) if parameters.despite_inhibitors else ()
    return Plan(argv=context.script(SCRIPT, *options), resource="host:self")


SPEC = ActionSpec(
    name="reboot_host",
    summary="Restart this host: with a person's approval only, once a day; it worked if another boot begins.",
    parameters=RebootParameters,
    plan=plan,
    privilege=Privilege(user="root", network=False),
    host=True,
    restarts_host=True,
    limits=KindLimits(runs=1, per=86400.0),
)
