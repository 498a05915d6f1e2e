"""Test reports in JUnit's XML format, which continuous integration systems read."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from agent.cli.failure import CommandFailedError
from agent.cli.verdicts import Verdict, by_file, title
from agent.telemetry.log import printable
from rules.promql.verdict import Outcome

_NOTES = {Outcome.FAILED: "failure", Outcome.UNSUPPORTED: "skipped"}


def write(path: Path, verdicts: Sequence[Verdict]) -> None:
    """Write a report. Raise CommandFailedError if that cannot be."""
    root = ET.Element("testsuites", _counted(verdicts))
    for file, own in by_file(verdicts):
        suite = ET.SubElement(root, "testsuite", {"name": printable(file)} | _counted(own))
        for verdict in own:
            case = ET.SubElement(suite, "testcase", {"classname": printable(file), "name": title(verdict)})
            if note := _NOTES.get(verdict.outcome):
                ET.SubElement(case, note, {"message": printable(verdict.detail)})
    try:
        ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise CommandFailedError(f"cannot write {path}: {error.strerror}") from error


def _counted(verdicts: Sequence[Verdict]) -> dict[str, str]:
    counts = {name: sum(verdict.outcome is outcome for verdict in verdicts) for outcome, name in _COUNTERS.items()}
    return {"tests": str(len(verdicts))} | {name: str(count) for name, count in counts.items()}


_COUNTERS = {Outcome.FAILED: "failures", Outcome.UNSUPPORTED: "skipped"}
