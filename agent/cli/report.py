"""`paramedic report`: key figures of a week, a month or any period, from the record."""

import argparse
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.cli import connection


def run(args: argparse.Namespace) -> int:
    start, end = period(args.period, datetime.now(UTC))
    start = args.start if args.start is not None else start
    end = args.end if args.end is not None else end
    form = "json" if args.json else args.form
    text = connection.client(args).get("report", **{"from": repr(start), "to": repr(end), "form": form})["text"]
    if args.out is None:
        sys.stdout.write(text)
    else:
        Path(args.out).write_text(text, encoding="utf-8")
    return 0


def period(name: str, now: datetime) -> tuple[float, float]:
    """Return the last whole week (from Monday) or month before `now`, in wall seconds."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if name == "weekly":
        end = midnight - timedelta(days=midnight.weekday())
        return (end - timedelta(days=7)).timestamp(), end.timestamp()
    end = midnight.replace(day=1)
    return (end - timedelta(days=1)).replace(day=1).timestamp(), end.timestamp()
