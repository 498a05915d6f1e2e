"""Start a supervised service by its own start command."""

from dataclasses import dataclass
from typing import Annotated

from remediations.kinds import ARGV, NAME
from remediations.plan import Plan
from remediations.spec import ActionSpec, Context


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandParameters:
    """A command that starts the service in the background and returns.

    It must redirect the service's output: the pipe that its own goes into ends with it. `name` is the service's, for
    limits that hold for it and not for the program.
    """

    argv: Annotated[tuple[str, ...], ARGV]
    name: Annotated[str, NAME] = ""


def plan(parameters: CommandParameters, _context: Context) -> Plan:
    """Run the command as it stands."""
    return Plan(argv=parameters.argv, resource=f"command:{parameters.name or parameters.argv[0]}")


SPEC = ActionSpec(
    name="restart_command",
    summary="Run the start command of a supervised service, which must return once the service runs.",
    parameters=CommandParameters,
    plan=plan,
    leaves_process=True,
)
