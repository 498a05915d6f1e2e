"""Alertmanager's own description of its API, held against what we serve, by schemathesis."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.acceptance.daemon import rule_file, running_daemon
from tests.services.service import clean_environment, eventually, need, need_from_pypi

TOKEN = "open-sesame-operator"
EXAMPLES = "1000" if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else "8"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
DEFINITION = b'{\n  "consumes": ['
SILENCE = {
    "matchers": [{"name": "alertname", "value": "Quiet", "isRegex": False}],
    "startsAt": "2020-01-01T00:00:00Z",
    "endsAt": "2099-01-01T00:00:00Z",
    "createdBy": "ann",
    "comment": "deploy",
    "recurrence": {"times": ["00:00-24:00"]},
}


def definition():
    """The OpenAPI definition that the installed Alertmanager carries within itself."""
    program = Path(need("prometheus-alertmanager", "prometheus-alertmanager")).read_bytes()
    start = program.index(DEFINITION)
    found, _ = json.JSONDecoder().raw_decode(program[start : start + 200_000].decode(errors="replace"))
    # It says 500 where its successors say what we say: a filter is bad, a silence is unknown.
    found["paths"]["/silences"]["get"]["responses"]["400"] = {"description": "", "schema": {"type": "string"}}
    found["paths"]["/silence/{silenceID}"]["delete"]["responses"]["404"] = {"description": ""}
    return found


@pytest.fixture
def daemon(tmp_path):
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    with running_daemon({}, rule_file()) as started:
        started.configure(
            {"web": {"listen": f"127.0.0.1:{started.port}", "token_file": tmp_path / "token"}}, rule_file()
        )
        started.stop()
        started.start()
        yield started


def test_whatever_is_asked_the_answer_is_as_alertmanager_defines_it(daemon, tmp_path, capsys):
    schemathesis = need_from_pypi("schemathesis", "schemathesis")
    (tmp_path / "definition.json").write_text(json.dumps(definition()))
    bearer = {"authorization": f"Bearer {TOKEN}"}
    posted = [{"labels": {"alertname": name, "severity": "critical"}} for name in ("Quiet", "Loud")]
    for path, body in (("silences", SILENCE), ("alerts", posted)):
        requests.post(f"{daemon.url}/api/v2/{path}", json=body, headers=bearer, timeout=60).raise_for_status()
    eventually(lambda: len(requests.get(f"{daemon.url}/api/v2/alerts", timeout=60).json()) == len(posted))

    argv = (
        *(schemathesis, "run", "definition.json", "--url", f"{daemon.url}/api/v2", "--no-color"),
        *("--header", f"Authorization: Bearer {TOKEN}", "--checks", CHECKS, "--max-examples", EXAMPLES),
    )
    done = subprocess.run(
        argv,
        cwd=tmp_path,
        env=clean_environment({"HOME": str(tmp_path)}),
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-6000:]
    cases = re.search(r"(\d+) generated", done.stdout)
    with capsys.disabled():  # `make fuzz` counts them
        sys.stdout.write(f"\n{cases[1]} requests made by schemathesis\n")
    assert int(cases[1]) > 100, done.stdout[-2000:]
