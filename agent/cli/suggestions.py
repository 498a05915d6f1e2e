"""`paramedic suggestion …`: what reports and reviews want done."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from agent.cli import connection, screen


def run(args: argparse.Namespace) -> int:
    client = connection.client(args)
    if args.command == "list":
        answer = client.get("suggestions", state="all" if args.all else "")
    elif args.command == "assign":
        answer = client.post("suggestions", args.id, "assign", owner=args.owner, due=args.due)
    else:
        answer = client.post("suggestions", args.id, "close", reason=args.reason, accepted_seconds=args.accept)
    if args.json:
        screen.show_json(answer)
    elif args.command == "list":
        _show_list(answer)
    else:
        screen.show_pairs({name: value for name, value in answer.items() if not name.endswith(("_at", "_until"))})
    return 0


def _show_list(found: Sequence[Mapping[str, Any]]) -> None:
    if not found:
        print("no suggestions")
        return
    rows = [
        [
            each["id"],
            each["state"],
            each["due"],
            each["owner"] or "nobody",
            each["about"],
            each["says"],
            each["suggestion"],
        ]
        for each in sorted(found, key=lambda each: (each["state"] == "closed", each["due"], each["id"]))
    ]
    screen.show_table(["ID", "STATE", "DUE", "OWNER", "ABOUT", "WHAT", "SUGGESTION"], rows)
