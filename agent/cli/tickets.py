"""`paramedic ticket …`: the embedded ticket book."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from agent.cli import connection, screen


def run(args: argparse.Namespace) -> int:
    client = connection.client(args)
    if args.command == "list":
        answer: Any = client.get("tickets", closed="true" if args.all else "", limit=str(args.limit))
    else:
        answer = client.get("tickets", args.id)
    if args.json:
        screen.show_json(answer)
    elif args.command == "list":
        _show_list(answer, "no tickets" if args.all else "no open tickets")
    else:
        _show(answer)
    return 0


def _show_list(tickets: Sequence[Mapping[str, Any]], nothing: str) -> None:
    if not tickets:
        print(f"{nothing} in the book")
        return
    rows = [
        [each["id"], each["state"], screen.age(each["opened_at"]), each["service"], each["title"]] for each in tickets
    ]
    screen.show_table(["ID", "STATE", "AGE", "SERVICE", "TITLE"], rows)


def _show(ticket: Mapping[str, Any]) -> None:
    screen.show_pairs(
        {
            "ticket": ticket["id"],
            "title": ticket["title"],
            "state": ticket["state"],
            "incident": ticket["correlation"].rpartition(":")[2],
            "opened": screen.moment(ticket["opened_at"]),
            "changed": screen.moment(ticket["changed_at"]),
        }
    )
    _show_text(ticket["body"])
    for comment in ticket["comments"]:
        screen.line("")
        screen.line(f"-- {screen.moment(comment['made_at'])}")
        _show_text(comment["comment"])


def _show_text(text: str) -> None:
    screen.line("")
    for line in text.splitlines():
        screen.line(line)
