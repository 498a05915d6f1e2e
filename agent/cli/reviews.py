"""`paramedic review …`: what has to be looked at now and then, and what was decided."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from agent.cli import connection, screen


def run(args: argparse.Namespace) -> int:
    client = connection.client(args)
    if args.command == "due":
        answer = client.get("reviews", "due")
    elif args.command == "list":
        answer = client.get("reviews")
    else:
        actions = [{"what": each, "owner": args.owner, "due": args.due} for each in args.action]
        answer = client.post("reviews", decisions=args.decision, actions=actions, report=args.report)
    if args.json:
        screen.show_json(answer)
    elif args.command == "due":
        _show_due(answer)
    else:
        for review in answer if args.command == "list" else [answer]:
            _show(review)
    return 0


def _show_due(points: Sequence[Mapping[str, Any]]) -> None:
    if not points:
        print("nothing to look at")
        return
    rows = [[each["kind"], each["about"], each["says"], each["suggestion"]] for each in points]
    screen.show_table(["KIND", "ABOUT", "WHAT", "SUGGESTION"], rows)


def _show(review: Mapping[str, Any]) -> None:
    screen.show_pairs(
        {"review": review["id"], "at": screen.moment(review["at"]), "by": review["by"], "of": review["report"]}
    )
    for each in review["decisions"]:
        screen.line(f"  decided: {each}")
    for action in review["actions"]:
        screen.line(f"  to do: {_action(action)}")
    print()


def _action(action: str | Mapping[str, Any]) -> str:
    if isinstance(action, str):
        return action
    return f"{action['suggestion']} ({action['owner'] or 'nobody'}, {action['due']}, {action['state']}) {action['id']}"
