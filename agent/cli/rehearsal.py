"""`paramedic remediation plan`: what a remediation would run now, by whom, and what each guard says."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from agent.cli import connection, screen
from agent.cli.failure import CommandFailedError


def run(args: argparse.Namespace) -> int:
    """Ask the daemon, whose counters and switches the guards read. Nothing is started."""
    labels = dict(_pair(text) for text in args.label)
    client = connection.client(args)
    answer = client.post("remediations", args.name, "rehearse", labels=labels, value=args.value, origin=args.origin)
    if args.json:
        screen.show_json(answer)
    else:
        _show(answer)
    return 0


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise CommandFailedError(f"--label {text!r}: write NAME=VALUE")
    return name, value


def _show(answer: Mapping[str, Any]) -> None:
    now = "" if answer["mode"] == answer["effective_mode"] else f", now {answer['effective_mode']}"
    taker = answer["taken_by"]
    screen.show_pairs(
        {
            "remediation": f"{answer['remediation']}, mode {answer['mode']}{now}",
            "alert": screen.labels(answer["labels"].items()),
            "service": answer["service"],
            "taken by": ""
            if taker == answer["remediation"]
            else f"{taker or 'no remediation'}: these labels are not its own",
            "now": " ".join(filter(None, (answer["decision"], answer["guard"], answer["detail"]))),
        }
    )
    for number, step in enumerate(answer["steps"], 1):
        _show_step(f"step {number}", step)
    if answer["compensation"]:
        _show_step("if it makes things worse", answer["compensation"])
    print("\nnothing was started")


def _show_step(title: str, step: Mapping[str, Any]) -> None:
    run = step["run"] or {}
    print()
    screen.show_pairs(
        {
            title: step["action"],
            "argv": screen.words(step["argv"] or ()),
            "error": step["error"],
            "on": step["resource"],
            "by": run.get("by"),
            "as": run.get("user"),
            "in": run.get("sandbox"),
            "with": _bounds(run),
            "first": screen.words(step["precondition"]),
            "keeps": "; ".join(screen.words(each) for each in step["diagnostics"]),
        }
    )
    screen.show_table(["GUARD", "SAYS", "THEN", "AGAIN AT"], _guards(step["guards"]))


def _bounds(run: Mapping[str, Any]) -> str:
    """Return what else there is to say of a run, as name and value."""
    said = {name: value for name, value in run.items() if name not in {"by", "user", "sandbox"} and value != []}
    return ", ".join(f"{name.replace('_', ' ')} {screen.text(value)}" for name, value in said.items())


def _guards(guards: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    return [
        [each["guard"], each["reason"] or "go on", each["then"] or "", screen.moment(each["retry_at"])]
        for each in guards
    ]
