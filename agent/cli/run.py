"""`paramedic run`."""

import argparse
import os

from agent.app import daemon
from agent.config import paths


def run(args: argparse.Namespace) -> int:
    """Run the daemon until it is told to stop."""
    return daemon.main(paths.config_path(args.config, os.environ))
