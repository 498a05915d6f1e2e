"""Hostile labels in posted alerts, and scripts that hang, fork, flood and print what is no text."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.acceptance.daemon import Daemon, prepared_daemon, repair, rule, rule_file
from tests.services.service import eventually

RULES = rule_file(rule("Broken", "test_broken == 1"))
KIB = 1024
SCRIPTS = {
    "hang.sh": "#!/bin/sh\ntrap '' TERM\necho hanging\nwhile :; do sleep 60; done\n",
    "fork.sh": "#!/bin/sh\nfor n in 1 2 3; do (trap '' TERM; exec setsid sleep 4141) & done\nwait\n",
    "flood.sh": "#!/bin/sh\nhead -c 20000000 /dev/zero\necho; echo the end\n",
    "bytes.sh": "#!/bin/sh\nprintf 'caf\\351 \\033[31mred\\000 \\342\\200\\256 <b>\\n'\nexit 3\n",
}
OUTCOMES = {"hang": "timed_out", "fork": "timed_out", "flood": "succeeded", "bytes": "failed"}


def scripted(script: str, *arguments: str, **more: Any) -> dict[str, Any]:
    timeout = "3s" if OUTCOMES.get(script) == "timed_out" else "60s"
    step = {"action": "run_script", "script": f"{script}.sh", "arguments": list(arguments), "timeout": timeout}
    settings = {
        "match": [f'name="{script}"'],
        "origins": ["textfile"],
        "steps": [step],
        "verify": {"hold": "1s", "timeout": "2s"},
    }
    return repair(script, [], **settings) | more


@pytest.fixture(scope="module")
def scripts() -> Iterator[Daemon]:
    """A daemon whose every repair misbehaves, once each has had its turn."""
    with prepared_daemon({}, RULES) as daemon:
        for name, text in SCRIPTS.items():
            daemon.script(name, text)
        names = [*(name.removesuffix(".sh") for name in SCRIPTS), "absent"]
        guards = {"max_parallel": 4, "script_dirs": [daemon.scripts]}
        daemon.configure({"guards": guards, "remediations": [scripted(name) for name in names]}, RULES)
        daemon.tell(**dict.fromkeys(names, True))
        daemon.start()
        yield daemon


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_script_that_misbehaves_leaves_a_record_that_is_short_and_safe(scripts: Daemon, name: str):
    incident = scripts.await_state("Broken", "escalated", 60.0, name=name)
    (attempt,) = incident["attempts"]
    assert (attempt["outcome"], attempt["verified"]) == (OUTCOMES[name], False)
    (run,) = incident["runs"]
    assert len(run["output"]) < 2 * 32 * KIB * len("\\x00") + KIB
    assert all(character.isprintable() or character in "\n\t" for character in run["output"])


def test_a_script_that_is_not_there_keeps_nobody_from_watching_and_its_incident_says_so(scripts: Daemon):
    """Its file system may not be mounted yet."""
    incident = scripts.await_state("Broken", "escalated", 60.0, name="absent")
    reason = f"script: absent.sh is in none of the script directories ({scripts.scripts})"
    assert (incident["attempts"], incident["escalated_reason"]) == ([], f"target: {reason}")
    assert scripts.log.read_text().count(reason.partition(" (")[0]) >= 1
    assert scripts.log.read_text().count("a step of a remediation will be refused") == 1


def test_what_a_script_printed_is_there_first_and_last(scripts: Daemon):
    flood = scripts.await_state("Broken", "escalated", 60.0, name="flood")["runs"][0]["output"]
    assert flood.endswith("the end\n")
    odd = scripts.await_state("Broken", "escalated", 60.0, name="bytes")["runs"][0]
    assert odd["exit_code"] == 3
    assert odd["output"].startswith("caf\\xe9 ")
    assert odd["output"].endswith(" <b>\n")


def test_nothing_that_a_script_started_lives_on_after_its_time_out(scripts: Daemon):
    for name in ("hang", "fork"):
        scripts.await_state("Broken", "escalated", 60.0, name=name)
    eventually(lambda: not running("sleep\0004141\0"), 60.0, lambda: running("sleep\0004141\0"))
    assert not running(str(scripts.scripts))


def running(words: str) -> list[str]:
    """Command lines of processes that have these words."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_text(errors="replace")
        except OSError:
            continue
        if words in line and int(folder.name) != os.getpid():
            found.append(line)
    return found


def test_the_daemon_stays_small_and_serves_on(scripts: Daemon):
    scripts.await_state("Broken", "escalated", 60.0, name="flood")
    assert scripts.process is not None
    status = (Path("/proc") / str(scripts.process.pid) / "status").read_text()
    peak = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
    assert peak < 150 * KIB
    assert scripts.page()


