"""Whether the steps of remediations name actions that exist, with parameters that these can take."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.config.acting import GuardOptions, StepOptions, context
from agent.config.problems import Problem, unknown
from agent.config.registries import Registries
from agent.config.structure import structure
from remediations import parameters
from remediations.plan import PlanError
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


def _plan_problems(action: ActionSpec, raw: Mapping[str, object], guards: GuardOptions) -> list[str]:
    """Return why no plan can be made, as far as the literal parameters show: an unlisted script, a foreign root."""
    literal = {name: value for name, value in raw.items() if "{{" not in str(value)}
    try:
        values = parameters.parse(action, literal, str)
    except PlanError:
        return []  # what is missing is only known when an alert fills the templates in
    try:
        action.plan(values, context(guards))
    except PlanError as error:
        return [str(error)]
    return []
