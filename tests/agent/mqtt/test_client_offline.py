"""The client while there is no broker."""

import socket
import subprocess
import sys
import time

import pytest

from agent.mqtt.client import MqttClient
from agent.mqtt.link import CONNECT_SECONDS, Broker, MqttError
from tests.agent.outbox import owed


def client_of(port=1, **options):
    return MqttClient(Broker(host="127.0.0.1", port=port, client_id="t", **options), prefix="p", host="h")


def row(topic="p/h/incidents/1", body="{}"):
    return owed({"topic": topic, "retain": True, "body": body})


def test_before_its_start_a_publish_is_to_be_tried_again():
    settled = client_of().perform(row())
    assert (settled.row, settled.claim, settled.done, settled.dead) == (7, "mine", False, False)
    assert settled.retry_after > 0
    assert settled.reason == "not connected to 127.0.0.1:1 yet"


def test_a_broker_that_is_down_at_start_delays_nothing_and_says_so_in_the_reason():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        client = client_of(closed.getsockname()[1])
        client.start()
        began = time.monotonic()
        settled = client.perform(row())
        client.close()
        assert time.monotonic() - began < CONNECT_SECONDS
        assert not settled.done
        assert not settled.dead
        assert "connect" in settled.reason


def test_closing_does_not_wait_for_a_broker_that_accepts_and_stays_silent():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = client_of(silent.getsockname()[1])
        client.start()
        began = time.monotonic()
        client.close()
        assert time.monotonic() - began < CONNECT_SECONDS


@pytest.mark.parametrize(
    "options", [{"user": "u", "password_file": "missing"}, {"tls": True, "ca_file": "missing"}], ids=["password", "ca"]
)
def test_a_file_that_cannot_be_read_is_an_error_at_start(tmp_path, options):
    options = {key: tmp_path / value if value == "missing" else value for key, value in options.items()}
    with pytest.raises(MqttError, match="cannot set up"):
        client_of(**options).start()


def test_paho_is_not_loaded_before_the_start():
    code = "import sys, agent.mqtt.client; sys.exit('paho' in sys.modules or 'paho.mqtt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0
