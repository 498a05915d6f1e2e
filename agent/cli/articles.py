"""`paramedic article …`: what is known about alerts."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from agent.cli import connection, screen


def run(args: argparse.Namespace) -> int:
    client = connection.client(args)
    answer: Any
    if args.command == "list":
        answer = client.get("articles")
    elif args.command == "search":
        answer = client.get("articles", query=" ".join(args.words), limit=str(args.limit))
    elif args.command == "show":
        answer = client.get("articles", args.name)
    else:
        answer = client.get("incidents", args.id, "article")
    if args.json:
        screen.show_json(answer)
    elif args.command in ("list", "search"):
        _show_list(answer)
    else:
        for line in answer["text"].splitlines():
            screen.line(line)
    return 0


def _show_list(articles: Sequence[Mapping[str, Any]]) -> None:
    if not articles:
        screen.say("no articles")
        return
    rows = [[each["name"], each["source"], each["title"], each.get("excerpt", "")] for each in articles]
    screen.show_table(["NAME", "FROM", "TITLE", "EXCERPT" if "excerpt" in articles[0] else ""], rows)
