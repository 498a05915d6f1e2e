"""`paramedic simulate`: what would have happened to a recorded host under a configuration. Nothing is started."""

import argparse
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from agent.app.simulating import Assumed, Happening, Simulation
from agent.cli import screen
from agent.cli.failure import CommandFailedError
from agent.config import paths
from agent.config.load import load
from agent.config.options import Config
from agent.incidents.incident import Incident
from agent.intake import playback
from agent.intake.playback import RecordingError
from agent.telemetry import log

_NOT_THE_SUBJECT = ("alertname", "severity", "job", "instance")


def run(args: argparse.Namespace) -> int:
    """Print every decision and, at the end, what came of every incident."""
    log.silence()
    config = load(paths.config_path(args.config, os.environ), os.environ)
    assumed = Assumed(outcome=args.assume, seconds=args.took)
    try:
        happenings, incidents = _simulated(config, args.file, assumed)
    except RecordingError as error:
        raise CommandFailedError(f"{args.file}: {error}") from error
    except OSError as error:
        raise CommandFailedError(f"{args.file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandFailedError(f"{args.file} is not UTF-8") from error
    if args.json:
        decisions = [asdict(each) for each in happenings]
        screen.show_json({"decisions": decisions, "incidents": [_document(each) for each in incidents]})
    else:
        _show(happenings, incidents)
    return 0


def _simulated(config: Config, file: Path, assumed: Assumed) -> tuple[Sequence[Happening], Sequence[Incident]]:
    """Return what would have happened. Raise RecordingError, OSError or UnicodeDecodeError."""
    with file.open(encoding="utf-8", newline="\n") as text:
        ended = playback.attempts(text)
        text.seek(0)
        with tempfile.TemporaryDirectory(prefix="paramedic-simulate-") as folder:
            simulation = Simulation(config, playback.read(text), ended, assumed, Path(folder))
            try:
                return list(simulation.run()), simulation.incidents()
            finally:
                simulation.close()


def _document(incident: Incident) -> dict[str, object]:
    return {
        "id": incident.id,
        "alertname": incident.alertname,
        "labels": dict(incident.labels),
        "opened_at": incident.opened_at,
        "state": incident.state,
        "resolution": incident.resolution,
        "escalated_reason": incident.escalated_reason,
        "attempts": [
            {"argv": each.argv, "outcome": each.outcome, "verdict": each.verdict} for each in incident.attempts
        ],
        "tickets": incident.tickets,
    }


def _show(happenings: Sequence[Happening], incidents: Sequence[Incident]) -> None:
    if not happenings:
        print("nothing would have happened: no alert became an incident")
        return
    screen.show_table(["AT", "ALERT", "SUBJECT", "DECISION", "GUARD", "STATE", "DETAIL"], map(_row, happenings))
    print()
    for each in incidents:
        fate = " ".join(filter(None, (each.state, each.resolution or each.escalated_reason)))
        screen.line(f"{each.alertname} {screen.labels(each.labels, _NOT_THE_SUBJECT)}: {fate}")
    screen.line(f"{len(incidents)} incidents; {_counted(happenings)}; nothing was started")


def _row(happening: Happening) -> list[object]:
    subject = screen.labels(happening.labels.items(), _NOT_THE_SUBJECT)
    by = f"{happening.by}: " if happening.by else ""
    detail = by + screen.words(happening.argv) if happening.argv else happening.detail
    at = screen.moment(happening.at)
    return [at, happening.alertname, subject, happening.reason, happening.guard, happening.state, detail]


def _counted(happenings: Iterable[Happening]) -> str:
    counts = Counter(each.reason for each in happenings)
    return ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
