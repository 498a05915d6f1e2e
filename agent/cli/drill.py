"""`paramedic drill`: break something on purpose, and see that it is noticed, repaired, proven and ticketed."""

import argparse
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agent.app.phases import PHASES, Progress
from agent.cli import scratch_daemon, screen
from agent.cli.client import Client, over_http, over_socket
from agent.cli.failure import CommandFailedError

_LOOK_SECONDS = 0.02
_TERMINATED = 143


def run(args: argparse.Namespace) -> int:
    """Hold a drill; return 0 only if every phase was seen."""
    # Without a handler the process would end at once and leave daemon, service and folder behind.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(_TERMINATED))
    with ExitStack() as stack:
        look = _against(args) if args.against else _own(stack)
        progress = follow(look, args.timeout, _teller() if sys.stderr.isatty() else lambda _phase, _seconds: None)
    screen.show_json(document(progress)) if args.json else _show(progress)
    return 0 if progress.complete else 1


def _own(stack: ExitStack) -> Callable[[], Progress]:
    """Hold the drill in a daemon of our own."""
    if sys.stderr.isatty():
        screen.say("starting a daemon and a scratch service of its own …")
    daemon = stack.enter_context(scratch_daemon.running())
    daemon.kill()
    return daemon.progress


def _against(args: argparse.Namespace) -> Callable[[], Progress]:
    """Hold the drill in the daemon at this address."""
    client = _client(args)
    started = client.post("drill")
    return lambda: told(started, client.get("drill", str(started["drill"])))


def _client(args: argparse.Namespace) -> Client:
    if "://" not in args.against:
        return over_socket([Path(args.against)])
    try:
        token = args.token_file.read_text().strip() if args.token_file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailedError(f"{args.token_file} cannot be read: {error}") from error
    return over_http(args.against, token)


def told(started: dict[str, Any], answer: dict[str, Any]) -> Progress:
    """Return the progress that a daemon tells about its own drill."""
    at = {phase["name"]: phase["at"] for phase in answer["phases"] if phase["name"] in PHASES}
    failed = answer["failed"] or ("the daemon ended the drill" if answer["finished"] and len(at) < len(PHASES) else "")
    return Progress(drill=str(started["drill"]), killed_at=started["killed_at"], at=at, failed=failed)


def follow(look: Callable[[], Progress], timeout_seconds: float, tell: Callable[[str, float], None]) -> Progress:
    """Look again and again until the drill is over or time is up; tell each phase once, when it is seen."""
    deadline = time.monotonic() + timeout_seconds
    known: set[str] = set()
    while True:
        progress = look()
        for phase in PHASES:
            seconds = progress.since_kill(phase)
            if seconds is not None and phase not in known:
                tell(phase, seconds)
                known.add(phase)
        if progress.complete or progress.failed:
            return progress
        if time.monotonic() > deadline:
            return progress.ended(f"not over after {timeout_seconds:g} s")
        time.sleep(_LOOK_SECONDS)


def _teller() -> Callable[[str, float], None]:
    screen.say("the scratch service has been killed")
    return lambda phase, seconds: screen.say(f"{seconds:8.3f} s  {phase}")


def document(progress: Progress) -> dict[str, object]:
    """Return the result as JSON shows it."""
    return {
        "drill": progress.drill,
        "ok": progress.complete,
        "failed": progress.failed or None,
        "killed_at": progress.killed_at,
        "phases": [
            {"name": phase, "at": progress.at.get(phase), "seconds": progress.since_kill(phase)} for phase in PHASES
        ],
    }


def _show(progress: Progress) -> None:
    seconds = {phase: progress.since_kill(phase) for phase in PHASES}
    rows = [(phase, "not seen" if after is None else f"{after:.3f} s") for phase, after in seconds.items()]
    screen.show_table(["PHASE", "AFTER THE KILL"], rows)
    print()
    screen.line(f"drill {progress.drill or '(no incident)'}: {progress.failed or 'every phase was seen'}")
