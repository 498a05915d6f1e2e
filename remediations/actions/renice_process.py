"""Let a process wait for others: for the processor, and for the disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from remediations.kinds import FLAG, IO_CLASS, NICENESS, PATH, PROCESS
from remediations.plan import Plan
from remediations.spec import ActionSpec, Context, Privilege

SCRIPT = Path(__file__).parents[1] / "scripts" / "renice_process.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReniceParameters:
    """Which process, as with kill_process; how nice it becomes, and whether the disk is for others first, too."""

    pidfile: Annotated[str, PATH] = ""
    command: Annotated[str, PROCESS] = ""
    every: Annotated[bool, FLAG] = False
    nice: Annotated[str, NICENESS] = "10"
    io: Annotated[str, IO_CLASS] = ""

    def __post_init__(self) -> None:
        if not (self.pidfile or self.command):
            raise ValueError("pidfile, command: one of them must be given")
        if self.pidfile and self.every:
            raise ValueError("every: has no meaning with pidfile")


def plan(parameters: ReniceParameters, context: Context) -> Plan:
    """Make it nicer; never less nice than it is."""
    options = [f"--nice={parameters.nice}"]
    given = ((name, getattr(parameters, name)) for name in ("io", "pidfile", "command"))
    options += [f"--{name}={value}" for name, value in given if value]
    if parameters.every:
        options.append("--every")
    argv = context.script(SCRIPT, *options)
    return Plan(argv=argv, resource=f"process:{parameters.pidfile or parameters.command}")


SPEC = ActionSpec(
    name="renice_process",
    summary="Let a process wait for others: raise its niceness, and lower its claim on the disk.",
    parameters=ReniceParameters,
    plan=plan,
    disruptive=False,
    privilege=Privilege(user="root", capabilities=("CAP_SYS_NICE", "CAP_SYS_PTRACE"), network=False),
    host=True,
)
