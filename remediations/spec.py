"""What an action is: typed parameters in, a plan out."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remediations.limits import DEFAULT_KIND, KindLimits
from remediations.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the configuration tells every action about this host."""

    script_dirs: tuple[Path, ...] = ()
    """Where `run_script` finds scripts, the first that holds the name."""
    free_space_roots: tuple[Path, ...] = (Path("/var/log"), Path("/var/cache"), Path("/var/tmp"), Path("/tmp"))  # noqa: S108
    """Directories in and below which `free_space` may delete."""
    python: Path = Path(sys.executable)
    """Runs our own scripts."""

    def script(self, path: Path, *words: str) -> tuple[str, ...]:
        """Return the argv of a script of ours: it sees the standard library, and nothing of whoever runs it."""
        return (str(self.python), "-I", "-S", str(path), *words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Privilege:
    """What the root helper gives a run, if the configuration's step says nothing else."""

    user: str = ""
    """Whom it runs as; empty: a user of its own that exists as long as the run."""
    capabilities: tuple[str, ...] = ()
    network: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """An action kind. `parameters` is a frozen dataclass whose fields are annotated with their kind (see `kinds.py`).

    It may raise ValueError where fields contradict each other. `plan` raises PlanError; it may look at files, and
    changes nothing.
    """

    name: str
    summary: str
    parameters: type[Any]
    plan: Callable[[Any, Context], Plan]
    disruptive: bool = True
    """True where it interrupts a service."""
    unit_verb: bool = False
    """True where the argv is a `systemctl` verb on one unit, which polkit can allow."""
    leaves_process: bool = False
    """True where it starts something that is to go on when it has ended: a unit ends with all that it started."""
    privilege: Privilege = Privilege()
    restarts_host: bool = False
    """True where it restarts the host: never without a person's approval, and judged by whether another boot begins."""
    limits: KindLimits = DEFAULT_KIND
    """How often it may run at most, whatever the configuration says."""
    host: bool = False
    """True where it acts on the host's service manager or processes, which a container does not see."""
