"""What every command of the command line is made of."""

import argparse
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.config import durations


def command(commands: Any, name: str, text: str, *, module: str, example: str = "") -> argparse.ArgumentParser:  # noqa: ANN401 - argparse's own type is private
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"example:\n  {example}" if example else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.set_defaults(module=f"agent.cli.{module}", command=name)
    return made


def group(commands: Any, name: str, text: str) -> argparse.ArgumentParser:  # noqa: ANN401 - see above
    made: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    return made


def verbs_of(commands: Any, name: str, text: str) -> Any:  # noqa: ANN401 - see above
    """Return what takes the commands about one kind of thing."""
    return group(commands, name, text).add_subparsers(title="verbs", metavar="VERB", required=True)


def config(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the configuration; default: $PARAMEDIC_CONFIG, else /etc/paramedic/paramedic.toml if it exists",
    )


def json_flag(made: argparse.ArgumentParser) -> None:
    made.add_argument("--json", action="store_true", help="print JSON")


def client(made: argparse.ArgumentParser) -> None:
    config(made)
    made.add_argument("--socket", type=Path, metavar="PATH", help="the daemon's control socket; default: found")
    json_flag(made)


def seconds(text: str) -> float:
    """Return the seconds of a duration such as 90m. Raise ArgumentTypeError."""
    try:
        return durations.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def number(text: str) -> float:
    """Return a number that is one. Raise ArgumentTypeError."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise argparse.ArgumentTypeError(f"must be a number, not {text[:40]!r}")
    return found


def point_in_time(text: str) -> float:
    """Return the seconds since 1970 for what `written_time` takes; without a zone it is the reader's own time."""
    return written_time(text).timestamp()


def written_time(text: str) -> datetime:
    """Return the time that somebody wrote, with a zone only if it has one. Raise ArgumentTypeError."""
    try:
        return _of_seconds(text) or datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        examples = "2026-01-31, 2026-01-31T12:00, 2026-01-31T12:00:00Z, or seconds since 1970"
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write {examples}") from None


def _of_seconds(text: str) -> datetime | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return datetime.fromtimestamp(seconds, UTC)
