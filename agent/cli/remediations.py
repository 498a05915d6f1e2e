"""`paramedic remediation …`: what remediations have earned by their results, and how far they are trusted."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from agent.cli import connection, screen
from agent.cli.failure import CommandFailedError


def run(args: argparse.Namespace) -> int:
    client = connection.client(args)
    if args.command == "promote":
        meant = {"to": args.to} if args.to else {}
        found = client.post("remediations", args.name, "promote", reason=args.reason, **meant)
    else:
        found = client.get("remediations")
    if args.command == "show":
        found = _named(found, args.name)
    if args.json:
        screen.show_json(found)
    elif args.command == "show":
        _show_one(found)
    else:
        _show(found if args.command == "list" else [found])
    return 0


def _named(remediations: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    found = next((each for each in remediations if each["name"] == name), None)
    if found is None:
        known = ", ".join(each["name"] for each in remediations) or "none"
        raise CommandFailedError(f"there is no remediation {name!r}; known: {known}")
    return found


def _show_one(remediation: Mapping[str, Any]) -> None:
    proposals = remediation["proposals"]
    screen.show_pairs(
        {
            "remediation": remediation["name"],
            "steps": ", ".join(remediation["steps"]),
            "mode by configuration": remediation["mode"],
            "mode now": _effective(remediation),
            "may be promoted to": remediation["max_mode"],
            "proposals correct": str(proposals["correct"]),
            "proposals wrong": str(proposals["wrong"]),
            "proposals unproven": str(proposals["unproven"]),
            "correct ones needed": str(proposals["needed"]),
            "next mode": proposals["next_mode"],
            "not promoted because": proposals["objection"],
            "verified attempts": _verified(remediation),
            "breaker": _breakers(remediation),
            "refusals": screen.text(remediation["refusals"]),
        }
    )


def _show(remediations: Sequence[Mapping[str, Any]]) -> None:
    if not remediations:
        print("no remediations are configured")
        return
    rows = [
        [
            each["name"],
            ", ".join(each["steps"]),
            each["mode"],
            _effective(each),
            _correct(each["proposals"]),
            _verified(each),
            _breakers(each),
            screen.text(each["refusals"]),
        ]
        for each in remediations
    ]
    screen.show_table(["NAME", "STEPS", "MODE", "EFFECTIVE", "PROPOSALS", "VERIFIED", "BREAKER", "REFUSALS"], rows)


def _effective(remediation: Mapping[str, Any]) -> str:
    mode = str(remediation["effective_mode"])
    if remediation["demoted_at"]:
        return f"{mode} (demoted)"
    return mode if mode == remediation["mode"] else f"{mode} (promoted)"


def _correct(proposals: Mapping[str, Any]) -> str:
    """Return e.g. `2 of 3 correct, 1 wrong, 4 unproven`; where there is no next mode, nothing."""
    if proposals["next_mode"] is None:
        return ""
    others = [f"{proposals[name]} {name}" for name in ("wrong", "unproven") if proposals[name]]
    return ", ".join([f"{proposals['correct']} of {proposals['needed']} correct", *others])


def _verified(remediation: Mapping[str, Any]) -> str:
    share = remediation["success"]
    return "" if share is None else f"{share:.0%} of {remediation['judged']}"


def _breakers(remediation: Mapping[str, Any]) -> str:
    """Return the state of its own breaker, and those of its actions that are not closed."""
    until = screen.moment(remediation["half_opens_at"])
    own = remediation["breaker"] + (f" until {until}" if until else "")
    others = [f"{action} {state}" for action, state in remediation["actions"].items() if state != "closed"]
    return ", ".join([own, *others])
