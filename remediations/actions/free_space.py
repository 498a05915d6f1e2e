"""Delete old files of known names below one directory."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated

from remediations.kinds import DURATION, GLOBS, PATH, SIZE
from remediations.plan import Plan, PlanError
from remediations.spec import ActionSpec, Context, Privilege

SCRIPT = Path(__file__).parents[1] / "scripts" / "free_space.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeSpaceParameters:
    """Delete files below `root` whose name matches one of `patterns` and that are older, oldest first.

    With `keep_free` it ends as soon as so much is free.
    """

    root: Annotated[str, PATH]
    patterns: Annotated[tuple[str, ...], GLOBS]
    older_than: Annotated[float, DURATION]
    keep_free: Annotated[int, SIZE] = 0


def plan(parameters: FreeSpaceParameters, context: Context) -> Plan:
    """Delete, if the configuration allows it below this root."""
    root = PurePosixPath(parameters.root)
    if not any(root.is_relative_to(allowed) for allowed in context.free_space_roots):
        allowed = ", ".join(map(str, context.free_space_roots)) or "none"
        raise PlanError(f"root: {root} is not inside the roots where files may be deleted ({allowed})")
    options = [f"--root={root}", f"--older-than-seconds={parameters.older_than:g}"]
    options += [f"--pattern={pattern}" for pattern in parameters.patterns]
    options += [f"--keep-free-bytes={parameters.keep_free}"] if parameters.keep_free else []
    argv = context.script(SCRIPT, *options)
    return Plan(argv=argv, resource=f"path:{root}", writable=(str(root),))


SPEC = ActionSpec(
    name="free_space",
    summary="Delete old files of given names below an allowed directory, oldest first; links are never followed.",
    parameters=FreeSpaceParameters,
    plan=plan,
    disruptive=False,
    # To look into every folder, to delete what is others', and to see which files are open.
    privilege=Privilege(user="root", capabilities=("CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SYS_PTRACE"), network=False),
)
