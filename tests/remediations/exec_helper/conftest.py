"""The helper as it is, on folders of its own; only what starts its runs is smaller than systemd."""

import json
import os
import secrets
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from remediations.exec_helper.answers import Answers
from remediations.exec_helper.records import ARGV, OUTPUT, Records
from remediations.exec_helper.trust import Trust
from remediations.exec_helper.units import StartError

TREE = Path(__file__).parents[3]
BOOT = "this boot"


class LocalStarter:
    """Starts a run's own two programs as systemd would, one after the other, with nothing around them."""

    def __init__(self):
        self.started = []
        self.living = set()
        self.refuses = ""
        self.threads = []

    def start(self, run_id, policy, timeout_seconds, records):
        if self.refuses:
            raise StartError(self.refuses)
        self.started.append((run_id, policy.name, timeout_seconds))
        thread = threading.Thread(target=self._run, args=(run_id, timeout_seconds, records))
        self.living.add(run_id)
        self.threads.append(thread)
        thread.start()

    def _run(self, run_id, timeout_seconds, records):
        argv_file, output_file = Path(records.path(run_id, ARGV)), Path(records.path(run_id, OUTPUT))
        with argv_file.open("rb") as argv, output_file.open("ab") as output:
            process = subprocess.Popen(program("run", run_id), stdin=argv, stdout=output, cwd=TREE)
        result = "success"
        try:
            status = process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            result = "timeout"
            process.terminate()
            process.kill()
            status = process.wait()
        code = "exited" if status >= 0 else "killed"
        told = {"SERVICE_RESULT": result, "EXIT_CODE": code, "EXIT_STATUS": str(abs(status))}
        subprocess.run(program("verdict", records.path(run_id)), env={**os.environ, **told}, cwd=TREE, check=True)
        self.living.discard(run_id)

    def lives(self, run_id):
        return run_id in self.living

    def join(self):
        for thread in self.threads:
            thread.join(60)


def program(*words):
    code = "import sys; from remediations.exec_helper.main import main; sys.exit(main(sys.argv[1:]))"
    return (sys.executable, "-c", code, *words)


class Bench:
    """A helper with its policy folder, its stop file and its records."""

    def __init__(self, top):
        self.top = top
        self.folder = top / "actions.d"
        self.folder.mkdir(mode=0o755)
        self.starter = LocalStarter()
        self.trust = Trust(owner=os.geteuid(), top=str(top))
        self.restart()

    def restart(self, boot_id=BOOT, ended=None):
        """Begin a new life: only what is on disk is known."""
        self.records = Records(str(self.top / "runs"), boot_id, ended)
        self.answers = Answers(
            self.records,
            self.starter,
            trust=self.trust,
            folder=str(self.folder),
            stop_file=str(self.top / "stop"),
        )

    def program(self, name="tool", text='#!/bin/sh\nexec "$@"\n', mode=0o755):
        path = self.top / name
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def allow(self, text, name="a.toml", mode=0o644):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def ask(self, op, run_id, **more):
        return self.answers.answer(json.dumps({"op": op, "run": run_id, **more}).encode())

    def run(self, *argv, run_id=None, timeout=60):
        return self.ask("run", run_id or new_id(), argv=list(argv), timeout=timeout)

    def finish(self, run_id):
        self.starter.join()
        return self.ask("status", run_id)


def new_id():
    return secrets.token_hex(16)


@pytest.fixture
def bench(tmp_path):
    tmp_path.chmod(0o755)
    bench = Bench(tmp_path)
    yield bench
    bench.starter.join()


@pytest.fixture
def echo(bench):
    """Return a bench on which any plain word may be echoed."""
    bench.path = bench.program(text='#!/bin/sh\necho "$@"\n')
    bench.allow(f"argv = [{bench.path!r}, '{{word}}']\n[words]\nword = '[a-z]+'\n")
    return bench
