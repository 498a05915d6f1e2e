"""Ask systemd to restart the host, and wait for that to end us. Standard library only: `python3 -I -S`.

Exit status: what systemctl says if it refuses. There is no other end: a run on a host that does not restart is ended at
its time-out, and whether the host restarted the next boot tells.
"""

import argparse
import signal
import subprocess
import sys
from collections.abc import Sequence

ANSWER_SECONDS = 20.0


def main(arguments: Sequence[str]) -> int:
    """Return why the host is not restarted; do not return if it is going to be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--despite-inhibitors", action="store_true")
    check = "no" if parser.parse_args(arguments).despite_inhibitors else "yes"
    argv = ["systemctl", "--no-ask-password", f"--check-inhibitors={check}", "reboot"]
    try:
        done = subprocess.run(argv, check=False, timeout=ANSWER_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"systemd cannot be asked: {error}")
        return 1
    if done.returncode:
        return done.returncode
    print("asked for a restart, waiting for it", flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
