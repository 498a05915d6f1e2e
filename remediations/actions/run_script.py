"""Run a script that the operator put into one of the configured directories."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from remediations.kinds import NAME, SCRIPT, WORDS
from remediations.plan import NotReadyError, Plan, PlanError
from remediations.spec import ActionSpec, Context

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptParameters:
    """The script's bare name and its arguments; `name` says what it acts on, if not always on the same thing."""

    script: Annotated[str, SCRIPT]
    arguments: Annotated[tuple[str, ...], WORDS] = ()
    name: Annotated[str, NAME] = ""


def plan(parameters: ScriptParameters, context: Context) -> Plan:
    """Run the script, if nobody but root and ourselves can have written it."""
    path = _find(parameters.script, context.script_dirs)
    resource = f"script:{parameters.script}" + (f":{parameters.name}" if parameters.name else "")
    return Plan(argv=(str(path), *parameters.arguments), resource=resource)


def _find(name: str, directories: tuple[Path, ...]) -> Path:
    for directory in directories:
        path = Path(os.path.realpath(directory)) / name
        try:
            problem = _problem(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise NotReadyError(f"script: {path}: {error.strerror}") from error
        if problem:
            raise NotReadyError(f"script: {path} {problem}")
        return path
    if not directories:
        raise PlanError(f"script: {name} is in none of the script directories (no directory is configured)")
    places = ", ".join(map(str, directories))
    raise NotReadyError(f"script: {name} is in none of the script directories ({places})")


def _problem(path: Path) -> str:
    """Return why the script may not be trusted; empty: it may."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        return "is no regular file (links are not followed)"
    if not found.st_mode & stat.S_IXUSR:
        return "is not executable: chmod u+x"
    for each, each_found in ((path, found), *((parent, parent.lstat()) for parent in path.parents)):
        if each_found.st_uid not in {0, os.geteuid()}:
            return f"cannot be trusted: {each} belongs to user {each_found.st_uid}, not to root or to us: chown root"
        # Others may write a directory with the sticky bit: they cannot replace what is not theirs.
        if each_found.st_mode & _WRITABLE_BY_OTHERS and not _is_sticky_directory(each_found.st_mode):
            return f"cannot be trusted: others may write {each}: chmod go-w"
    return ""


def _is_sticky_directory(mode: int) -> bool:
    return stat.S_ISDIR(mode) and bool(mode & stat.S_ISVTX)


SPEC = ActionSpec(
    name="run_script",
    summary="Run a script by its bare name from the configured script directories.",
    parameters=ScriptParameters,
    plan=plan,
)
