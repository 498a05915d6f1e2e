"""Finds the daemon that a command is meant for."""

import argparse
import os
from dataclasses import replace
from pathlib import Path

from agent.cli.client import Client, over_socket
from agent.config import environment, paths
from agent.config.load import read
from agent.config.options import Config, StateOptions
from agent.config.problems import ConfigError
from agent.config.structure import structure


def client(args: argparse.Namespace) -> Client:
    """Return a client of the daemon that --socket, --config or the usual places point to. Raise ControlError."""
    if args.socket:
        return over_socket([args.socket])
    private = args.config is not None
    return over_socket(paths.control_sockets(_config(args.config), os.environ, private=private))


def _config(given: Path | None) -> Config:
    """Return what says where the daemon is, and no more: a mistake elsewhere must not lock anybody out."""
    path = paths.config_path(given, os.environ)
    try:
        tables = read(path) if path else {}
    except ConfigError:
        if given:
            raise
        tables = {}
    overriding, _ = environment.overrides(os.environ)
    table = (tables.get("state") or {}) | overriding.get("state", {})
    state, _ = structure(StateOptions, table, "state", path.parent.absolute() if path else Path.cwd())
    return replace(Config(), state=state or StateOptions())
