"""End a process found by its pid file, its name or its program."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from remediations.kinds import DURATION, FLAG, PATH, PROCESS
from remediations.plan import Plan
from remediations.spec import ActionSpec, Context, Privilege

SCRIPT = Path(__file__).parents[1] / "scripts" / "kill_process.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class KillParameters:
    """Which process: in this pid file, with this name or program, or both at once. `every`: all that have the name."""

    pidfile: Annotated[str, PATH] = ""
    command: Annotated[str, PROCESS] = ""
    every: Annotated[bool, FLAG] = False
    grace: Annotated[float, DURATION] = 5.0

    def __post_init__(self) -> None:
        if not (self.pidfile or self.command):
            raise ValueError("pidfile, command: one of them must be given")
        if self.pidfile and self.every:
            raise ValueError("every: has no meaning with pidfile")


def plan(parameters: KillParameters, context: Context) -> Plan:
    """Send TERM, and KILL after the grace."""
    options = [f"--grace-seconds={parameters.grace:g}"]
    if parameters.pidfile:
        options.append(f"--pidfile={parameters.pidfile}")
    if parameters.command:
        options.append(f"--command={parameters.command}")
    if parameters.every:
        options.append("--every")
    argv = (str(context.python), "-I", "-S", str(SCRIPT), *options)
    return Plan(argv=argv, resource=f"process:{parameters.pidfile or parameters.command}")


SPEC = ActionSpec(
    name="kill_process",
    summary="End a process by pid file or exact name: TERM, then KILL. Never PID 1, the daemon or what started it.",
    parameters=KillParameters,
    plan=plan,
    host=True,
    # To see the program of any process, and to end it.
    privilege=Privilege(user="root", capabilities=("CAP_KILL", "CAP_SYS_PTRACE"), network=False),
)
