"""Notifications and events over real sockets: taken when durable, refused with the reason."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.engine.commands import BusyError
from tests.agent.web.daemon import TOKEN, running

BEARER = f"Bearer {TOKEN}"
NOTIFICATION = {"version": "4", "status": "firing", "alerts": [{"status": "firing", "labels": {"alertname": "Down"}}]}
EVENT = {"specversion": "1.0", "id": "1", "source": "/db1", "type": "down"}
POSTS = {
    "alertmanager": (NOTIFICATION, {}),
    "grafana": (NOTIFICATION | {"version": "1", "orgId": 1}, {}),
    "cloudevents": (EVENT, {"content-type": "application/cloudevents+json"}),
}


@pytest.fixture
def daemon(tmp_path):
    with running(tmp_path) as running_daemon:
        yield running_daemon


@pytest.mark.parametrize("path", POSTS)
def test_what_is_posted_reaches_the_engine_with_its_origin(daemon, path):
    body, headers = POSTS[path]
    answer = daemon.tcp("POST", f"/api/v1/webhook/{path}", body, authorization=BEARER, **headers)
    assert answer.status == 200
    (command,) = daemon.backend.commands
    assert command.origin == "http"
    assert command.alerts[0].labels["alertname"] in {"Down", "down"}


@pytest.mark.parametrize("path", POSTS)
def test_nobody_posts_without_a_token(daemon, path):
    body, headers = POSTS[path]
    assert daemon.tcp("POST", f"/api/v1/webhook/{path}", body, **headers).status == 401
    assert daemon.backend.commands == []


@pytest.mark.parametrize("path", POSTS)
def test_a_busy_engine_is_503_so_that_the_sender_tries_again(daemon, path):
    daemon.backend.error = BusyError()
    body, headers = POSTS[path]
    assert daemon.tcp("POST", f"/api/v1/webhook/{path}", body, authorization=BEARER, **headers).status == 503


def test_an_event_in_binary_mode_is_taken(daemon):
    headers = {f"ce-{name}": value for name, value in EVENT.items()}
    answer = daemon.tcp("POST", "/api/v1/webhook/cloudevents", {"message": "m"}, authorization=BEARER, **headers)
    assert answer.status == 200
    assert json.loads(daemon.backend.commands[0].alerts[0].document())["annotations"]["summary"] == "m"


@pytest.mark.parametrize(
    ("path", "body", "content_type", "status"),
    [
        ("alertmanager", b"{}", "application/json", 400),
        ("alertmanager", json.dumps(NOTIFICATION).encode(), "text/plain", 415),
        ("cloudevents", json.dumps(EVENT).encode(), "application/json", 400),
        ("cloudevents", b"[7]", "application/cloudevents-batch+json", 400),
        ("cloudevents", b"x" * 2_000_000, "application/cloudevents+json", 413),
    ],
)
def test_odd_requests_get_a_clear_answer(daemon, path, body, content_type, status):
    answer = daemon.unix("POST", f"/api/v1/webhook/{path}", body, content_type=content_type)
    assert (answer.status, bool(answer.json["error"])) == (status, True)
    assert daemon.backend.commands == []


def test_good_alerts_are_taken_although_a_neighbour_is_refused(daemon):
    body = NOTIFICATION | {"alerts": [*NOTIFICATION["alerts"], {"status": "firing", "labels": {}}]}
    answer = daemon.unix("POST", "/api/v1/webhook/alertmanager", body)
    assert answer.status == 400
    assert "no labels" in answer.json["error"]
    assert len(daemon.backend.commands[0].alerts) == 1


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    with running(tmp_path_factory.mktemp("web")) as running_daemon:
        yield running_daemon


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(["firing", "1.0", "resolved"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NOTIFICATION, *EVENT]), inner),
)
HEADERS = st.dictionaries(
    st.sampled_from(["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time", "content-encoding"]),
    st.sampled_from(["1.0", "x", "%ff", "gzip", "2026-11-22T12:00:00Z"]),
)
TYPES = st.sampled_from(["application/json", "application/cloudevents+json", "application/cloudevents-batch+json", "x"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(POSTS)), st.binary(max_size=60) | JSON, HEADERS, TYPES)
def test_no_request_is_a_server_error(steady, path, body, headers, media_type):
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = steady.unix("POST", f"/api/v1/webhook/{path}", sent, **(headers | {"content-type": media_type}))
    assert answer.status in {200, 400, 415}
