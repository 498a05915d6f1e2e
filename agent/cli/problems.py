"""`paramedic problem …`: faults that come back, and what is known about them."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from agent.cli import changes, connection, screen

FOUND = ("owner", "cause", "workaround", "permanent_fix")


def run(args: argparse.Namespace) -> int:
    client = connection.client(args)
    if args.command == "list":
        answer = client.get("problems", state="all" if args.all else "")
    elif args.command == "show":
        answer = client.get("problems", args.id)
    elif args.command == "explain":
        found = {name: getattr(args, name) for name in FOUND if getattr(args, name) is not None}
        answer = client.post("problems", args.id, "explain", **found)
    elif args.command == "request-change":
        answer = client.post("problems", args.id, "change", subject=args.subject, **changes.proposal(args))
    else:
        answer = client.post("problems", args.id, "close", reason=args.reason)
    if args.json:
        screen.show_json(answer)
    elif args.command == "list":
        _show_list(answer)
    elif args.command == "request-change":
        changes.show(answer)
    else:
        _show(answer)
    return 0


def _show_list(problems: Sequence[Mapping[str, Any]]) -> None:
    if not problems:
        print("no problems")
        return
    rows = [
        [
            each["id"],
            each["state"] + (" (masked by automation)" if each["masked"] else ""),
            each["service"],
            screen.age(each["opened_at"]),
            each["alertname"],
            each["why"],
        ]
        for each in problems
    ]
    screen.show_table(["ID", "STATE", "SERVICE", "AGE", "ALERT", "WHY"], rows)


def _show(problem: Mapping[str, Any]) -> None:
    screen.show_pairs(
        {
            "problem": problem["id"],
            "state": problem["state"],
            "service": problem["service"],
            "alert": problem["alertname"],
            "symptom": problem["symptom"],
            "why": problem["why"],
            "masked": "automation mends it again and again" if problem["masked"] else "",
            "opened": screen.moment(problem["opened_at"]),
            "owner": problem["owner"],
            "cause": problem["cause"],
            "workaround": problem["workaround"],
            "permanent fix": problem["permanent_fix"],
            "incidents": " ".join(problem["incidents"]),
            "changes": " ".join(f"{each['id']} ({each['state']})" for each in problem.get("changes") or ()),
            "closed": screen.moment(problem["closed_at"]),
            "closed because": problem["closed_why"],
        }
    )
