"""`paramedic check rules`: everything that is wrong with rule files."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.cli import screen
from rules.linting import LINTS, lint
from rules.rulefile import RuleError, RuleFile, load
from rules.yamlnodes import Problem

LINT_FAILED = 3
ALL, NONE = "all", "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    level: str
    problem: Problem
    lint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    path: Path
    findings: list[_Finding]
    rules: int = 0


def run(args: argparse.Namespace) -> int:
    """Print all findings; return 1 for an error, and for lints only 3 if they are fatal."""
    lints = () if NONE in args.lint else LINTS if ALL in args.lint or not args.lint else tuple(args.lint)
    checked = [_check(path, lints) for path in args.files]
    levels = {finding.level for file in checked for finding in file.findings}
    code = 1 if "error" in levels else LINT_FAILED if levels and args.lint_fatal else 0
    if args.json:
        screen.show_json({"ok": code == 0, "files": [_document(file) for file in checked]})
    else:
        _show(checked)
    return code


def _check(path: Path, lints: tuple[str, ...]) -> _Checked:
    try:
        file = load(path)
    except RuleError as error:
        return _Checked(path=path, findings=[_Finding(level="error", problem=problem) for problem in error.problems])
    return _Checked(path=path, findings=list(_linted(file, lints)), rules=sum(len(each.rules) for each in file.groups))


def _linted(file: RuleFile, lints: tuple[str, ...]) -> Iterator[_Finding]:
    for found in lint(file, lints):
        yield _Finding(level="lint", problem=found.problem, lint=found.lint)


def _document(file: _Checked) -> dict[str, object]:
    return {
        "file": str(file.path),
        "rules": file.rules,
        "problems": [
            {
                "level": finding.level,
                "lint": finding.lint,
                "file": finding.problem.file,
                "line": finding.problem.line,
                "column": finding.problem.column,
                "rule": finding.problem.rule,
                "message": finding.problem.message,
            }
            for finding in file.findings
        ],
    }


def _show(checked: list[_Checked]) -> None:
    for file in checked:
        for finding in file.findings:
            screen.line(f"{finding.level}: {finding.problem}{f' ({finding.lint})' if finding.lint else ''}")
        if all(finding.level != "error" for finding in file.findings):
            screen.line(f"{file.path}: {file.rules} rules found")
