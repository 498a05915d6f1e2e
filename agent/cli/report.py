"""`paramedic report …`: key figures of a week, a month or any period, from the record, and what was published."""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any

from agent.cli import connection, screen
from agent.cli.client import Client
from agent.cli.failure import CommandFailedError
from agent.incidents.windows import parse_zone


def run(args: argparse.Namespace) -> int:
    if bool(args.id) != (args.what == "show"):
        raise CommandFailedError("`report show`, and nothing else, takes the ID of a report: `report list` has them")
    client = connection.client(args)
    if args.what == "list":
        _show_list(args, client.get("reports"))
    elif args.what == "show":
        return _show(args, client)
    elif args.what == "controls":
        start, end = _span(args)
        form = "csv" if args.form == "csv" and not args.json else "json"
        _write(args, client.get("controls", **{"from": repr(start), "to": repr(end), "form": form})["text"])
    elif args.publish or args.send:
        _publish(args, client)
    else:
        start, end = _span(args)
        _write(
            args,
            client.get("report", **{"from": repr(start), "to": repr(end), "form": _form(args), "zone": args.zone})[
                "text"
            ],
        )
    return 0


def _show(args: argparse.Namespace, client: Client) -> int:
    """Write out a published report; return 1 if it does not come out as it was published."""
    answer = client.get("reports", args.id, form=_form(args))
    if not answer["same"]:
        screen.say("this is not what was published: another version computes it differently")
    _write(args, answer["text"])
    return 0 if answer["same"] else 1


def _publish(args: argparse.Namespace, client: Client) -> None:
    start, end = _span(args)
    answer = client.post(
        "reports",
        id=_name(start, end, args.zone),
        name="by-hand",
        start=start,
        end=end,
        zone=args.zone,
        channels=args.send,
    )
    screen.line(answer["report"])
    if not answer["new"]:
        screen.say("it was published before, and is not sent again")


def _name(start: float, end: float, zone: str) -> str:
    """Return e.g. 2026-11-09-to-2026-11-16; another period, or the days of another zone, have another name."""
    first, last = (datetime.fromtimestamp(at, _zone(zone)) for at in (start, end))
    whole = all(each.time() == time() for each in (first, last))
    form = "%Y-%m-%d" if whole else "%Y-%m-%dT%H%M%S"
    where = "" if zone == "UTC" else "-" + re.sub(r"[^A-Za-z0-9._-]", "-", zone)
    return f"{first.strftime(form)}-to-{last.strftime(form)}{where}"


def _form(args: argparse.Namespace) -> str:
    return "json" if args.json else str(args.form)


def _write(args: argparse.Namespace, text: str) -> None:
    if args.out is None:
        sys.stdout.write(text)
    else:
        screen.keep(Path(args.out), text)


def _span(args: argparse.Namespace) -> tuple[float, float]:
    zone = _zone(args.zone)
    now = datetime.now(zone)
    start, end = period(args.what, now)
    until = end if args.start is None else now.timestamp()
    return _instant(args.start, zone, start), _instant(args.end, zone, until)


def _instant(written: datetime | None, zone: tzinfo, otherwise: float) -> float:
    if written is None:
        return otherwise
    return (written if written.tzinfo is not None else written.replace(tzinfo=zone)).timestamp()


def _zone(name: str) -> tzinfo:
    try:
        return parse_zone(name)
    except ValueError as error:
        raise CommandFailedError(f"--zone {error}") from error


def period(name: str, now: datetime) -> tuple[float, float]:
    """Return the last whole week (from Monday) or month before `now`, in wall seconds."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if name in ("monthly", "controls"):
        end = midnight.replace(day=1)
        return (end - timedelta(days=1)).replace(day=1).timestamp(), end.timestamp()
    end = midnight - timedelta(days=midnight.weekday())
    return (end - timedelta(days=7)).timestamp(), end.timestamp()


def _show_list(args: argparse.Namespace, found: Sequence[Mapping[str, Any]]) -> None:
    if args.json:
        screen.show_json(found)
        return
    if not found:
        print("no published reports")
        return
    rows = [
        [
            each["id"],
            screen.moment(each["start"]),
            screen.moment(each["end"]),
            screen.moment(each["made_at"]),
            each["made_by"],
        ]
        for each in found
    ]
    screen.show_table(["ID", "FROM", "TO", "MADE", "BY"], rows)
