"""Topics and bodies of what is published."""

import json
from dataclasses import replace

from agent.incidents.incident import Attempt, Incident, Outcome, Resolution, State
from agent.mqtt.topics import incident_message, state_message, status_topic
from collectors.sample import Origin, labels

INCIDENT = Incident(
    id="i1",
    key="k",
    host="web1",
    alertname="Down",
    rule="r",
    rule_version="1",
    labels=labels(unit="web"),
    annotations=labels(summary="it is down"),
    severity="critical",
    priority="P2",
    origin=Origin.LOCAL,
    state=State.OPEN,
    opened_at=10.0,
    updated_at=11.0,
    revision=3,
)


def test_an_incident_is_published_under_its_host_with_its_revision():
    message = incident_message("paramedic", "web1", INCIDENT)
    assert (message.topic, message.retain) == ("paramedic/web1/incidents/i1", True)
    body = json.loads(message.body)
    assert (body["id"], body["revision"], body["state"], body["labels"]) == ("i1", 3, "open", {"unit": "web"})


def test_the_output_and_the_arguments_of_actions_stay_local():
    attempt = Attempt(
        run_id="r1",
        remediation="m",
        action="run_script",
        resource="x",
        argv=("secret-argument",),
        step=0,
        started_at=1.0,
        outcome=Outcome.FAILED,
        detail="secret output",
    )
    body = incident_message("p", "h", replace(INCIDENT, attempts=(attempt,))).body
    assert "secret" not in body
    assert json.loads(body)["last_outcome"] == "failed"


def test_a_resolved_incident_says_how_and_a_closed_one_is_taken_away():
    resolved = replace(INCIDENT, state=State.RESOLVED, resolution=Resolution.FIXED, resolved_at=20.0)
    assert json.loads(incident_message("p", "h", resolved).body)["resolution"] == "fixed"
    closed = incident_message("p", "h", replace(INCIDENT, state=State.CLOSED))
    assert (closed.body, closed.retain) == ("", True)


def test_names_cannot_change_the_shape_of_a_topic():
    message = incident_message("/site/a/", "we/b+#\0", replace(INCIDENT, id="i/1"))
    assert message.topic == "site/a/we_b___/incidents/i_1"
    assert status_topic("p", "a/b") == "p/a_b/status"


def test_the_summary_counts_what_needs_work():
    incidents = [
        INCIDENT,
        replace(INCIDENT, priority="P1", state=State.ESCALATED),
        replace(INCIDENT, state=State.RESOLVED),
    ]
    body = json.loads(state_message("p", "h", incidents, at=5.0).body)
    assert body == {
        "host": "h",
        "incidents": 2,
        "by_priority": {"P1": 1, "P2": 1},
        "by_state": {"escalated": 1, "open": 1},
        "highest_priority": "P1",
        "at": 5.0,
    }
    assert json.loads(state_message("p", "h", [], at=5.0).body)["highest_priority"] == ""


def test_a_drill_says_nothing_about_how_the_host_is():
    body = json.loads(state_message("p", "h", [replace(INCIDENT, drill=True)], at=5.0).body)
    assert (body["incidents"], body["by_priority"], body["highest_priority"]) == (0, {}, "")


def test_a_message_becomes_the_payload_of_an_outbox_row():
    payload = incident_message("p", "h", INCIDENT).payload()
    assert json.loads(json.dumps(payload)) == payload
    assert set(payload) == {"topic", "retain", "body"}
