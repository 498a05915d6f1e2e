"""`paramedic drill`: break something on purpose, and see that it is noticed, repaired, proven and ticketed."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any

from agent.app.drills import scoring
from agent.app.drills.scenarios import SCENARIOS
from agent.cli import connection, scratch_daemon, screen
from agent.cli.client import Client, ControlError, over_http, over_socket
from agent.cli.failure import CommandFailedError

Result = Mapping[str, Any]
_LOOK_SECONDS = 0.02
_TERMINATED = 143


def run(args: argparse.Namespace) -> int:
    """Hold one drill, or one of each; return 0 only if all were passed, and EX_TEMPFAIL if it is not the time."""
    if args.scenario in _SHOWING:
        return _SHOWING[args.scenario](args)
    # Without a handler the process would end at once and leave daemon, service and folder behind.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(_TERMINATED))
    names = list(SCENARIOS) if args.scenario == "all" else [args.scenario]
    with ExitStack() as stack:
        client, where = _target(args, stack)
        try:
            results = [_hold(client, name, args, where) for name in names]
        except ControlError as error:
            if error.status != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            screen.say(f"paramedic: {error}")
            return os.EX_TEMPFAIL
    if args.json:
        screen.show_json(results if args.scenario == "all" else results[0])
    else:
        for result in results:
            _show(result)
    if args.report:
        screen.keep(args.report, "\n".join(map(scoring.markdown, results)))
    return 0 if all(result["ok"] for result in results) else 1


def _target(args: argparse.Namespace, stack: ExitStack) -> tuple[Client, str]:
    """Return a daemon to hold the drill in, and how other commands find it."""
    if args.against:
        return _client(args), f"--socket {args.against}" if "://" not in args.against else ""
    if sys.stderr.isatty():
        screen.say("starting a daemon of its own …")
    client, folder = stack.enter_context(scratch_daemon.running())
    return client, f"--socket {folder / scratch_daemon.SOCKET}"


def _client(args: argparse.Namespace) -> Client:
    if "://" not in args.against:
        return over_socket([Path(args.against)])
    try:
        token = args.token_file.read_text().strip() if args.token_file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailedError(f"{args.token_file} cannot be read: {error}") from error
    return over_http(args.against, token)


def _hold(client: Client, scenario: str, args: argparse.Namespace, where: str) -> Result:
    people = args.people or 0.0
    started = client.post("drill", scenario=scenario, people_seconds=people)
    watching = sys.stderr.isatty() or people

    def tell(phase: str, seconds: float, result: Result) -> None:
        screen.say(f"{seconds:8.3f} s  {phase}")
        if people and phase == "opened":
            screen.say(f"          now take it:  paramedic incident ack {result['incidents'][0]} {where}")

    if watching:
        screen.say(f"{scenario}: the fault is there")
    return follow(
        lambda: client.get("drill", str(started["drill"])),
        args.timeout + people,
        tell if watching else lambda *_: None,
    )


def follow(look: Callable[[], Result], timeout_seconds: float, tell: Callable[[str, float, Result], None]) -> Result:
    """Look again and again until the drill is over or time is up; tell each phase once, when it is seen."""
    deadline = time.monotonic() + timeout_seconds
    known: set[str] = set()
    while True:
        result = look()
        for row in result["phases"]:
            if row["at"] is not None and row["name"] not in known:
                tell(row["name"], row["seconds"], result)
                known.add(row["name"])
        if result["finished"]:
            return result
        if time.monotonic() > deadline:
            return {**result, "ok": False, "points": 0, "failed": f"not over after {timeout_seconds:g} s"}
        time.sleep(_LOOK_SECONDS)


def _show(result: Result) -> None:
    rows = [
        (row["name"], "not seen" if row["seconds"] is None else f"{row['seconds']:.3f} s", took, target, verdict)
        for row, (_, _, took, target, verdict) in zip(result["phases"], scoring.table(result), strict=True)
    ]
    screen.show_table(["PHASE", "AFTER THE FAULT", "TOOK", "TARGET", ""], rows)
    print()
    verdict = "passed" if result["ok"] else f"failed: {result['failed'] or 'not in time'}"
    by = f", acknowledged by {result['acknowledged_by']}" if result["acknowledged_by"] else ""
    points = f"{result['points']} of {scoring.FULL} points"
    screen.line(f"drill {result['drill']} ({result['scenario']}): {verdict}, {points}{by}")


def _list(args: argparse.Namespace) -> int:
    drills = _kept(args)
    if args.json:
        screen.show_json(drills)
        return 0
    rows = [
        (each["drill"], screen.moment(each["killed_at"]), each["scenario"], _verdict(each), each["points"], _who(each))
        for each in drills
    ]
    screen.show_table(["DRILL", "HELD", "SCENARIO", "RESULT", "POINTS", "ACKNOWLEDGED BY"], rows)
    return 0


def _operators(args: argparse.Namespace) -> int:
    """Show who is certified: whoever has acknowledged a drill that was passed."""
    found = scoring.certified(_kept(args))
    if args.json:
        screen.show_json({name: [each["drill"] for each in drills] for name, drills in found.items()})
        return 0
    rows = [
        (name, ", ".join(sorted({each["scenario"] for each in drills})), screen.moment(drills[0]["killed_at"]))
        for name, drills in found.items()
    ]
    screen.show_table(["OPERATOR", "PASSED", "LAST"], rows)
    return 0


def _kept(args: argparse.Namespace) -> list[Result]:
    """Return the drills on the daemon's record, newest first."""
    client = _client(args) if args.against else connection.client(args)
    kept: list[Result] = client.get("drill")
    return kept


def _verdict(result: Result) -> str:
    return "passed" if result["ok"] else "failed"


def _who(result: Result) -> str:
    took = next((row["took"] for row in result["phases"] if row["name"] == "acknowledged"), None)
    return f"{result['acknowledged_by']} after {took:.0f} s" if result["acknowledged_by"] and took is not None else ""


_SHOWING = {"list": _list, "operators": _operators}
