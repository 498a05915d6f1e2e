"""The root helper's policy, made from the configuration: exactly the argvs that its remediations can lead to."""

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from agent.app.planning import listed_units, privilege
from agent.config import toml
from agent.config.acting import RemediationOptions, StepOptions, context
from agent.config.options import Config
from remediations import registry
from remediations.actions.unit_verbs import UnitParameters
from remediations.exec_helper.policy import Policy
from remediations.plan import Plan, PlanError
from remediations.runner import SEARCH_PATH
from remediations.spec import ActionSpec, Privilege

MARK = "# Written by `paramedic install` from the configuration, which replaces it."
_HEAD = f"""{MARK}
# A file of your own beside it stays. What no file of this folder allows is denied.
"""
_SCRIPTS = str(Path(registry.__file__).parent / "scripts")
_STAND_IN = "stands4template"
"""Stands for every template while a plan is made; what may take its place at run time is `_FOREIGN`."""
_FOREIGN = r"(?!.*\.\.)[A-Za-z0-9_/][A-Za-z0-9._:/@%+=,-]*"
_MOST_RUNS = 1000
_HOLE = re.compile(r"\{([a-z][a-z0-9_]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """Policy files, content by name; and the steps that none could be made for, with the reason."""

    files: Mapping[str, str]
    problems: tuple[str, ...]


def policies(config: Config) -> Policies:
    """Return what the helper is to allow. The steps of every mode count: promotion should not need root."""
    made: list[Policy] = []
    problems: list[str] = []
    for policy in (*_unit_policies(config), *_step_policies(config)):
        if isinstance(policy, Policy):
            made.append(policy)
        else:
            problems.append(policy)
    return Policies(files={policy.name: render(policy) for policy in made}, problems=tuple(problems))


def render(policy: Policy) -> str:
    """Return the file's text."""
    lines = [
        f"{name} = {toml.render(value)}" for name, value in policy.settings().items() if name not in {"name", "words"}
    ]
    words = [f"{name} = {toml.render(allowed)}" for name, allowed in sorted(policy.words.items())]
    return "\n".join([_HEAD, *lines, *(["", "[words]", *words] if words else []), ""])


def _steps(config: Config) -> Iterator[tuple[RemediationOptions, str, StepOptions, ActionSpec]]:
    """Yield every step with what it is called in its ladder."""
    for remediation in config.remediations:
        for number, step in enumerate(remediation.steps, start=1):
            yield remediation, str(number), step, registry.action(step.action)
        if (undo := remediation.compensate) is not None:
            yield remediation, "compensate", undo, registry.action(undo.action)


def _unit_policies(config: Config) -> Iterator[Policy | str]:
    """Yield one policy for each verb: the units are those that may be touched at all."""
    units = sorted(listed_units(config))
    used = {spec.name: spec for _, _, _, spec in _steps(config) if spec.unit_verb}
    for name, spec in sorted(used.items()):
        if not units:
            yield f"{name}: no unit is listed: name one in a step or in [guards] units"
            continue
        argv = spec.plan(UnitParameters(unit="{unit}"), context(config.guards, helper=True)).argv
        theirs = [(remediation, step) for remediation, _, step, each in _steps(config) if each is spec]
        yield Policy(
            name=f"{name}.toml",
            argv=_absolute(argv),
            words={"unit": units},
            brief=True,
            **_bounds(config, theirs),
            **_privilege(spec.privilege),
        )


def _step_policies(config: Config) -> Iterator[Policy | str]:
    for remediation, number, step, spec in _steps(config):
        if spec.unit_verb or spec.leaves_process:
            continue
        try:
            yield _step_policy(config, remediation, number, step, _plan(config, step))
        except PlanError as error:
            yield f"{remediation.name}, step {number} ({step.action}): {error}"


def _plan(config: Config, step: StepOptions) -> Plan:
    """Return what the step would run; where a template stands for a whole path, so does what stands for it."""
    actions = context(config.guards, helper=True)
    try:
        return registry.plan(step.action, step.parameters, actions, lambda _: _STAND_IN)
    except PlanError:
        return registry.plan(step.action, step.parameters, actions, lambda _: f"/{_STAND_IN}")


def _step_policy(config: Config, remediation: RemediationOptions, number: str, step: StepOptions, plan: Plan) -> Policy:
    program, *rest = _absolute(plan.argv)
    words: dict[str, Any] = {}
    argv = (program, *(_pattern(word, words) for word in rest))
    writable = (*plan.writable, *map(str, step.writable))
    return Policy(
        name=f"{remediation.name}.{number}.toml",
        argv=argv,
        words=words,
        files=tuple(word for word in rest if word.startswith(f"{_SCRIPTS}/")),
        writable=tuple(path.partition(_STAND_IN)[0].rstrip("/") for path in writable),
        **_bounds(config, [(remediation, step)]),
        **_privilege(privilege(step)),
    )


def _absolute(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return the argv with its program's whole path."""
    found = argv[0] if argv[0].startswith("/") else shutil.which(argv[0], path=SEARCH_PATH)
    if found is None:
        raise PlanError(f"{argv[0]} is not installed")
    return (found, *argv[1:])


def _pattern(word: str, words: dict[str, Any]) -> str:
    """Return the word as the policy writes it, and say in `words` what its holes may hold."""
    if _HOLE.search(word):  # braces that are the administrator's own must not be taken for a hole
        name = f"word{len(words)}"
        words[name] = [word] if _STAND_IN not in word else re.escape(word).replace(_STAND_IN, _FOREIGN)
        return f"{{{name}}}"
    if _STAND_IN not in word:
        return word
    words["label"] = _FOREIGN
    return word.replace(f"=/{_STAND_IN}", "={label}").replace(_STAND_IN, "{label}")


def _privilege(privilege: Privilege) -> dict[str, Any]:
    return {field.name: getattr(privilege, field.name) for field in fields(Privilege)}


def _bounds(config: Config, steps: list[tuple[RemediationOptions, StepOptions]]) -> dict[str, Any]:
    """Return how often and how long: what all the remediations together are allowed that share the policy."""
    limits = [remediation.limits for remediation in {each.name: each for each, _ in steps}.values()]
    return {
        "timeout_seconds": max(1, *(round(step.timeout + 0.5) for _, step in steps)),
        "runs": min(_MOST_RUNS, sum(each.runs for each in limits)),
        "per_seconds": max(1, *(round(each.per) for each in limits)),
        "host_runs_per_hour": min(_MOST_RUNS, config.guards.actions_per_hour),
    }
