"""Talking to a daemon."""

import socket

import pytest

from agent.cli.client import ControlError, over_http, over_socket
from tests.agent.cli.daemons import daemon


def test_a_question_and_an_order_reach_the_daemon(tmp_path):
    path = tmp_path / "sock"
    answers = {
        "GET /control/incidents?state=a+b&limit=3": (200, [1]),
        "POST /control/incidents/a%2F..%2Fb/ack": (200, {"id": "x"}),
    }
    with daemon(path, answers) as asked:
        client = over_socket([path])
        assert client.get("incidents", state="a b", limit=3) == [1]
        assert client.post("incidents", "a/../b", "ack", comment="é") == {"id": "x"}
    assert asked[-1] == ("POST /control/incidents/a%2F..%2Fb/ack", {"comment": "é"})


def test_a_refusal_says_what_the_daemon_says(tmp_path):
    answers = {"GET /control/status": (409, {"error": "not now"})}
    with daemon(tmp_path / "sock", answers), pytest.raises(ControlError, match="not now") as caught:
        over_socket([tmp_path / "sock"]).get("status")
    assert caught.value.status == 409


@pytest.mark.parametrize("answer", [(200, b"<html>"), (500, []), (500, b"\xff\xfe")])
def test_an_answer_that_makes_no_sense_is_an_error(tmp_path, answer):
    with daemon(tmp_path / "sock", {"GET /control/status": answer}), pytest.raises(ControlError):
        over_socket([tmp_path / "sock"]).get("status")


def test_the_first_socket_at_which_somebody_listens_is_used(tmp_path):
    dead, alive = tmp_path / "dead", tmp_path / "alive"
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(dead))
    with daemon(alive, {"GET /control/status": (200, {})}):
        assert over_socket([tmp_path / "none", dead, alive]).where == str(alive)


def test_without_a_daemon_the_error_says_where_it_looked_and_what_to_do(tmp_path):
    with pytest.raises(ControlError) as caught:
        over_socket([tmp_path / "none"])
    assert f"{tmp_path}/none: No such file or directory" in str(caught.value)
    assert "paramedic run" in str(caught.value)


def test_a_path_too_long_for_a_socket_is_an_error_and_no_crash(tmp_path):
    with pytest.raises(ControlError, match="too long"):
        over_socket([tmp_path / ("x" * 120)])


def test_a_daemon_that_hangs_is_given_up(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
        listener.listen()
        with pytest.raises(ControlError, match="timed out"):
            over_socket([tmp_path / "sock"], timeout=0.05).get("status")


@pytest.mark.parametrize(
    "address", ["ftp://host", "http://", "host:80", "http://host:99999", "http://host:x", "http://[::1"]
)
def test_what_is_no_url_is_refused(address):
    with pytest.raises(ControlError, match="is no address"):
        over_http(address)


@pytest.mark.parametrize("token", ["a\nb", "schlüssel€"])
def test_a_token_that_http_cannot_carry_is_said(token):
    with pytest.raises(ControlError, match="cannot carry"):
        over_http("http://127.0.0.1:1", token).get("status")
