"""`paramedic install` and `paramedic uninstall`: the account, folders, service, root helper and its policy."""

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from agent.app.units import UnitsError
from agent.cli import screen
from agent.cli.failure import CommandFailedError
from agent.config import paths
from agent.config.load import load
from agent.install import putting
from agent.install.layout import layout
from agent.install.putting import InstallError, Step


def run(args: argparse.Namespace) -> int:
    """Bring the host to its layout; return 1 if something of the configuration cannot be allowed."""
    _needs_root(args)
    config = load(paths.config_path(args.config, os.environ), os.environ)
    try:
        wanted = layout(config, args.root, helper=not args.without_helper)
    except UnitsError as error:
        raise CommandFailedError(str(error)) from error
    _carry_out(putting.installing(wanted, args.root, start=not args.no_start), args)
    for problem in wanted.problems:
        screen.say(f"paramedic: not allowed: {problem}")
    return 1 if wanted.problems else 0


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
