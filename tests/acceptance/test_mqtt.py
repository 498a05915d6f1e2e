"""The MQTT client against mosquitto."""

import json
import queue
import threading
from concurrent.futures import Future

import pytest

from agent.mqtt.client import MqttClient
from agent.mqtt.link import Broker
from agent.mqtt.topics import Message
from agent.telemetry.metrics import MQTT_CONNECTED
from tests.agent.outbox import owed
from tests.services.mosquitto import running_mosquitto
from tests.services.mqtt import Listener, send
from tests.services.service import eventually

ACCESS = "user agent\ntopic readwrite paramedic/h/#\n\nuser reader\ntopic read #\n"
TOPIC = "paramedic/h/incidents/1"


def paramedic(broker, **options):
    options.setdefault("publish_seconds", 5.0)
    return MqttClient(
        Broker(host=broker.host, port=broker.port, client_id="paramedic-h", **options), prefix="paramedic", host="h"
    )


def await_connection(client):
    eventually(lambda: client.is_connected, what=lambda: client._fate.reason)


def retained(broker):
    """Return the topics of all that the broker keeps for whoever comes."""
    with Listener(broker) as late:
        send(broker, ("paramedic/mark", "x"))
        return list(iter(lambda: late.next()[0], "paramedic/mark"))


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


@pytest.fixture
def connected(started):
    def connect(client, retained=()):
        await_connection(started(client, retained))
        return client

    return connect


def test_online_is_said_at_once_and_offline_at_the_end(broker, started):
    with Listener(broker) as reader:
        client = started(paramedic(broker))
        reader.await_message("paramedic/h/status", "online")
        await_connection(client)
        assert MQTT_CONNECTED._value.get() == 1
        client.close()
        reader.await_message("paramedic/h/status", "offline")
        assert MQTT_CONNECTED._value.get() == 0


def test_the_broker_says_offline_when_the_daemon_dies(broker, connected):
    client = connected(paramedic(broker))
    with Listener(broker) as reader:
        reader.await_message("paramedic/h/status", "online")
        # As a crash does: the socket ends without a word.
        client._link._client.socket().shutdown(2)
        reader.await_message("paramedic/h/status", "offline")
        reader.await_message("paramedic/h/status", "online")


def test_incidents_are_retained_until_they_are_taken_away(broker, connected):
    client = connected(paramedic(broker))
    client.publish(Message(topic=TOPIC, body='{"revision":1}'))
    with Listener(broker) as late:
        assert late.await_message(TOPIC, '{"revision":1}')[2]
        client.publish(Message(topic=TOPIC, body=""))
        late.await_message(TOPIC, "")
    assert TOPIC not in retained(broker)


def test_an_outbox_row_is_done_once_the_broker_has_it(broker, connected):
    client = connected(paramedic(broker))
    with Listener(broker) as reader:
        assert client.perform(row("paramedic/h/state", '{"a":1}')).done
        reader.await_message("paramedic/h/state", '{"a":1}')


def row(topic, body="{}"):
    return owed({"topic": topic, "retain": True, "body": body})


@pytest.mark.parametrize("topic", ["paramedic/#", "paramedic/+/x", ""])
def test_a_topic_that_cannot_be_published_to_is_a_dead_letter(broker, connected, topic):
    client = connected(paramedic(broker))
    settled = client.perform(row(topic))
    assert settled.dead
    assert settled.reason
    assert client.perform(row(TOPIC)).done


@pytest.mark.parametrize("limit", ["max_packet_size 2000", "message_size_limit 2000"])
def test_a_message_that_is_too_large_for_the_broker_causes_no_reconnect_loop(connected, limit):
    with running_mosquitto(extra=limit) as broker:
        client = connected(paramedic(broker))
        settled = client.perform(row(TOPIC, "x" * 3000))
        assert settled.reason
        assert settled.dead == ("packet" in limit)
        await_connection(client)
        assert client.perform(row(TOPIC, "x" * 1000)).done


def test_nothing_is_lost_while_the_broker_restarts_and_its_forgotten_topics_come_back(connected):
    with running_mosquitto(extra="") as broker:
        client = connected(paramedic(broker, publish_seconds=2.0))
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
        with Listener(broker) as reader:
            reader.await_message(TOPIC, "old")
        stop.set()
        worker.join(60)
        assert any(result.done for result in settled)
        assert not any(result.dead for result in settled)
        assert client.perform(row("paramedic/h/state", "last")).done
        with Listener(broker) as reader:
            reader.await_message("paramedic/h/state", "last")


def test_the_retained_stop_topic_is_heard_at_the_start_and_whenever_it_changes(broker, started):
    said = queue.Queue()
    send(broker, ("paramedic/h/stop", "storm damage"), retain=True)
    client = paramedic(broker)
    client.on_stop = said.put
    started(client)
    assert said.get(timeout=60) == "storm damage"

    send(broker, ("paramedic/h/stop", ""), retain=True)

    assert said.get(timeout=60) == ""


def test_a_broker_that_is_down_at_start_is_found_when_it_comes(started):
    with running_mosquitto() as broker:
        broker.service.stop()
        client = started(paramedic(broker))
        assert not client.perform(row(TOPIC)).done
        broker.service.start()
        await_connection(client)
        assert client.perform(row(TOPIC)).done


def test_tls_passwords_and_denied_topics(connected, tmp_path):
    password = tmp_path / "password"
    password.write_text("a1\n")
    users = {"agent": "a1", "reader": "r1"}
    with running_mosquitto(tls=True, users=users, access=ACCESS) as broker:
        client = connected(paramedic(broker, user="agent", password_file=password, tls=True, ca_file=broker.ca_file))
        with Listener(broker, user="reader") as reader:
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
    settled = eventually(lambda: next((found for found in [client.perform(row(TOPIC))] if text in found.reason), None))
    assert not settled.dead


def test_whoever_leaves_takes_away_what_the_broker_retains(broker, connected):
    client = connected(paramedic(broker), [Message(topic=TOPIC, body="{}")])
    client.publish(Message(topic="paramedic/h/state", body="{}"))
    with Listener(broker) as reader:
        reader.await_message("paramedic/h/state", "{}")
        assert client.leave() == 2
        reader.await_message("paramedic/h/state", "")
        client.publish(Message(topic="paramedic/h/incidents/2", body="{}"))
        client.close()
        reader.await_message("paramedic/h/status", "")
    assert retained(broker) == []


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
    with running_mosquitto() as broker:

        def say(word):
            send(broker, ("paramedic/h/command", word))

        client = commanded(broker, lambda word: said.put(word) or never)
        say("approve")
        assert said.get(timeout=60) == "approve"
        client.close()
        say("reject")

        client = commanded(broker, lambda word: said.put(word) or answered)
        assert [said.get(timeout=60), said.get(timeout=60)] == ["approve", "reject"]
        acknowledged = "Received PUBACK from paramedic-h"
        eventually(lambda: broker.service.log.read_text().count(acknowledged) == 2, what=broker.service.log.read_text)
        client.close()

        client = commanded(broker, said.put)
        say("approve again")
        assert said.get(timeout=60) == "approve again"
        client.close()
