"""`paramedic run`."""

import argparse
import gc
import os

from agent.app import daemon
from agent.cli.failure import CommandFailedError
from agent.config import paths, rulefiles
from agent.config.problems import ConfigError
from agent.store.database import StoreError
from agent.web.listening import ListenError
from rules.rulefile import RuleError

_YOUNG_OBJECTS = 50_000
"""Samples come by the thousand and live on: looking for cycles among them at every few hundred costs a third more."""


def run(args: argparse.Namespace) -> int:
    """Run the daemon until it is told to stop."""
    gc.set_threshold(_YOUNG_OBJECTS, 20, 100)
    try:
        return daemon.main(paths.config_path(args.config, os.environ))
    except RuleError as error:
        raise ConfigError(rulefiles.problem(each) for each in error.problems) from error
    except (StoreError, ListenError, OSError) as error:
        raise CommandFailedError(str(error)) from error
