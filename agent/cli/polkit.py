"""`paramedic polkit`: the rules that let the daemon restart the listed units."""

import argparse
import os
import sys

from agent.app import polkit, units
from agent.app.planning import listed_units
from agent.cli import screen
from agent.cli.failure import CommandFailedError
from agent.config import paths
from agent.config.load import load


def run(args: argparse.Namespace) -> int:
    """Print the rules; return 1 if a listed unit had to be left out."""
    config = load(paths.config_path(args.config, os.environ), os.environ)
    listed = listed_units(config)
    try:
        installed = units.installed(listed)
    except units.UnitsError as error:
        raise CommandFailedError(str(error)) from error
    sys.stdout.write(polkit.rules(installed.values(), args.user))
    missing = sorted(listed - installed.keys())
    for unit in missing:
        screen.say(f"paramedic: {unit} is left out: it has no unit file on this host")
    return 1 if missing else 0
