"""`paramedic change …`: what was changed on this host, who allowed it, and what came of it."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from agent.cli import connection, screen
from agent.cli.client import Client

_WORDS = ("approve", "reject", "review")


def run(args: argparse.Namespace) -> int:
    answer = _ask(connection.client(args), args)
    if args.json:
        screen.show_json(answer)
    elif args.command == "list":
        _show_list(answer)
    elif args.command == "calendar":
        _show_calendar(answer)
    else:
        show(answer)
    return 0


def _ask(client: Client, args: argparse.Namespace) -> Any:  # noqa: ANN401 - JSON
    if args.command == "list":
        return client.get("changes", state=args.state, limit=args.limit)
    if args.command == "calendar":
        return client.get("calendar", days=args.days)
    if args.command == "show":
        return client.get("changes", args.id)
    if args.command == "propose":
        return client.post("changes", subject=args.subject, **proposal(args))
    if args.command == "close":
        return client.post("changes", args.id, "close", result=args.result, failed=args.failed)
    return client.post("changes", args.id, args.command, comment=args.comment)


def proposal(args: argparse.Namespace) -> dict[str, object]:
    """Return the fields of a proposal, of whatever command."""
    return {"reason": args.reason, "fallback": args.fallback, "starts_at": args.start, "ends_at": args.by}


def _show_list(changes: Sequence[Mapping[str, Any]]) -> None:
    if not changes:
        print("no changes")
        return
    rows = [
        [
            each["id"],
            each["type"] + (" (drill)" if each["drill"] else ""),
            each["kind"],
            each["state"] + (" (not reviewed)" if each["review"] and not each["reviewed"] else ""),
            screen.age(each["opened_at"]),
            each["subject"],
            each["result"],
            _word(each["approval"]),
        ]
        for each in changes
    ]
    screen.show_table(["ID", "TYPE", "KIND", "STATE", "AGE", "SUBJECT", "RESULT", "APPROVAL"], rows)


def _show_calendar(calendar: Mapping[str, Any]) -> None:
    rows = [
        [
            "now" if each["is_open"] else each["local_start"],
            each["local_end"],
            each["zone"],
            f"freeze {each['freeze']}",
            each["then"],
            each["covers"] or "everything",
        ]
        for each in calendar["freezes"]
    ]
    for each in calendar["changes"]:
        start, end = screen.moment(each["starts_at"]), screen.moment(each["ends_at"])
        rows.append([start, end, "", f"change {each['id']}", each["state"], each["subject"]])
    if rows:
        screen.show_table(["FROM", "TO", "ZONE", "WHAT", "THEN", "ABOUT"], rows)
    else:
        print("no freezes and no dated changes")


def _word(word: Mapping[str, Any] | None) -> str:
    return f"{word['via']}:{word['by']}" if word else ""


def _said(word: Mapping[str, Any] | None) -> str:
    if not word:
        return ""
    comment = f": {word['comment']}" if word["comment"] else ""
    return f"{_word(word)} at {screen.moment(word['at'])}{comment}"


def _ticket(link: Mapping[str, Any]) -> str:
    return f"{link['system']} {link['ticket_id']} {link['url']}".rstrip()


def show(change: Mapping[str, Any]) -> None:
    """Print one change."""
    rejected = change["state"] == "rejected" and change["result"].startswith("rejected by")
    screen.show_pairs(
        {
            "change": change["id"],
            "type": change["type"],
            "kind": change["kind"],
            "state": change["state"],
            "drill": "yes" if change["drill"] else "",
            "subject": change["subject"],
            "reason": change["reason"],
            "incident": change["incident"],
            "problem": change["problem"],
            "tickets": ", ".join(_ticket(each) for each in change.get("ticket_links", ())),
            "requested by": change["requested_by"],
            "requested": screen.moment(change["opened_at"]),
            "rejected by" if rejected else "approved by": _said(change["approval"]),
            "not before": screen.moment(change["starts_at"]),
            "not after": screen.moment(change["ends_at"]),
            "begun": screen.moment(change["started_at"]),
            "closed": screen.moment(change["closed_at"]),
            "before": change["before"],
            "after": change["after"],
            "outcome": change["outcome"],
            "result": change["result"],
            "fall-back": change["fallback"],
            "review": _said(change["reviewed"]) or ("needed" if change["review"] else ""),
        }
    )
    if change["kind"] == "action":
        print(f"  {screen.cut(screen.words(change['details']))}")
    else:
        for text in change["details"]:
            print(f"  {screen.cut(text)}")
