"""What the test commands print: one line, or one JSON object, a case."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.cli import screen
from agent.telemetry.log import printable
from rules.promql.verdict import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One case of a test file. `group` is what the file calls the test that the case belongs to."""

    file: str
    line: int
    expr: str
    outcome: Outcome
    detail: str = ""
    group: str = ""


def report(verdicts: Iterable[Verdict], *, as_json: bool, junit: Path | None = None) -> int:
    """Print the verdicts as they come and return 1 if a case failed. Raise CommandFailedError for `junit`."""
    seen: list[Verdict] = []
    for verdict in verdicts:
        seen.append(verdict)
        if as_json:
            print(json.dumps(_document(verdict)), flush=True)
        elif verdict.outcome is not Outcome.PASSED:
            screen.line(_line(verdict))
    if junit:
        from agent.cli.junit import write  # noqa: PLC0415 - asked for by few

        write(junit, seen)
    counts = Counter(verdict.outcome for verdict in seen)
    if not as_json:
        screen.line(", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome))
    return 1 if counts[Outcome.FAILED] else 0


def _document(verdict: Verdict) -> dict[str, object]:
    document: dict[str, object] = {
        "file": verdict.file,
        "line": verdict.line,
        "expr": verdict.expr,
        "outcome": verdict.outcome.value,
        "detail": verdict.detail,
    }
    return document | ({"test": verdict.group} if verdict.group else {})


def _line(verdict: Verdict) -> str:
    place = f"{verdict.file}:{verdict.line}" if verdict.line else verdict.file
    subject = ": ".join(filter(None, (verdict.group, verdict.expr)))
    return f"{place}: {verdict.outcome}: {subject}: {verdict.detail}"


def by_file(verdicts: Iterable[Verdict]) -> Iterator[tuple[str, list[Verdict]]]:
    """Yield the files in their order, each with its verdicts."""
    files: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        files.setdefault(verdict.file, []).append(verdict)
    yield from files.items()


def title(verdict: Verdict) -> str:
    """Return what a report calls a case."""
    return printable(f"{verdict.group or 'line'} {verdict.line}: {verdict.expr}")
