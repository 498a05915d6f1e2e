"""`paramedic service`: the catalogue, and how each service stands."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent.cli import connection, screen
from agent.cli.failure import CommandFailedError
from agent.config import durations

_HEADERS = ("SERVICE", "NOW", "OPEN", "CRITICALITY", "OWNER", "NEEDS", "GOAL", "AVAILABLE", "BUDGET USED", "AUTOMATION")


def run(args: argparse.Namespace) -> int:
    found = [each for each in connection.client(args).get("services") if args.name in ("", each["name"])]
    if not found:
        raise CommandFailedError(f"there is no service {args.name!r}: `paramedic service` lists them")
    if args.json:
        screen.show_json(found)
    elif args.name:
        screen.show_pairs(_pairs(found[0]))
    else:
        screen.show_table(_HEADERS, map(_row, found))
    return 0


def _row(service: Mapping[str, Any]) -> Sequence[str]:
    goal = service["objective"]
    percentages = (f"{goal['goal']:.3%}", f"{goal['availability']:.3%}", f"{goal['budget_used']:.0%}") if goal else ()
    return (
        service["name"],
        _state(service),
        _open(service["incidents"]),
        service["criticality"],
        service["owner"] or service["team"],
        " ".join(service["depends_on"]),
        *(percentages or ("", "", "")),
        service["automation"],
    )


def _state(service: Mapping[str, Any]) -> str:
    return "down" if service["down"] else "up"


def _open(incidents: Sequence[Mapping[str, Any]]) -> str:
    return f"{len(incidents)} ({incidents[0]['priority']})" if incidents else ""


def _pairs(service: Mapping[str, Any]) -> Mapping[str, str]:
    goal = service["objective"]
    return {
        "service": service["name"],
        "now": _state(service),
        "owner": service["owner"],
        "team": service["team"],
        "criticality": service["criticality"],
        "hours": f"{service['calendar']} (now {'in' if service['in_hours'] else 'outside of'} them)",
        "needs": " ".join(service["depends_on"]),
        "needed by": " ".join(service["needed_by"]),
        "automation": f"up to {service['automation']}",
        "promises": "; ".join(_promises(service["targets"])),
        **(_goal(goal) if goal else {}),
        "incidents": "; ".join(_told(each) for each in service["incidents"]),
    }


def _promises(targets: Mapping[str, Mapping[str, float | None]]) -> Iterator[str]:
    for priority, target in sorted(targets.items()):
        words = (f"{kind} within {durations.render(seconds)}" for kind, seconds in target.items() if seconds)
        yield f"{priority} {', '.join(words)}"


def _goal(goal: Mapping[str, Any]) -> Mapping[str, str]:
    agreed, window = goal["agreement"], durations.render(goal["window"])
    by = f"{agreed['by']} {agreed['on']}".strip() or "nobody"
    return {
        "goal": f"{goal['goal']:.3%} available within {window}",
        "agreed by": by + (f", to be reviewed by {agreed['review_by']}" if agreed["review_by"] else ""),
        "available": f"{goal['availability']:.3%}",
        "error budget": f"{goal['budget_used']:.1%} of {durations.render(goal['budget'])} used",
    }


def _told(incident: Mapping[str, Any]) -> str:
    quiet = f", quiet: {incident['quiet_because']}" if incident["quiet_because"] else ""
    return f"{incident['id']} {incident['priority']} {incident['alertname']} ({incident['state']}{quiet})"
