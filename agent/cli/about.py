"""`paramedic version` and `paramedic completion`."""

import argparse
import platform

from agent.cli import screen
from agent.cli.failure import CommandFailedError
from agent.cli.parser import parser
from agent.version import VERSION


def run(args: argparse.Namespace) -> int:
    return completion(args) if args.command == "completion" else version(args)


def version(args: argparse.Namespace) -> int:
    """Print the version."""
    if args.json:
        screen.show_json({"version": VERSION, "python": platform.python_version()})
    else:
        print(f"paramedic {VERSION} (Python {platform.python_version()})")
    return 0


def completion(args: argparse.Namespace) -> int:
    """Print a completion script."""
    try:
        import shtab  # noqa: PLC0415 - nothing else needs it
    except ImportError as error:
        raise CommandFailedError("completion needs the Python package shtab: install it beside paramedic") from error
    print(shtab.complete(parser(), args.shell))
    return 0
