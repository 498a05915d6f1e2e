"""From file and environment to `Config`, or to everything that is wrong with them."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.config.assemble import assemble
from agent.config.options import Config
from agent.config.problems import ConfigError, Problem
from agent.config.registries import Registries, shipped


def load(path: Path | None, environ: Mapping[str, str], registries: Registries | None = None) -> Config:
    """Return the configuration of a file (None: all defaults) and the environment. Raise ConfigError with all problems.

    Relative paths in the file are taken from the file's directory.
    """
    tables = read(path) if path else {}
    return assemble(tables, environ, path.parent.absolute() if path else Path.cwd(), registries or shipped())


def read(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file. Raise ConfigError saying what cannot be read, and where."""
    try:
        content = path.read_bytes()
        return tomllib.loads(content.decode())
    except OSError as error:
        raise ConfigError([Problem(str(path), f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(str(path), f"line {line} is not UTF-8: save the file as UTF-8")]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([Problem(str(path), f"is not TOML: {error}")]) from error
