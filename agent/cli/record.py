"""`paramedic record`: what the daemon takes in, written to a file for `paramedic simulate`."""

import argparse
import os
import signal
from pathlib import Path
from typing import TextIO

from agent.app.signals import Signals
from agent.cli import connection, screen
from agent.cli.client import Client, ControlError
from agent.cli.failure import CommandFailedError

_LOOK_SECONDS = 1.0
_MIB = 1024 * 1024


def run(args: argparse.Namespace) -> int:
    """Fetch until it is over, large enough, or interrupted: then what there is stays."""
    client = connection.client(args)
    with _new(args.out) as file:
        recording = _begun(client, args)
        try:
            written = _fetch(client, recording, file, args.max_mib * _MIB)
        except ControlError as error:
            raise CommandFailedError(f"{args.out} is incomplete: {error}") from error
    if args.json:
        screen.show_json({"file": str(args.out), "bytes": written})
    else:
        screen.line(f"{args.out}: {written / _MIB:.1f} MiB; try it: paramedic simulate --from {args.out}")
    return 0


def _begun(client: Client, args: argparse.Namespace) -> str:
    """Return the id of a recording that has begun; if that is refused nothing is left behind. Raise ControlError."""
    try:
        return str(client.post("recordings", seconds=args.duration)["recording"])
    except ControlError:
        args.out.unlink()
        raise


def _new(path: Path) -> TextIO:
    """Open a file that was not there, for nobody else to read: alerts are in it."""
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w")
    except FileExistsError as error:
        raise CommandFailedError(f"{path} exists: name a new file") from error
    except OSError as error:
        raise CommandFailedError(f"{path} cannot be written: {error.strerror}") from error


def _fetch(client: Client, recording: str, file: TextIO, most: int) -> int:
    """Write the recording; return how many characters. Raise ControlError."""
    written, stop, over = 0, False, False
    with Signals(signal.SIGINT, signal.SIGTERM) as signals:
        while not over:
            answer = client.post("recordings", recording, stop=stop or written >= most)
            over = answer["over"]
            written += file.write(answer["text"])
            if not (over or stop):
                stop = bool(signals.wait(_LOOK_SECONDS))
    return written
