"""The root helper as it is, on folders of its own: only what starts its runs is smaller than systemd.

`python -m tests.crash.local_helper FOLDER` answers lines of its input; with the path of a socket it listens there.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from remediations.exec_helper.answers import Answers
from remediations.exec_helper.records import ARGV, OUTPUT, Records
from remediations.exec_helper.server import Server
from remediations.exec_helper.trust import Trust

TREE = Path(__file__).parents[2]
LONG_SECONDS = 3600.0
OURS = f"{sys.executable} -c 'import sys; from remediations.exec_helper.main import main; sys.exit(main(sys.argv[1:]))'"


class Detached:
    """Starts a run so that it outlives us, as a unit of systemd does; its verdict comes last."""

    def start(self, run_id, _policy, _timeout_seconds, records):
        script = (
            f"{OURS} run {run_id} < {records.path(run_id, ARGV)} >> {records.path(run_id, OUTPUT)};"
            f" SERVICE_RESULT=success EXIT_CODE=exited EXIT_STATUS=$? {OURS} verdict {records.path(run_id)}"
        )
        subprocess.Popen(("/bin/sh", "-c", script), cwd=TREE, start_new_session=True)

    def lives(self, run_id):
        commands = Path("/proc").glob("[0-9]*/cmdline")
        return any(run_id.encode() in read(command) for command in commands if command.parent.name != str(os.getpid()))


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def main(top, *path):
    records = Records(f"{top}/runs", "this boot")
    trust = Trust(owner=os.geteuid(), top=top)
    answers = Answers(records, Detached(), trust=trust, folder=f"{top}/actions.d", stop_file=f"{top}/stop")
    if path:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(*path)
        listener.listen(16)
        Server(listener, os.geteuid(), answers.answer).serve(LONG_SECONDS)
        return
    os.getppid()  # what is traced of us begins here
    for line in sys.stdin.buffer:
        sys.stdout.write(json.dumps(answers.answer(line)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
