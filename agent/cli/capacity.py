"""`paramedic capacity`: when resources will be full, or why that cannot be told."""

import argparse
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from agent.cli import connection, screen
from agent.itsm.capacity import DAY
from agent.itsm.capacity_plan import Outlook
from agent.itsm.capacity_words import amount, between, day, remark

_HEADERS = ("RESOURCE", "SUBJECT", "USED", "OF", "GROWTH A DAY", "FULL", "BETWEEN", "FIT", "CHANGE", "REMARK")


def run(args: argparse.Namespace) -> int:
    found = [each for each in connection.client(args).get("capacity") if _is_wanted(each, args.resource, args.soon)]
    if args.json:
        screen.show_json(found)
    elif not found:
        print("nothing is known yet: resources are looked at once an hour")
    else:
        screen.show_table(_HEADERS, (row(msgspec.convert(each, Outlook), _change(each)) for each in found))
    return 0


def _is_wanted(outlook: Mapping[str, Any], resource: str, soon: float | None) -> bool:
    if resource and outlook["subject"]["resource"] != resource:
        return False
    full_at = outlook["forecast"]["full_at"]
    return soon is None or (full_at is not None and full_at - time.time() <= soon)


def _change(outlook: Mapping[str, Any]) -> str:
    return str(outlook["plan"]["change"]) if outlook["plan"] else ""


def row(outlook: Outlook, change: str) -> Sequence[str]:
    """Return the cells of one outlook."""
    found = outlook.forecast
    return (
        outlook.subject.resource,
        outlook.subject.name,
        *(amount(value, outlook.unit) for value in (found.used, found.limit, found.per_day)),
        _full(found.full_at),
        between(found.earliest, found.latest),
        f"{found.fit:.0%}" if found.fit is not None else "",
        change,
        remark(outlook),
    )


def _full(at: float | None) -> str:
    return f"{day(at)} ({max(0, round((at - time.time()) / DAY))} d)" if at is not None else ""
