"""Make the systemd journal smaller."""

from dataclasses import dataclass
from typing import Annotated

from remediations.kinds import SIZE
from remediations.plan import Plan
from remediations.spec import ActionSpec, Context, Privilege

JOURNALCTL = "/usr/bin/journalctl"


@dataclass(frozen=True, slots=True, kw_only=True)
class VacuumParameters:
    """How much of the journal may stay."""

    keep: Annotated[int, SIZE]


def plan(parameters: VacuumParameters, _context: Context) -> Plan:
    """Drop archived journal files, the oldest first, until no more than that is left."""
    argv = (JOURNALCTL, "--quiet", f"--vacuum-size={parameters.keep}")
    return Plan(argv=argv, resource="path:/var/log/journal", writable=("/var/log/journal",))


SPEC = ActionSpec(
    name="vacuum_journal",
    summary="Drop archived journal files, the oldest first, until the journal is small enough.",
    parameters=VacuumParameters,
    plan=plan,
    disruptive=False,
    privilege=Privilege(user="root", network=False),
    host=True,
)
