"""`paramedic incident …`: what is going on, and taking charge of it."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from agent.cli import connection, screen
from agent.cli.client import Client
from agent.telemetry.log import printable

_NOT_THE_SUBJECT = ("alertname", "severity", "job", "instance")


def run(args: argparse.Namespace) -> int:
    client = connection.client(args)
    if args.command == "list":
        answer = client.get("incidents", state=args.state, limit=args.limit)
    elif args.command == "show":
        answer = client.get("incidents", args.id)
    elif args.command in ("approve", "reject"):
        answer = client.post("incidents", args.id, args.command, plan=_plan(client, args), comment=args.comment)
    else:
        answer = client.post("incidents", args.id, args.command, **_fields(args))
    if args.json:
        screen.show_json(answer)
    elif args.command == "list":
        _show_list(answer)
    else:
        _show(answer if args.command == "show" else client.get("incidents", args.id))
    return 0


def _plan(client: Client, args: argparse.Namespace) -> str:
    """Return the id of the plan that is meant, having shown what it would run."""
    incident = client.get("incidents", args.id)
    awaiting, proposal = incident.get("awaiting"), incident.get("proposal")
    asked, argv = (awaiting, awaiting["argv"]) if awaiting else (proposal, incident.get("would_run"))
    if asked and argv:
        screen.say(f"plan {asked['plan']}: {screen.words(argv)}")
        if asked.get("undo"):
            screen.say(f"and if it makes things worse: {screen.words(asked['undo'])}")
    return str(args.plan or (asked or {}).get("plan", ""))


def _fields(args: argparse.Namespace) -> dict[str, object]:
    if args.command == "major":
        return {"comment": args.comment, "major": not args.withdraw}
    if args.command in ("ack", "decline"):
        return {"comment": args.comment, "until_seconds": args.until}
    return {name: getattr(args, name) for name in ("comment", "reason") if hasattr(args, name)}


def _show_list(incidents: list[Mapping[str, Any]]) -> None:
    if not incidents:
        print("no incidents")
        return
    rows = [
        [
            incident["id"],
            incident["state"] + (" (drill)" if incident.get("drill") else ""),
            ("MAJOR " if incident.get("major") else "") + incident["priority"],
            incident.get("service", ""),
            screen.age(incident["opened_at"]),
            incident["alertname"],
            incident.get("suppressed", ""),
            screen.labels(incident["labels"], _NOT_THE_SUBJECT),
        ]
        for incident in incidents
    ]
    screen.show_table(["ID", "STATE", "PRIORITY", "SERVICE", "AGE", "ALERT", "QUIET BECAUSE", "SUBJECT"], rows)


def _show(incident: Mapping[str, Any]) -> None:
    screen.show_pairs(
        {
            "incident": incident["id"],
            "alert": incident["alertname"],
            "subject": screen.labels(incident["labels"], ("alertname",)),
            "state": incident["state"],
            "priority": incident["priority"],
            "major": incident.get("major"),
            "service": incident.get("service"),
            "drill": "yes" if incident.get("drill") else "",
            "opened": f"{screen.moment(incident['opened_at'])} ({screen.age(incident['opened_at'])} ago)",
            "resolved": screen.moment(incident.get("resolved_at")),
            "resolution": incident.get("resolution"),
            "escalated": incident.get("escalated_reason"),
            "quiet because": incident.get("suppressed"),
            "storm or parent": incident.get("parent"),
            "problem": incident.get("problem"),
            "workaround": incident.get("workaround"),
            "cause": incident.get("cause"),
            "permanent fix": incident.get("permanent_fix"),
            "acknowledged by": incident.get("acknowledged_by"),
            "until": screen.moment(incident.get("acknowledged_until")),
            "won't fix until": _declined(incident),
            "were told": ", ".join(incident.get("notified") or ()),
            **_paged(incident.get("page"), incident.get("page_at")),
            "would run": screen.words(incident.get("would_run") or ()),
            **_awaited(incident.get("awaiting")),
            **_proposed(incident),
            "looked at again": screen.moment(incident.get("wake_at")),
        }
        | {f"  {name}": text for name, text in incident.get("annotations") or ()}
    )
    for title, key, columns in _SECTIONS:
        _show_rows(title, columns, incident.get(key) or ())
    _show_runs(incident.get("runs") or ())
    for refusal in incident.get("refusals") or ():
        print(f"refused by {screen.cut(refusal)}")


def _declined(incident: Mapping[str, Any]) -> str:
    if incident.get("resolution") != "wont_fix":
        return ""
    return screen.moment(incident["declined_until"]) if incident["alert_state"] == "resolved" else "its alert has ended"


def _paged(page: Mapping[str, Any] | None, at: float | None) -> dict[str, object]:
    if not page or page["since"] is None:
        return {}
    return {"escalation": f"{page['chain']}, level {page['level']}", "next level": screen.moment(at)}


def _awaited(awaiting: Mapping[str, Any] | None) -> dict[str, object]:
    if not awaiting:
        return {}
    return {
        "waits for": ", ".join(awaiting["approvers"]) or "nobody: there are no [approvals] approvers",
        "waits until": screen.moment(awaiting["until"]),
        "plan": awaiting["plan"],
        "if worse": screen.words(awaiting.get("undo") or ()),
    }


def _proposed(incident: Mapping[str, Any]) -> dict[str, object]:
    """Show what nobody waits for: who may let it run all the same, and what it came to."""
    made = incident.get("proposal")
    if not made or incident.get("awaiting"):
        return {}
    open_one = incident.get("would_run") and not made["proof"]
    return {
        "may let it run": ", ".join(made["approvers"]) if open_one else "",
        "plan": made["plan"] if open_one else "",
        "if worse": screen.words(made.get("undo") or ()) if open_one else "",
        "its proposal was": made["proof"] or "",
    }


def _cell(column: str, value: Any) -> str:  # noqa: ANN401 - JSON
    if column in ("at", "since") or column.endswith("_at"):
        return screen.moment(value)
    if column == "argv":
        return screen.words(value or ())
    if column in ("before", "after") and value:
        shown = "nothing" if value["value"] is None else screen.text(value["value"])
        return f"{shown} at {screen.moment(value['at'])}"
    if column == "approval" and value:
        return f"{value['via']}:{value['by']} at {screen.moment(value['at'])}"
    return screen.text(value)


def _show_runs(runs: Iterable[Mapping[str, Any]]) -> None:
    """Show what was captured before each run, and what it printed."""
    for run in runs:
        name = f"{screen.cut(run['action'])} at {screen.moment(run['started_at'])}"
        _show_text(f"before {name}", run.get("diagnostics") or "")
        _show_text(f"output of {name}", run.get("output") or "")


def _show_text(title: str, text: str) -> None:
    lines = text.splitlines()
    if len(lines) > 2 * _HALF_LINES:
        left_out = f"… {len(lines) - 2 * _HALF_LINES} more lines with --json"
        lines = [*lines[:_HALF_LINES], left_out, *lines[-_HALF_LINES:]]
    if lines:
        print(f"\n{title}:")
    for line in lines:
        print(f"  {printable(line)}")


_HALF_LINES = 20
"""How much of a longer text is shown from its beginning, and from its end."""
_SECTIONS = (
    ("promises", "clocks", ("kind", "target", "calendar", "spent", "since", "warned_at", "breached_at", "met")),
    ("attempts", "attempts", ("started_at", "remediation", "action", "resource", "outcome", "verdict", "detail")),
    ("evidence", "attempts", ("argv", "approval", "before", "after")),
    ("changes", "changes", ("id", "type", "state", "approval", "result", "fallback")),
    ("tickets", "ticket_links", ("system", "ticket_id", "state", "url")),
    ("timeline", "timeline", ("at", "state", "reason", "guard", "actor", "detail")),
)


def _show_rows(title: str, columns: tuple[str, ...], rows: Any) -> None:  # noqa: ANN401 - JSON
    if not rows:
        return
    print(f"\n{title}:")
    shown = [[_cell(column, row.get(column)) for column in columns] for row in rows]
    screen.show_table([column.removesuffix("_at").replace("_", " ") for column in columns], shown)
