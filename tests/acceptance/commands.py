"""The program's own commands, given as people give them."""

import json
import subprocess
from typing import Any

from tests.acceptance.daemon import PARAMEDIC, Daemon


def paramedic(*words: object) -> subprocess.CompletedProcess[str]:
    argv = (*PARAMEDIC, *map(str, words))
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


def command(daemon: Daemon, *words: object) -> subprocess.CompletedProcess[str]:
    """Give a command with the daemon's configuration."""
    return paramedic(*words, "--config", daemon.config)


def told(daemon: Daemon, *words: object) -> Any:
    """Return what a command that succeeds says as JSON."""
    done = command(daemon, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
