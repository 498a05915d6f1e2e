"""A process that forks daemons with everything imported, so that a life costs no start-up of Python.

It reads one line for each daemon: a JSON list of the configuration's path, the log's path, and the name of a mutant (or
""). It answers with the daemon's pid. The daemon waits for SIGUSR1 before it starts, so that it can be traced from its
very first system call. Its end is seen through a pidfd; nobody has to wait for it.
"""

import importlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path

from agent.app import daemon
from tests.crash import mutants

# What a daemon imports only when it first needs it.
for needed in ("requests", "uvicorn", "starlette.applications", "agent.notify.alertmanager"):
    importlib.import_module(needed)


def live(config: str, log: str, mutant: str) -> None:
    """Be a daemon until it ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, stream in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, stream)
    signal.sigwait({signal.SIGUSR1})
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    mutants.become(mutant)
    status = 1
    try:
        status = daemon.main(Path(config))
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            live(*json.loads(line))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