WITNESS = '#!/bin/sh\necho "$1" >> "$(dirname "$0")/witness"\n'


@pytest.fixture(scope="module")
def open_door() -> Iterator[Daemon]:
    """A daemon that takes anybody's alerts and passes one of their labels to a script."""
    with prepared_daemon({}, RULES) as daemon:
        daemon.script("witness.sh", WITNESS)
        passing = scripted("witness", "{{ $labels.target }}", match=['alertname="Posted"'], origins=["http"])
        closed = scripted("witness", "local", match=['alertname="Local"'], name="closed")
        tables = {
            "web": {"listen": f"127.0.0.1:{daemon.port}", "open_ingest": True},
            "remediations": [passing, closed],
        }
        daemon.configure(tables, RULES)
        daemon.start()
        yield daemon


def post(daemon: Daemon, alertname: str, **labels: str) -> requests.Response:
    document = [{"labels": {"alertname": alertname, "severity": "critical"} | labels}]
    return requests.post(f"{daemon.url}/api/v2/alerts", json=document, timeout=60)


def witnessed(daemon: Daemon) -> Sequence[str]:
    witness = daemon.scripts / "witness"
    return witness.read_text().splitlines() if witness.exists() else []


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("option", "-rf"),
        ("newline", "web\nmail"),
        ("nul", "web\0mail"),
        ("long", "x" * 16_000),
    ],
)
def test_a_hostile_label_reaches_no_action_and_the_refusal_says_why(open_door: Daemon, case: str, text: str):
    assert post(open_door, "Posted", case=case, target=text).status_code == 200
    incident = open_door.await_state("Posted", "escalated", case=case)
    assert incident["attempts"] == []
    assert incident["refusals"][0].startswith("target: ")
    assert all(text.isprintable() for text in incident["refusals"])
    assert len(incident["refusals"][0]) < KIB
    assert text.splitlines()[0] not in witnessed(open_door)


@pytest.mark.parametrize("start", ["9999-12-31T23:59:59-12:00", "0001-12-31T23:59:59-12:00", "9999-12-31T23:59:59.9Z"])
def test_a_time_at_the_edge_of_the_calendar_is_told_of_like_any_other(open_door: Daemon, start: str):
    labels = {"alertname": "Odd", "severity": "critical", "start": start}
    posted = [{"labels": labels, "startsAt": start, "endsAt": "9999-12-31T23:59:59-12:00"}]
    answer = requests.post(f"{open_door.url}/api/v2/alerts", json=posted, timeout=60)
    assert answer.status_code == 200
    assert open_door.await_state("Odd", "escalated", start=start)["tickets"] == ["book"]
    shown = requests.get(f"{open_door.url}/api/v2/alerts", params={"filter": "alertname=Odd"}, timeout=60)
    assert start in {alert["labels"]["start"] for alert in shown.json()}


def test_a_label_with_shell_metacharacters_is_one_word_or_nothing(open_door: Daemon):
    text = "web; touch $(pwd)/hacked `id` | cat > /tmp/x & \"'"
    assert post(open_door, "Posted", case="shell", target=text).status_code == 200
    ends = {"escalated", "verifying"}
    incident = open_door.await_incident("Posted", lambda each: each["state"] in ends, case="shell")
    assert {attempt["argv"][1:] == [text] for attempt in incident["attempts"]} <= {True}
    assert set(witnessed(open_door)) <= {text, "mail.example.org"}
    assert not list(open_door.directory.rglob("hacked"))


@pytest.mark.parametrize(("size", "status"), [(1_000_000, 400), (2_000_000, 413)])
def test_a_label_of_a_megabyte_is_refused_at_the_door(open_door: Daemon, size: int, status: int):
    answer = post(open_door, "Posted", case="megabyte", target="x" * size)
    assert answer.status_code == status
    assert len(answer.text) < KIB
    assert open_door.incident("Posted", case="megabyte") is None


def test_a_posted_alert_starts_what_names_its_origin_and_nothing_else(open_door: Daemon):
    assert post(open_door, "Posted", case="good", target="mail.example.org").status_code == 200
    eventually(lambda: "mail.example.org" in witnessed(open_door), what=open_door.tail)
    assert post(open_door, "Local", case="foreign").status_code == 200
    refused = open_door.await_state("Local", "escalated", case="foreign")
    assert "origin" in refused["refusals"][0]
    assert refused["attempts"] == []
    assert "local" not in witnessed(open_door)
