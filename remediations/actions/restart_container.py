"""Restart a container of docker or podman, over the engine's own socket."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from remediations.kinds import CONTAINER, DURATION, ENGINE
from remediations.plan import Plan
from remediations.spec import ActionSpec, Context, Privilege

SCRIPT = Path(__file__).parents[1] / "scripts" / "restart_container.py"
SOCKETS = {"docker": "/run/docker.sock", "podman": "/run/podman/podman.sock"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerParameters:
    """Which container of which engine, and how long it may take to end by itself."""

    container: Annotated[str, CONTAINER]
    engine: Annotated[str, ENGINE] = "docker"
    grace: Annotated[float, DURATION] = 10.0


def plan(parameters: ContainerParameters, context: Context) -> Plan:
    """Ask the engine, which answers once the container runs again."""
    options = (f"--socket={SOCKETS[parameters.engine]}", f"--grace-seconds={parameters.grace:g}")
    argv = context.script(SCRIPT, *options, "--", parameters.container)
    return Plan(argv=argv, resource=f"container:{parameters.container}")


SPEC = ActionSpec(
    name="restart_container",
    summary="Restart a container of docker or podman over the engine's socket.",
    parameters=ContainerParameters,
    plan=plan,
    privilege=Privilege(user="root", network=False),
)
