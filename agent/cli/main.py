"""The `paramedic` command."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence

from agent.cli import lean
from agent.cli.failure import CommandFailedError
from agent.cli.parser import parser
from agent.config.problems import ConfigError
from agent.telemetry.log import printable

_INTERRUPTED = 130


def entry() -> None:
    """Run the command that the arguments name, and exit with its code."""
    lean.without_extras()
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run a command; return 0 if all is fine, 1 if something is wrong. Wrong usage raises SystemExit(2)."""
    args = parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = importlib.import_module(args.module).run
    try:
        code = run(args)
        sys.stdout.flush()
    except ConfigError as error:
        for problem in error.problems:
            _complain(str(problem))
        return 1
    except CommandFailedError as error:
        _complain(str(error))
        return 1
    except BrokenPipeError:
        # The reader (head, less) has gone; without this the interpreter complains about it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return code


def _complain(text: str) -> None:
    print(f"paramedic: {printable(text)}", file=sys.stderr)


if __name__ == "__main__":
    entry()
