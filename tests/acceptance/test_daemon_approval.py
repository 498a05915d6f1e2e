"""A person's word on a plan that waits: by command, by the broker, on the ticket; and words that do not count."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.acceptance.commands import command
from tests.acceptance.daemon import Daemon, prepared_daemon, repair, rule, rule_file
from tests.services import rt as rt_service
from tests.services.mosquitto import running_mosquitto
from tests.services.mqtt import send
from tests.services.service import Server, eventually

RULES = rule_file(rule("Broken", "test_broken == 1"))
ME = "root"
KEY = "a key of ann's"


def tables(folder: Path, **more: Any) -> dict[str, Any]:
    """A daemon that may touch a file once somebody says so."""
    remediation = repair("Broken", ["/usr/bin/touch", str(folder / "done")], mode="approve", origins=["textfile"])
    return {"remediations": [remediation]} | more


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with a plan that waits for root on this host, who runs the tests."""
    with prepared_daemon(tables(tmp_path, approvals={"approvers": [f"cli:{ME}"]}), RULES) as daemon:
        daemon.tell(it=True)
        daemon.start()
        daemon.await_state("Broken", "awaiting_approval")
        yield daemon


def wait_for_plan(daemon: Daemon) -> dict[str, Any]:
    return daemon.await_state("Broken", "awaiting_approval")


def test_a_command_of_a_listed_person_lets_it_run_even_after_a_restart(waiting: Daemon, tmp_path: Path):
    incident = wait_for_plan(waiting)
    assert not (tmp_path / "done").exists()
    waiting.kill()
    waiting.start()

    answer = command(waiting, "incident", "approve", incident["id"], "--comment", "after the backup")

    assert answer.returncode == 0, answer.stderr
    assert f"{tmp_path}/done" in answer.stderr, "what is approved is shown"
    after = waiting.await_incident("Broken", lambda each: each["attempts"] and each["attempts"][0]["outcome"])
    assert (tmp_path / "done").exists()
    approval = after["attempts"][0]["approval"]
    assert (approval["by"], approval["via"], approval["comment"]) == (ME, "cli", "after the backup")
    given = next(row for row in after["timeline"] if row["actor"] == ME)
    assert given["detail"].startswith(f"approved by cli:{ME}: after the backup")


def test_a_word_for_another_plan_does_not_count_and_goes_on_record(waiting: Daemon, tmp_path: Path):
    incident = wait_for_plan(waiting)

    other = command(waiting, "incident", "approve", incident["id"], "--plan", "0123456789abcdef")

    assert other.returncode == 1
    assert "it is for another plan" in other.stderr
    assert not (tmp_path / "done").exists()
    record = waiting.incident("Broken")
    assert record is not None
    assert [row["actor"] for row in record["timeline"] if row["reason"] == "approval_refused"] == [ME]


def test_a_rejection_ends_with_a_person(waiting: Daemon, tmp_path: Path):
    incident = wait_for_plan(waiting)

    assert command(waiting, "incident", "reject", incident["id"], "--comment", "no").returncode == 0

    after = waiting.await_state("Broken", "escalated")
    assert after["escalated_reason"] == f"rejected by cli:{ME}: no"
    late = command(waiting, "incident", "approve", incident["id"])
    assert late.returncode == 1
    assert "nothing waits for approval: the incident is escalated" in late.stderr
    assert not (tmp_path / "done").exists()


def signed(incident: dict[str, Any], *, key: str = KEY, actor: str = "ann") -> str:
    expires = int(time.time()) + 60
    fields = {"incident": incident["id"], "plan": incident["awaiting"]["plan"], "word": "approve", "actor": actor}
    text = "\n".join([*fields.values(), str(expires), ""])
    signature = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
    return json.dumps({**fields, "expires": expires, "signature": signature})


def test_a_signed_message_on_the_command_topic_is_a_word_and_a_forged_one_is_not(tmp_path: Path):
    (tmp_path / "key").write_text(KEY + "\n")
    approvals = {"approvers": ["mqtt:ann"], "keys": {"ann": str(tmp_path / "key")}}
    with running_mosquitto() as broker:
        mqtt = {"host": broker.host, "port": broker.port}
        with prepared_daemon(tables(tmp_path, approvals=approvals, mqtt=mqtt), RULES) as daemon:
            daemon.tell(it=True)
            daemon.start()
            incident = wait_for_plan(daemon)
            topic = "paramedic/test-host/command"
            send(broker, (topic, signed(incident, key="a guess")), (topic, "nonsense"), (topic, ""))
            send(broker, (topic, signed(incident)))

            after = daemon.await_incident("Broken", lambda each: each["attempts"] and each["attempts"][0]["outcome"])

            assert after["attempts"][0]["approval"]["via"] == "mqtt"
            (change,) = after["changes"]
            assert (change["approval"]["by"], change["approval"]["via"]) == ("ann", "mqtt")
            assert "approval_refused" not in [row["reason"] for row in after["timeline"]], "no forgery got that far"
            assert "not signed with the key" in daemon.log.read_text()


def test_a_word_that_is_said_while_the_daemon_is_away_waits_for_it(tmp_path: Path):
    (tmp_path / "key").write_text(KEY)
    approvals = {"approvers": ["mqtt:ann"], "keys": {"ann": str(tmp_path / "key")}}
    with running_mosquitto() as broker:
        mqtt = {"host": broker.host, "port": broker.port}
        with prepared_daemon(tables(tmp_path, approvals=approvals, mqtt=mqtt), RULES) as daemon:
            daemon.tell(it=True)
            daemon.start()
            incident = wait_for_plan(daemon)
            eventually(lambda: daemon.metric("paramedic_mqtt_connected") == 1, what=daemon.tail)
            daemon.kill()
            send(broker, ("paramedic/test-host/command", signed(incident)))
            daemon.start()

            after = daemon.await_incident("Broken", lambda each: each["attempts"] and each["attempts"][0]["outcome"])

            assert after["attempts"][0]["approval"]["via"] == "mqtt"


def test_a_comment_on_the_ticket_is_the_word_of_its_author(tmp_path: Path, rt: Server):
    (tmp_path / "password").write_text(rt.password)
    ticket = {"system": "rt", "url": rt.url, "user": rt.user, "password_file": str(tmp_path / "password")}
    more = {"tickets": [ticket], "approvals": {"approvers": ["rt:root"]}}
    with prepared_daemon(tables(tmp_path, **more), RULES) as daemon:
        daemon.tell(it=True)
        daemon.start()
        incident = wait_for_plan(daemon)
        linked = daemon.await_incident("Broken", lambda each: each["ticket_links"])
        number = linked["ticket_links"][0]["ticket_id"]
        requests.post(
            f"{rt.url}/REST/2.0/ticket/{number}/comment",
            json={"Content": f"approve {incident['awaiting']['plan']} go on", "ContentType": "text/plain"},
            auth=("root", rt_service.ROOT_PASSWORD),
            timeout=60,
        ).raise_for_status()

        after = daemon.await_incident(
            "Broken", lambda each: each["attempts"] and each["attempts"][0]["outcome"], seconds=60
        )

        approval = after["attempts"][0]["approval"]
        assert (approval["by"], approval["via"], approval["comment"]) == ("root", "rt", "go on")
        (change,) = after["changes"]
        assert (change["approval"]["by"], change["approval"]["via"], change["approval"]["comment"]) == (
            "root",
            "rt",
            "go on",
        )
