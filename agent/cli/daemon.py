"""`paramedic status`, `stop-actions`, `resume-actions`, `maintenance` and `reload`: the daemon as a whole."""

import argparse
from collections.abc import Mapping
from typing import Any

from agent.cli import connection, screen


def run(args: argparse.Namespace) -> int:
    client = connection.client(args)
    if args.command == "status":
        answer = client.get("status")
    elif args.command == "stop-actions":
        answer = client.post("stop", reason=args.reason)
    elif args.command == "maintenance":
        answer = client.post("maintenance", reason=args.reason or "", seconds=0.0 if args.end else args.duration)
    else:
        answer = client.post({"resume-actions": "resume", "reload": "reload"}[args.command])
    if args.json:
        screen.show_json(answer)
    else:
        _show_status(answer) if args.command == "status" else screen.line(_summary(args.command, answer))
    return 0


def _summary(command: str, answer: Mapping[str, Any]) -> str:
    if command == "stop-actions":
        return f"automatic actions are stopped: {answer.get('stopped', '')}"
    if command == "resume-actions":
        return "automatic actions are allowed"
    if command == "maintenance":
        said = answer.get("maintenance", "")
        return f"{said}, until {screen.moment(answer['until'])}" if said else "no maintenance"
    changed, restart = answer.get("changed", []), answer.get("restart_required", [])
    text = f"changed: {screen.text(changed) or 'nothing'}"
    text += f"; takes effect after a restart only: {screen.text(restart)}" if restart else ""
    return "\n".join([text, *(f"will be refused: {each}" for each in answer.get("not_ready", []))])


def _show_status(answer: Mapping[str, Any]) -> None:
    plain = {name: value for name, value in answer.items() if not _is_table(value)}
    if "started_at" in plain:
        plain["started_at"] = f"{screen.moment(plain['started_at'])} ({screen.age(plain['started_at'])} ago)"
    screen.show_pairs({name.replace("_", " "): screen.text(value) for name, value in plain.items()})
    for name, rows in answer.items():
        if _is_table(rows):
            print(f"\n{name.replace('_', ' ')}:")
            screen.show_table(list(rows[0]), [[_cell(*pair) for pair in row.items()] for row in rows])


def _cell(column: str, value: Any) -> str:  # noqa: ANN401 - JSON
    is_time = column == "since" or column.endswith("_at")
    return screen.moment(value) if is_time and isinstance(value, float) else screen.text(value)


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)
