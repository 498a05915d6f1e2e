"""The MQTT client against mosquitto."""

import json
import queue
import threading
import time
from concurrent.futures import Future

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.incidents.effects import Kind, OutboxRow
from agent.mqtt.client import MqttClient
from agent.mqtt.link import Broker
from agent.mqtt.topics import Message
from agent.telemetry.metrics import MQTT_CONNECTED
from tests.acceptance.daemon import eventually
from tests.services.mosquitto import running_mosquitto
from tests.services.service import pause

ACCESS = "user agent\ntopic readwrite paramedic/h/#\n\nuser reader\ntopic read #\n"
TOPIC = "paramedic/h/incidents/1"


def paramedic(broker, **options):
    options.setdefault("publish_seconds", 5.0)
    return MqttClient(
        Broker(host=broker.host, port=broker.port, client_id="paramedic-h", **options), prefix="paramedic", host="h"
    )


def await_connection(client):
    deadline = time.monotonic() + 20
    while not client.is_connected:
        assert time.monotonic() < deadline, client._fate.reason
        pause()


class Reader:
    """Somebody else who reads every topic."""

    def __init__(self, broker, user="", password=""):
        self.messages = queue.Queue()
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        if user:
            self.client.username_pw_set(user, password)
        if broker.ca_file:
            self.client.tls_set(ca_certs=str(broker.ca_file))
        self.client.on_connect = lambda client, *_: client.subscribe("paramedic/#", qos=1)
        self.client.on_message = lambda _client, _data, message: self.messages.put(
            (message.topic, message.payload.decode(), message.retain)
        )
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()

    def await_message(self, topic, body):
        while True:
            message = self.messages.get(timeout=10)
            if message[:2] == (topic, body):
                return message

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture(scope="module")
def broker():
    with running_mosquitto() as running:
        yield running


@pytest.fixture
def started():
    clients = []

    def start(client, retained=()):
        clients.append(client)
        client.start(retained)
        return client

    yield start
    for client in clients:
        client.close()


def test_online_is_said_at_once_and_offline_at_the_end(broker, started):
    with Reader(broker) as reader:
        client = started(paramedic(broker))
        reader.await_message("paramedic/h/status", "online")
        await_connection(client)
        assert MQTT_CONNECTED._value.get() == 1
        client.close()
        reader.await_message("paramedic/h/status", "offline")
        assert MQTT_CONNECTED._value.get() == 0


def test_the_broker_says_offline_when_the_daemon_dies(broker, started):
    client = started(paramedic(broker))
    await_connection(client)
    with Reader(broker) as reader:
        reader.await_message("paramedic/h/status", "online")
        # As a crash does: the socket ends without a word.
        client._link._client.socket().shutdown(2)
        reader.await_message("paramedic/h/status", "offline")
        reader.await_message("paramedic/h/status", "online")


def test_incidents_are_retained_until_they_are_taken_away(broker, started):
    client = started(paramedic(broker))
    await_connection(client)
    client.publish(Message(topic=TOPIC, body='{"revision":1}'))
    with Reader(broker) as late:
        assert late.await_message(TOPIC, '{"revision":1}')[2]
        client.publish(Message(topic=TOPIC, body=""))
        late.await_message(TOPIC, "")
    with Reader(broker) as later:
        later.await_message("paramedic/h/status", "online")
        client.publish(Message(topic="paramedic/h/mark", body="x", retain=False))
        seen = []
        while not seen or seen[-1][0] != "paramedic/h/mark":
            seen.append(later.messages.get(timeout=10))
        assert TOPIC not in [topic for topic, _, _ in seen]


def test_an_outbox_row_is_done_once_the_broker_has_it(broker, started):
    client = started(paramedic(broker))
    await_connection(client)
    with Reader(broker) as reader:
        assert client.perform(row("paramedic/h/state", '{"a":1}')).done
        reader.await_message("paramedic/h/state", '{"a":1}')


def row(topic, body="{}"):
    payload = {"topic": topic, "retain": True, "body": body}
    return OutboxRow(
        id=1,
        claim="c",
        kind=Kind.PUBLISH,
        key="k",
        target="mqtt",
        incident_id="1",
        payload=payload,
        attempts=1,
        created_at=0.0,
    )


@pytest.mark.parametrize("topic", ["paramedic/#", "paramedic/+/x", ""])
def test_a_topic_that_cannot_be_published_to_is_a_dead_letter(broker, started, topic):
    client = started(paramedic(broker))
    await_connection(client)
    settled = client.perform(row(topic))
    assert settled.dead
    assert settled.reason
    assert client.perform(row(TOPIC)).done


@pytest.mark.parametrize("limit", ["max_packet_size 2000", "message_size_limit 2000"])
def test_a_message_that_is_too_large_for_the_broker_causes_no_reconnect_loop(started, limit):
    with running_mosquitto(extra=limit) as broker:
        client = started(paramedic(broker))
        await_connection(client)
        settled = client.perform(row(TOPIC, "x" * 3000))
        assert settled.reason
        assert settled.dead == ("packet" in limit)
        await_connection(client)
        assert client.perform(row(TOPIC, "x" * 1000)).done


