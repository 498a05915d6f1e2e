"""`paramedic capacity`: when resources will be full, or why that cannot be told."""

import argparse
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from agent.cli import connection, screen
from agent.itsm.capacity import DAY, SAYS, Why
from rules.gotemplate.humanize import humanize_1024, humanize_percentage

_HEADERS = ("RESOURCE", "SUBJECT", "USED", "OF", "GROWTH A DAY", "FULL", "BETWEEN", "FIT", "CHANGE", "REMARK")


def run(args: argparse.Namespace) -> int:
    found = [each for each in connection.client(args).get("capacity") if _is_wanted(each, args.resource, args.soon)]
    if args.json:
        screen.show_json(found)
    elif not found:
        print("nothing is known yet: resources are looked at once an hour")
    else:
        screen.show_table(_HEADERS, map(row, found))
    return 0


def _is_wanted(outlook: Mapping[str, Any], resource: str, soon: float | None) -> bool:
    if resource and outlook["subject"]["resource"] != resource:
        return False
    full_at = outlook["forecast"]["full_at"]
    return soon is None or (full_at is not None and full_at - time.time() <= soon)


def row(outlook: Mapping[str, Any]) -> Sequence[str]:
    """Return the cells of one outlook."""
    subject, found, unit = outlook["subject"], outlook["forecast"], outlook["unit"]
    remark = SAYS[Why(found["why"])] if found["why"] else found["note"]
    between = f"{_day(found['earliest'])} … {_day(found['latest']) or 'open'}" if found["earliest"] else ""
    return (
        subject["resource"],
        subject["name"],
        _amount(found["used"], unit),
        _amount(found["limit"], unit),
        _amount(found["per_day"], unit),
        _full(found["full_at"]),
        between,
        f"{found['fit']:.0%}" if found["fit"] is not None else "",
        outlook["plan"]["change"] if outlook["plan"] else "",
        remark,
    )


def _full(at: float | None) -> str:
    if at is None:
        return ""
    days = max(0, round((at - time.time()) / DAY))
    return f"{_day(at)} ({days} d)"


def _day(at: float | None) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d") if at is not None else ""


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "bytes":
        return f"{humanize_1024(value)}B"
    return humanize_percentage(value) if unit == "ratio" else f"{value:.6g}"
