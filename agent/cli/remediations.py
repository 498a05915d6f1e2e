"""`paramedic remediation …`: what remediations have earned by their verified results."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from agent.cli import connection, screen


def run(args: argparse.Namespace) -> int:
    client = connection.client(args)
    if args.command == "list":
        found = client.get("remediations")
    else:
        found = client.post("remediations", args.name, "promote", reason=args.reason)
    if args.json:
        screen.show_json(found)
    else:
        _show(found if args.command == "list" else [found])
    return 0


def _show(remediations: Sequence[Mapping[str, Any]]) -> None:
    if not remediations:
        print("no remediations are configured")
        return
    rows = [
        [
            each["name"],
            ", ".join(each["steps"]),
            each["mode"],
            each["effective_mode"] + (" (demoted)" if each["demoted_at"] else ""),
            "" if each["success"] is None else f"{each['success']:.0%} of {each['judged']}",
            _breakers(each),
            screen.text(each["refusals"]),
        ]
        for each in remediations
    ]
    screen.show_table(["NAME", "STEPS", "MODE", "EFFECTIVE", "VERIFIED", "BREAKER", "REFUSALS"], rows)


def _breakers(remediation: Mapping[str, Any]) -> str:
    """Return the state of its own breaker, and those of its actions that are not closed."""
    until = screen.moment(remediation["half_opens_at"])
    own = remediation["breaker"] + (f" until {until}" if until else "")
    others = [f"{action} {state}" for action, state in remediation["actions"].items() if state != "closed"]
    return ", ".join([own, *others])
