"""`paramedic install` and `paramedic uninstall`: the account, folders, service, root helper and its policy."""

import argparse
import os
import time
from collections.abc import Iterable
from pathlib import Path

from agent.app.units import UnitsError
from agent.cli import connection, screen
from agent.cli.client import ControlError
from agent.cli.failure import CommandFailedError
from agent.config import paths
from agent.config.load import load
from agent.install import putting
from agent.install.layout import layout, ours, service_files
from agent.install.putting import InstallError, Step

_LOOK_SECONDS = 0.2


def run(args: argparse.Namespace) -> int:
    """Install or uninstall; return 1 if something of the configuration cannot be allowed."""
    _needs_root(args)
    return _uninstall(args) if args.command == "uninstall" else _install(args)


def _install(args: argparse.Namespace) -> int:
    config = load(paths.config_path(args.config, os.environ), os.environ)
    try:
        wanted = layout(config, args.root, helper=not args.without_helper)
    except UnitsError as error:
        raise CommandFailedError(str(error)) from error
    _carry_out(putting.installing(wanted, args.root, start=not args.no_start), args)
    for problem in wanted.problems:
        screen.say(f"paramedic: not allowed: {problem}")
    return 1 if wanted.problems else 0


def _uninstall(args: argparse.Namespace) -> int:
    """Take leave of everybody, then remove what gives privilege, then the service; the record stays unless purged."""
    if not args.silent and args.root == Path("/"):
        _take_leave(args)
    purged = putting.STATE if args.purge else ()
    _carry_out(putting.removing([*ours(args.root), *service_files(), *purged], args.root), args)
    if not args.purge:
        screen.say(f"paramedic: the record stays in {putting.STATE[0]}; uninstall --purge --silent removes it")
    return 0


def _take_leave(args: argparse.Namespace) -> None:
    """Have the daemon end its alerts, take its topics away and comment its tickets; wait until that is done."""
    told = "end alerts, take retained topics away, comment open tickets"
    if args.dry_run:
        screen.line(f"would {told}")
        return
    try:
        client = connection.client(args)
        answer = client.post("farewell")
        screen.line(f"{told}: " + ", ".join(f"{count} {what}" for what, count in answer.items()))
        deadline = time.monotonic() + args.timeout
        while (owed := client.get("status")["owed"]) and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
    except ControlError as error:
        raise CommandFailedError(f"nobody can be told that paramedic goes: {error}; or use --silent") from error
    if owed:
        raise CommandFailedError(
            f"{owed} messages could not be delivered; mend that, or use --silent to leave all the same"
        )


def _carry_out(steps: Iterable[Step], args: argparse.Namespace) -> None:
    for step in steps:
        screen.line(f"would {step.says}" if args.dry_run else step.says)
        if args.dry_run:
            continue
        try:
            putting.carry_out(step, args.root)
        except InstallError as error:
            raise CommandFailedError(str(error)) from error


def _needs_root(args: argparse.Namespace) -> None:
    if os.geteuid() and not args.dry_run and args.root == Path("/"):
        raise CommandFailedError("only root can change the host: use sudo, or --dry-run to see what would be done")
