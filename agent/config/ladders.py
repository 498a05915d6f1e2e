"""Whether the steps of remediations name actions that exist, with parameters that these can take, on this host.

What only the host lacks is no mistake of the file: a daemon whose scripts are not mounted yet must watch all the same.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from agent.config.acting import GuardOptions, RemediationOptions, StepOptions, context
from agent.config.options import Config
from agent.config.problems import Problem, unknown
from agent.config.registries import Registries
from agent.config.structure import structure
from remediations import parameters
from remediations.plan import NotReadyError, Plan, PlanError
from remediations.spec import ActionSpec


def problems(tables: object, base: Path, guards: GuardOptions, registries: Registries) -> Iterator[Problem]:
    """Yield what is wrong with the steps in the raw `[[remediations]]` tables, beyond the types of their values.

    It reads raw tables so that a mistake elsewhere in a remediation does not hide those in its steps.
    """
    for path, table in _steps(tables):
        step, wrong = structure(StepOptions, table, path, base)
        if wrong:
            continue
        action = registries.actions.get(step.action)
        if action is None:
            yield Problem(f"{path}.action", unknown("action", step.action, registries.actions))
        else:
            messages = parameters.check(action, step.parameters) or _plan_problems(action, step.parameters, guards)
            yield from (Problem(path, message) for message in messages)


def _steps(tables: object) -> Iterator[tuple[str, object]]:
    for index, table in enumerate(tables if isinstance(tables, list) else ()):
        steps = table.get("steps") if isinstance(table, dict) else None
        for number, step in enumerate(steps if isinstance(steps, list) else ()):
            yield f"remediations[{index}].steps[{number}]", step
        if isinstance(table, dict) and "compensate" in table:
            yield f"remediations[{index}].compensate", table["compensate"]


def unready(config: Config, registries: Registries) -> Iterator[Problem]:
    """Yield what steps need and this host has not, as far as their literal parameters show.

    Such a step is refused when its turn comes, with this reason, and its incident escalates.
    """
    for path, step in _configured(config):
        try:
            _plan(registries.actions[step.action], step.parameters, config.guards)
        except NotReadyError as error:
            yield Problem(path, str(error))


def programs(config: Config, search_path: str) -> Iterator[Problem]:
    """Yield which programs that are run as configured are not to be seen here."""
    for index, remediation in enumerate(config.remediations):
        for path, words in _commands(f"remediations[{index}]", remediation):
            if words and not shutil.which(words[0], path=search_path):
                yield Problem(path, f"{words[0]} is no program on this host, or not one that this user may run")


def _commands(path: str, options: RemediationOptions) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield every command that a remediation runs as it stands, with its place."""
    yield f"{path}.precondition_command", options.precondition_command
    for number, words in enumerate(options.diagnostics):
        yield f"{path}.diagnostics[{number}]", words
    for place, step in _ladder(path, options):
        argv = step.parameters.get("argv", ())
        if isinstance(argv, list | tuple):
            yield f"{place}.argv", [str(word) for word in argv]


def _configured(config: Config) -> Iterator[tuple[str, StepOptions]]:
    for index, remediation in enumerate(config.remediations):
        yield from _ladder(f"remediations[{index}]", remediation)


def _ladder(path: str, options: RemediationOptions) -> Iterator[tuple[str, StepOptions]]:
    for number, step in enumerate(options.steps):
        yield f"{path}.steps[{number}]", step
    if options.compensate is not None:
        yield f"{path}.compensate", options.compensate


def _plan_problems(action: ActionSpec, raw: Mapping[str, object], guards: GuardOptions) -> list[str]:
    """Return why no plan can be made, as far as the literal parameters show: no folder for scripts, a foreign root."""
    try:
        _plan(action, raw, guards)
    except NotReadyError:
        return []
    except PlanError as error:
        return [str(error)]
    return []


def _plan(action: ActionSpec, raw: Mapping[str, object], guards: GuardOptions) -> Plan | None:
    """Return the plan, None if it needs an alert. Raise PlanError."""
    literal = {name: value for name, value in raw.items() if "{{" not in str(value)}
    try:
        values = parameters.parse(action, literal, str)
    except PlanError:
        return None  # what is missing is only known when an alert fills the templates in
    return action.plan(values, context(guards))
