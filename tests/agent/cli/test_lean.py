"""The daemon carries nothing that it does not use: its memory is counted."""

import re
import signal
import subprocess
import sys
import urllib.request

from prometheus_client import disable_created_metrics, generate_latest

from agent.telemetry.metrics import REGISTRY
from agent.web.exposition import own_lines

UNUSED = {"click", "wsgiref", "urllib.request", "http.server", "requests"}
LOADED = """
import atexit, sys
atexit.register(lambda: print("loaded", *sorted(sys.modules), flush=True))
sys.argv = ["paramedic", "run", "--config", sys.argv[1]]
from agent.cli.main import entry
entry()
"""


def test_a_daemon_that_was_asked_for_its_metrics_has_loaded_no_command_line_and_no_web_client(tmp_path):
    config = tmp_path / "paramedic.toml"
    config.write_text(f'[state]\ndirectory = "{tmp_path}/state"\n[web]\nlisten = "127.0.0.1:0"\n')
    argv = [sys.executable, "-c", LOADED, config]
    daemon = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        address = next(found[1] for line in daemon.stderr if (found := re.search(r"metrics=(http\S+)", line)))
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - the daemon's
            assert b"paramedic_build_info" in answer.read()
    finally:
        daemon.send_signal(signal.SIGTERM)
        loaded, _ = daemon.communicate(timeout=60)
    modules = set(loaded.split()[1:])
    assert "uvicorn.server" in modules
    assert modules & UNUSED == set()


def test_our_own_metrics_are_written_as_the_library_writes_them():
    disable_created_metrics()
    assert "".join(own_lines()) == generate_latest(REGISTRY).decode()