def test_nothing_is_lost_while_the_broker_restarts_and_its_forgotten_topics_come_back(started, tmp_path):
    with running_mosquitto(extra="") as broker:
        client = started(paramedic(broker, publish_seconds=2.0))
        await_connection(client)
        client.publish(Message(topic=TOPIC, body="old"))
        stop, settled = threading.Event(), []

        def publish():
            number = 0
            while not stop.is_set():
                result = client.perform(row("paramedic/h/state", json.dumps(number)))
                settled.append(result)
                number += result.done
                stop.wait(0.01)

        worker = threading.Thread(target=publish)
        worker.start()
        broker.service.kill()
        # A broker that lost its disk.
        for file in broker.service.directory.glob("mosquitto.db*"):
            file.unlink()
        broker.service.start()
        await_connection(client)
        with Reader(broker) as reader:
            reader.await_message(TOPIC, "old")
        stop.set()
        worker.join(10)
        assert any(result.done for result in settled)
        assert not any(result.dead for result in settled)
        assert client.perform(row("paramedic/h/state", "last")).done
        with Reader(broker) as reader:
            reader.await_message("paramedic/h/state", "last")


def test_the_retained_stop_topic_is_heard_at_the_start_and_whenever_it_changes(broker, started):
    said = queue.Queue()
    with Reader(broker) as reader:
        reader.client.publish("paramedic/h/stop", "storm damage", qos=1, retain=True).wait_for_publish(10)
        client = paramedic(broker)
        client.on_stop = said.put
        started(client)
        assert said.get(timeout=10) == "storm damage"

        reader.client.publish("paramedic/h/stop", "", qos=1, retain=True).wait_for_publish(10)

        assert said.get(timeout=10) == ""


def test_a_broker_that_is_down_at_start_is_found_when_it_comes(started):
    with running_mosquitto() as broker:
        broker.service.stop()
        client = started(paramedic(broker))
        assert not client.perform(row(TOPIC)).done
        broker.service.start()
        await_connection(client)
        assert client.perform(row(TOPIC)).done


def test_tls_passwords_and_denied_topics(started, tmp_path):
    password = tmp_path / "password"
    password.write_text("a1\n")
    users = {"agent": "a1", "reader": "r1"}
    with running_mosquitto(tls=True, users=users, access=ACCESS) as broker:
        client = started(paramedic(broker, user="agent", password_file=password, tls=True, ca_file=broker.ca_file))
        await_connection(client)
        with Reader(broker, "reader", "r1") as reader:
            assert client.perform(row(TOPIC, "secret")).done
            reader.await_message(TOPIC, "secret")
        denied = client.perform(row("paramedic/other/state"))
        assert denied.dead
        assert "Not authorized" in denied.reason
        assert client.perform(row(TOPIC, "again")).done


# paho forgets to close the socket whose handshake failed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_wrong_password_and_a_stranger_s_certificate_are_named(started, tmp_path):
    password = tmp_path / "password"
    password.write_text("wrong")
    with running_mosquitto(tls=True, users={"agent": "a1"}) as broker:
        refused = started(paramedic(broker, user="agent", password_file=password, tls=True, ca_file=broker.ca_file))
        await_reason(refused, "Not authorized")
        stranger = started(paramedic(broker, user="agent", password_file=password, tls=True))
        await_reason(stranger, "certificate verify failed")


def await_reason(client, text):
    deadline = time.monotonic() + 10
    while text not in (settled := client.perform(row(TOPIC))).reason:
        assert time.monotonic() < deadline, settled.reason
        pause()
    assert not settled.dead


def test_whoever_leaves_takes_away_what_the_broker_retains(broker, started):
    client = started(paramedic(broker), [Message(topic=TOPIC, body="{}")])
    await_connection(client)
    client.publish(Message(topic="paramedic/h/state", body="{}"))
    with Reader(broker) as reader:
        reader.await_message("paramedic/h/state", "{}")
        assert client.leave() == 2
        reader.await_message("paramedic/h/state", "")
        client.publish(Message(topic="paramedic/h/incidents/2", body="{}"))
        client.close()
        reader.await_message("paramedic/h/status", "")
    with Reader(broker) as later:
        pause()
        assert later.messages.empty()


def commanded(broker, hear):
    link = Broker(host=broker.host, port=broker.port, client_id="paramedic-h")
    client = MqttClient(link, prefix="paramedic", host="h", session_seconds=60)
    client.on_command = hear
    client.start()
    await_connection(client)
    return client


def test_a_command_is_acknowledged_when_it_is_answered_and_comes_again_until_then():
    said, never, answered = queue.Queue(), Future(), Future()
    answered.set_result({})
    with running_mosquitto() as broker, Reader(broker) as somebody:

        def say(word):
            somebody.client.publish("paramedic/h/command", word, qos=1).wait_for_publish(10)

        client = commanded(broker, lambda word: said.put(word) or never)
        say("approve")
        assert said.get(timeout=10) == "approve"
        client.close()
        say("reject")

        client = commanded(broker, lambda word: said.put(word) or answered)
        assert [said.get(timeout=10), said.get(timeout=10)] == ["approve", "reject"]
        acknowledged = "Received PUBACK from paramedic-h"
        eventually(lambda: broker.service.log.read_text().count(acknowledged) == 2, what=broker.service.log.read_text)
        client.close()

        client = commanded(broker, said.put)
        say("approve again")
        assert said.get(timeout=10) == "approve again"
        client.close()
