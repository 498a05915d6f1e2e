"""Reading a policy file: what it may say, and what is wrong with one that says something else."""

import re
import tomllib
from collections.abc import Callable
from typing import Any

from remediations.exec_helper.policy import SETTINGS, Policy, PolicyError, is_safe

_MOST = 1_000_000
_WORD = re.compile(r"[\x20-\x7e]+", re.ASCII)
_PATH = re.compile(r"(?!.*/\.{1,2}(?:/|$))(?:/[A-Za-z0-9._@+=,-]+)+", re.ASCII)
_USER = re.compile(r"(?:[a-z_][a-z0-9_-]{0,30})?", re.ASCII)
_CAPABILITY = re.compile(r"CAP_[A-Z_]{2,30}", re.ASCII)
_HOLE = re.compile(r"\{([a-z][a-z0-9_]*)\}", re.ASCII)


def settings(path: str, text: str) -> dict[str, Any]:
    """Return what the file sets. Raise PolicyError."""
    try:
        table = tomllib.loads(text)
    except ValueError as error:
        raise PolicyError(f"{path}: {error}") from error
    unknown = sorted(table.keys() - set(SETTINGS) | table.keys() & {"name"})
    if unknown:
        raise PolicyError(f"{path}: {', '.join(unknown)}: no such setting")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    if problem := _problem(Policy(**{"name": path, "argv": (), "words": {}, **values})):
        raise PolicyError(f"{path}: {problem}")
    return table


def fits(pattern: str, words: dict[str, Any], word: str) -> bool:
    """Tell whether the word is what the pattern allows, whose holes may hold what `words` says."""
    if word.startswith("-") and _HOLE.match(pattern):
        return False  # an option must be the administrator's
    parts = _HOLE.split(pattern)
    texts = [re.escape(part) if index % 2 == 0 else _hole(words[part]) for index, part in enumerate(parts)]
    return re.fullmatch("".join(texts), word, re.ASCII) is not None


def _hole(allowed: Any) -> str:  # noqa: ANN401 - a pattern, or a list of words
    return f"(?:{allowed if isinstance(allowed, str) else '|'.join(map(re.escape, allowed))})"


def _problem(policy: Policy) -> str:
    """Return what is wrong with the settings; empty: nothing."""
    checks: dict[str, Callable[[Any], bool]] = {
        "argv": lambda value: isinstance(value, tuple) and is_safe(list(value)) and bool(_PATH.fullmatch(value[0])),
        "words": lambda value: isinstance(value, dict) and all(map(_is_hole, value.values())),
        "user": lambda value: isinstance(value, str) and _USER.fullmatch(value) is not None,
        "capabilities": lambda value: _each(value, _CAPABILITY),
        "writable": lambda value: _each(value, _PATH),
        "files": lambda value: _each(value, _PATH),
        "network": lambda value: isinstance(value, bool),
        "brief": lambda value: isinstance(value, bool),
    }
    for name in ("timeout_seconds", "tasks", "memory_mib", "runs", "per_seconds", "host_runs_per_hour"):
        checks[name] = _is_count
    wrong = [name for name, fine in checks.items() if not fine(getattr(policy, name))]
    if wrong:
        return f"{', '.join(wrong)}: not a value that can be used"
    holes = {hole for word in policy.argv for hole in _HOLE.findall(word)}
    return (
        f"argv and words do not name the same holes: {holes ^ policy.words.keys()}"
        if holes ^ policy.words.keys()
        else ""
    )


def _each(values: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(values, tuple) and all(isinstance(each, str) and pattern.fullmatch(each) for each in values)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value <= _MOST


def _is_hole(allowed: object) -> bool:
    """Tell whether this is a list of words, or a pattern."""
    if isinstance(allowed, list):
        return _each(tuple(allowed), _WORD) and bool(allowed)
    try:
        return isinstance(allowed, str) and bool(re.compile(allowed))
    except re.error:
        return False
