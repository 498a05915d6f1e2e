"""End a process found by its pid file, name, program, unit or the memory it holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from remediations.kinds import DURATION, FLAG, PATH, PERCENT, PROCESS, UNIT
from remediations.plan import Plan
from remediations.spec import ActionSpec, Context, Privilege

SCRIPT = Path(__file__).parents[1] / "scripts" / "kill_process.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class KillParameters:
    """Which process: in this pid file, with this name or program, of this unit, or all of that at once.

    `every`: all that fit. `memory`: only the one that holds the most memory, if it holds at least this share of it all.
    """

    pidfile: Annotated[str, PATH] = ""
    command: Annotated[str, PROCESS] = ""
    unit: Annotated[str, UNIT] = ""
    memory: Annotated[str, PERCENT] = ""
    every: Annotated[bool, FLAG] = False
    grace: Annotated[float, DURATION] = 5.0

    def __post_init__(self) -> None:
        if not (self.pidfile or self.command or self.unit or self.memory):
            raise ValueError("pidfile, command, unit, memory: one of them must be given")
        if self.every and (self.pidfile or self.memory):
            raise ValueError("every: has no meaning with pidfile or memory")
        if self.pidfile and (self.unit or self.memory):
            raise ValueError("pidfile: has no meaning with unit or memory")


def plan(parameters: KillParameters, context: Context) -> Plan:
    """Send TERM, and KILL after the grace."""
    options = [f"--grace-seconds={parameters.grace:g}"]
    given = ((name, getattr(parameters, name)) for name in ("pidfile", "command", "unit", "memory"))
    options += [f"--{name}={value}" for name, value in given if value]
    if parameters.every:
        options.append("--every")
    named = parameters.pidfile or parameters.command or parameters.unit or "memory"
    argv = context.script(SCRIPT, *options)
    return Plan(argv=argv, resource=f"process:{named}")


SPEC = ActionSpec(
    name="kill_process",
    summary="End a process by pid file, name, unit or memory: TERM, then KILL. Never PID 1, the daemon or its session.",
    parameters=KillParameters,
    plan=plan,
    host=True,
    # To see the program of any process, and to end it.
    privilege=Privilege(user="root", capabilities=("CAP_KILL", "CAP_SYS_PTRACE"), network=False),
)
