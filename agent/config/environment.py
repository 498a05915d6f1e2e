"""Options from the environment: PARAMEDIC_WEB_LISTEN sets `listen` in `[web]`."""

from collections.abc import Mapping
from dataclasses import Field, fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_origin, get_type_hints

from agent.config.option import Seconds
from agent.config.options import Config
from agent.config.problems import Problem, unknown
from agent.config.structure import key

PREFIX = "PARAMEDIC_"
_RESERVED = {"PARAMEDIC_CONFIG"}
_BOOLEANS = {"true": True, "false": False}


def variables() -> dict[str, tuple[str, Field[Any], Any]]:
    """Return section, field and type of every option that a variable can set, by the variable's name."""
    found = {}
    for section, options in get_type_hints(Config).items():
        if get_origin(options) is None:
            hints = get_type_hints(options)
            for field in fields(options):
                if _is_scalar(hints[field.name]):
                    name = f"{PREFIX}{section}_{key(field)}".upper()
                    found[name] = (section, field, hints[field.name])
    return found


def overrides(environ: Mapping[str, str]) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """Return the tables that the environment sets, as TOML would, and what is wrong with it.

    Variables of other people's making (PARAMEDIC_SERVICE_HOST and the like) are left alone: only those that begin like
    one of our sections must be known.
    """
    tables: dict[str, dict[str, Any]] = {}
    problems = []
    known = variables()
    for name in sorted(set(environ) - _RESERVED):
        if name in known:
            section, field, kind = known[name]
            try:
                tables.setdefault(section, {})[key(field)] = _read(environ[name], kind)
            except ValueError as error:
                problems.append(Problem(name, str(error)))
        elif name.startswith(tuple(f"{PREFIX}{section}_".upper() for section, _, _ in known.values())):
            problems.append(Problem(name, unknown("variable", name, known)))
    return tables, problems


def named(problem: Problem, environ: Mapping[str, str]) -> Problem:
    """Return the problem with the variable as its place, where the value came from one."""
    variable = PREFIX + problem.path.replace(".", "_").upper()
    return Problem(variable, problem.message) if variable in environ else problem


def _is_scalar(kind: object) -> bool:
    kinds = (str, int, bool, float, Path, Seconds)
    return kind in kinds or get_origin(kind) in (Literal, UnionType)


def _read(text: str, kind: object) -> object:
    if kind is bool:
        if text not in _BOOLEANS:
            raise ValueError(f"must be true or false, not {text!r}")
        return _BOOLEANS[text]
    if kind is int:
        if not text.isdecimal():
            raise ValueError(f"must be a whole number, not {text!r}")
        return int(text)
    return text
