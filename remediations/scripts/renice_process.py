"""Make processes nicer than they are. Standard library only: `python3 -I -S`. They are found as kill_process.py does.

Exit status: 0 all are nicer now, 1 none was found or one could not be changed, 2 refused.
"""

# ruff: noqa: PTH120 - pathlib costs more to load than all the rest

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100 - isolated mode leaves it out

from kill_process import Target, work_on  # type: ignore[import-not-found]

IONICE = "/usr/bin/ionice"
CLASSES = {"best-effort": ("-c", "2", "-n", "7"), "idle": ("-c", "3")}
SECONDS = 5.0


def main(arguments: Sequence[str]) -> int:
    """Change what the arguments name, and print what became of it."""
    options = parse(arguments)
    status: int = work_on(options, lambda targets: max(change(target, options) for target in targets))
    return status


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make a process nicer.", allow_abbrev=False)
    parser.add_argument("--pidfile")
    parser.add_argument("--command")
    parser.add_argument("--every", action="store_true")
    parser.add_argument("--nice", type=int, required=True)
    parser.add_argument("--io", choices=tuple(CLASSES), default="")
    options = parser.parse_args(arguments)
    if not (options.pidfile or options.command):
        parser.error("--pidfile or --command must be given")
    return options


def change(target: Target, options: argparse.Namespace) -> int:
    try:
        nice = max(options.nice, os.getpriority(os.PRIO_PROCESS, target.pid))
        os.setpriority(os.PRIO_PROCESS, target.pid, nice)
        if options.io:
            subprocess.run((IONICE, *CLASSES[options.io], "-p", str(target.pid)), check=True, timeout=SECONDS)
        signal.pidfd_send_signal(target.descriptor, 0)  # it is still the one that was meant
    except (OSError, subprocess.SubprocessError) as error:
        print(f"unchanged: {target.pid} {target.seen.name!a}: {error}")
        return 1
    print(f"niceness {nice}: {target.pid} {target.seen.name!a}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
