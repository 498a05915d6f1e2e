"""`paramedic test promql`: scripts in Prometheus' `.test` format."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from agent.cli.verdicts import Verdict, report
from rules.promql import script
from rules.promql.verdict import Outcome


def run(args: argparse.Namespace) -> int:
    """Print every case that did not pass; return 1 if one failed."""
    verdicts = (verdict for path in args.files for verdict in _verdicts(path))
    return report(verdicts, as_json=args.json, junit=args.junit)


def _verdicts(path: Path) -> Iterator[Verdict]:
    try:
        for result in script.run(path):
            yield Verdict(
                file=result.file,
                line=result.line,
                expr=result.expression,
                outcome=result.outcome,
                detail=result.detail,
            )
    except script.ScriptError as error:
        yield Verdict(file=str(path), line=0, expr="", outcome=Outcome.FAILED, detail=str(error))
