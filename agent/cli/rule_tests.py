"""`paramedic test rules`: unit tests of rules, in promtool's format."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

from agent.cli import screen
from agent.cli.failure import CommandFailedError
from agent.cli.verdicts import Verdict, report
from rules import ruletest, ruletestfile
from rules.promql.verdict import Outcome
from rules.rulefile import RuleError


def run(args: argparse.Namespace) -> int:
    """Print every case that did not pass; return 1 if one failed."""
    wanted = _chosen(args.run)
    verdicts = (verdict for path in args.files for verdict in _verdicts(path, wanted))
    return report(verdicts, as_json=args.json, junit=args.junit)


def _chosen(patterns: list[str]) -> Callable[[str], bool]:
    if not patterns:
        return lambda _name: True
    import re2  # noqa: PLC0415 - only with --run

    try:
        compiled = [re2.compile(pattern) for pattern in patterns]
    except re2.error as error:
        raise CommandFailedError(f"--run: not a regular expression: {error}") from error
    return lambda name: any(pattern.search(name) for pattern in compiled)


def _verdicts(path: Path, wanted: Callable[[str], bool]) -> Iterator[Verdict]:
    try:
        tests = ruletestfile.load(path)
        for pattern in tests.unmatched:
            screen.say(f"{path}: no file matches {pattern}")
        for result in ruletest.run(tests, wanted=wanted):
            yield Verdict(
                file=result.file,
                line=result.line,
                expr=result.expression,
                outcome=result.outcome,
                detail=result.detail,
                group=result.scenario,
            )
    except RuleError as error:
        for problem in error.problems:
            yield Verdict(
                file=str(path),
                line=_line(path, problem.file, problem.line),
                expr="",
                outcome=Outcome.FAILED,
                detail=str(problem),
            )


def _line(path: Path, file: str, line: int) -> int:
    """Return the line if it is one of this file and not of a rule file."""
    return line if str(path) == file else 0
