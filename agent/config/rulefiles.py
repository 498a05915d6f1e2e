"""The rule files that a configuration names."""

import glob
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from agent.config.options import RuleOptions
from agent.config.problems import Problem
from rules import rulefile, yamlnodes
from rules.rulefile import RuleError, RuleFile


def paths(options: RuleOptions) -> list[Path]:
    """Return the files that the patterns name, in their order, each once; one that is no pattern need not exist."""
    found: dict[Path, None] = {}
    for pattern in options.files:
        names = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207 - patterns are absolute
        found.update((Path(name), None) for name in names)
    return list(found)


def idle(options: RuleOptions) -> list[int]:
    """Return the places of patterns that name no file now."""
    patterns = enumerate(options.files)
    return [place for place, each in patterns if glob.has_magic(each) and not glob.glob(each, recursive=True)]  # noqa: PTH207 - as above


def load(options: RuleOptions) -> tuple[list[RuleFile], list[Problem]]:
    """Return every pack and file that can be read, and everything that is wrong with the others."""
    files: list[RuleFile] = []
    problems: list[Problem] = []
    for read in _readers(options):
        try:
            files.append(read())
        except RuleError as error:
            problems += [problem(each) for each in error.problems]
    return files, problems


def _readers(options: RuleOptions) -> Iterator[Callable[[], RuleFile]]:
    for name in options.packs:
        yield partial(rulefile.load_pack, name, interval_seconds=options.interval)
    for path in paths(options):
        yield partial(rulefile.load, path, interval_seconds=options.interval)


def problem(wrong: yamlnodes.Problem) -> Problem:
    """Return a rule file's problem as one of the configuration; its path is FILE:LINE:COLUMN, as far as known."""
    place = ":".join(str(part) for part in (wrong.file, wrong.line, wrong.column) if part)
    return Problem(place, f"rule {wrong.rule!r}: {wrong.message}" if wrong.rule else wrong.message)
