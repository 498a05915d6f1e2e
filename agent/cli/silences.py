"""`paramedic silence …`: be quiet about some alerts for a while, through the same API as amtool."""

import argparse
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from agent.cli import connection, screen
from agent.cli.client import ControlError
from rules import matchers
from rules.matchers import Matcher, MatcherError, Operator


def run(args: argparse.Namespace) -> int:
    client = connection.client(args)
    if args.command == "list":
        found = client.alertmanager("GET", "silences", filter=args.matchers)
        _tell(args, [each for each in found if args.all or each["status"]["state"] != "expired"], _show)
    elif args.command == "add":
        made = client.alertmanager("POST", "silences", body=_silence(args, time.time()))
        _tell(args, made, lambda _: screen.line(made["silenceID"]))
    else:
        for silence_id in args.ids:
            client.alertmanager("DELETE", "silence", silence_id)
        _tell(args, {"expired": args.ids}, lambda _: screen.line(f"ended: {', '.join(args.ids)}"))
    return 0


def _tell(args: argparse.Namespace, answer: Any, show: Callable[[Any], None]) -> None:  # noqa: ANN401 - JSON
    screen.show_json(answer) if args.json else show(answer)


def _silence(args: argparse.Namespace, now: float) -> Mapping[str, Any]:
    start = args.start or now
    hours = {"days": args.days, "times": args.times, "dates": args.dates}
    recurring = {"recurrence": {**hours, "zone": args.zone}} if any(hours.values()) else {}
    return {
        "matchers": [_matcher(text) for text in args.matchers],
        "startsAt": _instant(start),
        "endsAt": _instant(args.until or start + args.duration),
        "createdBy": args.author,
        "comment": args.comment,
        **recurring,
    }


def _matcher(text: str) -> Mapping[str, Any]:
    try:
        matcher: Matcher = matchers.parse(text)
    except MatcherError as error:
        raise ControlError(str(error)) from error
    return {
        "name": matcher.name,
        "value": matcher.value,
        "isRegex": matcher.operator in (Operator.MATCHES, Operator.NOT_MATCHES),
        "isEqual": matcher.operator in (Operator.EQUAL, Operator.MATCHES),
    }


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _show(silences: list[Mapping[str, Any]]) -> None:
    if not silences:
        print("no silences")
        return
    rows = [
        [
            each["id"],
            each["status"]["state"],
            screen.moment(datetime.fromisoformat(each["endsAt"]).timestamp()),
            each["createdBy"],
            " ".join(_shown(matcher) for matcher in each["matchers"]),
            _hours(each.get("recurrence")),
            each["comment"],
        ]
        for each in silences
    ]
    screen.show_table(["ID", "STATE", "ENDS", "BY", "MATCHERS", "HOURS", "COMMENT"], rows)


def _shown(matcher: Mapping[str, Any]) -> str:
    sign = ("=" if matcher["isEqual"] else "!") + ("~" if matcher["isRegex"] else "" if matcher["isEqual"] else "=")
    return f'{matcher["name"]}{sign}"{matcher["value"]}"'


def _hours(recurrence: Mapping[str, Any] | None) -> str:
    if recurrence is None:
        return ""
    return " ".join([*recurrence["days"], *recurrence["times"], *recurrence["dates"], recurrence["zone"]])
