"""Messages from a real broker into a real daemon: nothing is lost that was acknowledged, whoever dies meanwhile."""

import json
import threading
from concurrent.futures import Future
from contextlib import contextmanager

import pytest
import requests

from agent.clock import SystemClock
from agent.engine.commands import BusyError
from agent.intake import topics
from agent.mqtt.feed import Feed, Subscription
from agent.mqtt.link import Broker
from agent.mqtt.subscriber import Subscriber
from tests.acceptance.daemon import prepared_daemon, rule, rule_file, running_daemon
from tests.services.mosquitto import running_mosquitto
from tests.services.mqtt import send, sender
from tests.services.service import eventually

RULES = rule_file(rule("TooHot", "device_heat > 30"))
SAMPLES = {"topic": "heat/{device}", "metric": "device_heat"}
ALARMS = {"topic": "alarm/{site}", "labels": {"severity": "critical"}}
PATIENT = 60.0


def tables(broker, *subscriptions, **more):
    return {"mqtt": {"host": broker.host, "port": broker.port, "subscriptions": list(subscriptions), **more}}


def await_subscribed(daemon):
    eventually(lambda: daemon.metric("paramedic_mqtt_input_connected") == 1, PATIENT, daemon.tail)


def query(daemon, expr):
    answer = requests.get(f"{daemon.url}/api/v1/query", params={"query": expr}, timeout=60).json()
    return {tuple(sorted(each["metric"].items())): float(each["value"][1]) for each in answer["data"]["result"]}


def by_device(daemon, expr="device_heat"):
    return {dict(labels)["device"]: value for labels, value in query(daemon, expr).items()}


def alert_sites(daemon):
    alerts = requests.get(f"{daemon.url}/api/v2/alerts", timeout=60).json()
    return {alert["labels"]["site"] for alert in alerts if "site" in alert["labels"]}


def test_a_number_raises_an_alert_and_the_next_one_ends_it():
    with running_mosquitto() as broker, running_daemon(tables(broker, SAMPLES), RULES) as daemon:
        await_subscribed(daemon)
        send(broker, ("heat/boiler", "31"))
        incident = daemon.await_state("TooHot", "escalated", device="boiler")
        assert dict(incident["labels"])["device"] == "boiler"
        send(broker, ("heat/boiler", "29"))
        daemon.await_state("TooHot", "resolved", device="boiler")
        assert "# TYPE device_heat gauge" in daemon.page()


def test_samples_go_through_to_promql_while_the_broker_is_restarted_under_load():
    with (
        running_mosquitto(extra="max_queued_messages 0") as broker,
        running_daemon(tables(broker, SAMPLES), rule_file(rule("TooHot", "device_heat < 0"))) as daemon,
        sender(broker) as (publish, settled),
    ):
        await_subscribed(daemon)
        sent, over = {}, threading.Event()

        def load():
            while not over.wait(0.002):
                number = len(sent)
                sent[f"d{number}"] = publish(f"heat/d{number}", str(number))

        worker = threading.Thread(target=load)
        worker.start()
        for _ in range(2):
            heard = len(by_device(daemon))
            eventually(lambda heard=heard: len(by_device(daemon)) > heard + 100, PATIENT, daemon.tail)
            broker.service.stop()  # not killed: mosquitto may acknowledge before it has saved
            broker.service.start()
        await_subscribed(daemon)
        over.set()
        worker.join(60)
        settled(set(sent.values()))
        wanted = {device: float(device[1:]) for device in sent}
        eventually(
            lambda: by_device(daemon) == wanted, PATIENT, lambda: sorted(wanted.items() - by_device(daemon).items())
        )


def test_no_alert_is_lost_when_the_broker_is_restarted_and_the_daemon_killed_under_load():
    with running_mosquitto(extra="max_queued_messages 0") as broker, sender(broker) as (publish, settled):
        alarms = ALARMS | {"labels": {"alertname": "SiteAlarm", "severity": "none"}}
        with prepared_daemon(tables(broker, alarms), RULES) as daemon:
            daemon.start()
            await_subscribed(daemon)
            sites = [f"s{number}" for number in range(600)]
            sent = set()
            for position, site in enumerate(sites):
                sent.add(publish(f"alarm/{site}", json.dumps({"annotations": {"n": str(position)}})))
                if position in {150, 350}:
                    eventually(lambda: len(alert_sites(daemon)) > 20, PATIENT, daemon.tail)
                    daemon.kill()
                    daemon.start()
                if position == 250:
                    broker.service.stop()  # as above
                    broker.service.start()
            settled(sent)
            eventually(
                lambda: alert_sites(daemon) == set(sites),
                PATIENT,
                lambda: f"missing {sorted(set(sites) - alert_sites(daemon))[:20]}\n{daemon.tail()}",
            )
            daemon.kill()
            daemon.start()
            eventually(lambda: alert_sites(daemon) == set(sites), PATIENT, daemon.tail)


def test_messages_sent_while_the_daemon_is_away_wait_for_it():
    with running_mosquitto() as broker, prepared_daemon(tables(broker, SAMPLES), RULES) as daemon:
        daemon.start()
        await_subscribed(daemon)
        assert daemon.process is not None
        daemon.stop()
        send(broker, *[(f"heat/d{number}", str(number)) for number in range(200)])
        daemon.start()
        eventually(
            lambda: by_device(daemon) == {f"d{n}": float(n) for n in range(200)}, PATIENT, lambda: by_device(daemon)
        )


def test_what_the_broker_kept_from_before_is_taken_only_where_that_is_wanted():
    wanted = SAMPLES | {"topic": "kept/{device}", "metric": "device_kept", "retained": True}
    with running_mosquitto() as broker:
        send(broker, ("heat/old", "1"), ("kept/old", "2"), retain=True)
        with running_daemon(tables(broker, SAMPLES, wanted), RULES) as daemon:
            eventually(lambda: by_device(daemon, "device_kept") == {"old": 2.0}, PATIENT, daemon.tail)
            assert by_device(daemon) == {}


def test_a_topic_that_falls_silent_is_without_data_and_not_well():
    silent = SAMPLES | {"expect_every": "2s"}
    # The last value is no longer looked at, as after the five minutes that an instant selector looks back.
    rules = rule_file(rule("TooHot", "last_over_time(device_heat[1s]) > 30"))
    with running_mosquitto() as broker, running_daemon(tables(broker, silent), rules) as daemon:
        await_subscribed(daemon)
        send(broker, ("heat/boiler", "31"))
        daemon.await_incident("TooHot", lambda incident: incident["alert_state"] == "no_data", device="boiler")
        assert daemon.metric("paramedic_mqtt_silent_topics") == 1


HOSTILE = [
    b"",
    b"\xff\xfe\x00",
    b"NaN",
    b"-inf",
    b"1e999",
    b"[" * 50_000,
    b'{"labels":' * 40 + b"1" + b"}" * 40,
    b'[{"labels": {"alertname": "\\u0000\\u202e"}, "annotations": 7}]',
    b'{"startsAt": null, "endsAt": "0000-00-00T00:00:00Z"}',
    b"9" * 100_000,
]


def test_hostile_messages_are_counted_and_acknowledged_and_the_good_ones_go_on():
    few = SAMPLES | {"max_topics": 50}
    with running_mosquitto() as broker, running_daemon(tables(broker, few, ALARMS), RULES) as daemon:
        await_subscribed(daemon)
        send(broker, ("heat/good", "1"))
        messages = [(f"{kind}/x{n}", payload) for n, payload in enumerate(HOSTILE) for kind in ("heat", "alarm")]
        messages += [("heat/" + "x" * 2000, b"1"), ("heat/\u202e", b"1")]
        messages += [(f"heat/many{number}", b"1") for number in range(300)]
        send(broker, *messages)
        send(broker, ("heat/good", "2"))
        eventually(lambda: by_device(daemon).get("good") == 2.0, PATIENT, daemon.tail)
        assert daemon.metric("paramedic_mqtt_messages_total", result="malformed") >= 2 * len(HOSTILE) - 2
        assert daemon.metric("paramedic_mqtt_messages_total", result="too_many_topics") > 200
        assert len(by_device(daemon)) <= 50
        assert alert_sites(daemon) == set()
        assert "\u202e" not in daemon.log.read_text()
        assert "a thread died" not in daemon.log.read_text()


def test_a_shared_subscription_spreads_the_messages_over_two_daemons():
    shared = SAMPLES | {"topic": "$share/pair/heat/{device}"}
    with running_mosquitto() as broker:
        one = tables(broker, shared, client_id="one")
        two = tables(broker, shared, client_id="two")
        with running_daemon(one, RULES) as first, running_daemon(two, RULES) as second:
            await_subscribed(first)
            await_subscribed(second)
            send(broker, *[(f"heat/d{number}", "1") for number in range(100)])

            def halves():
                return set(by_device(first)), set(by_device(second))

            eventually(lambda: len(halves()[0] | halves()[1]) == 100, PATIENT, halves)
            ours, theirs = halves()
            assert ours
            assert theirs
            assert not ours & theirs


@contextmanager
def subscribed(broker, order, *, retained=False, **account):
    """A subscriber without a daemon, connected."""
    pattern = topics.parse("heat/{device}")
    subscriptions = [Subscription(name="heat", pattern=pattern, metric="device_heat", retained=retained)]
    link = Broker(host=broker.host, port=broker.port, client_id="alone", keepalive_seconds=30, **account)
    subscriber = Subscriber(link, Feed(subscriptions, SystemClock()), order)
    subscriber.start()
    try:
        eventually(lambda: subscriber.is_connected, PATIENT)
        yield subscriber
    finally:
        subscriber.close()


def devices(ingests):
    return {reading.source.target for ingest in ingests for reading in ingest.readings}


def test_what_the_engine_refuses_is_offered_again_and_not_acknowledged_before_it_is_taken():
    offered, taken = [], []

    def order(ingest):
        offered.append(ingest)
        if len(offered) <= 3:
            raise BusyError
        taken.append(ingest)
        answer = Future()
        answer.set_result({})
        return answer

    with running_mosquitto() as broker, subscribed(broker, order):
        send(broker, *[(f"heat/d{number}", "1") for number in range(50)])
        eventually(lambda: len(devices(taken)) == 50, PATIENT, lambda: devices(taken))
        assert offered[0] is offered[3] is taken[0]


def test_what_was_handed_over_and_never_answered_comes_again():
    unanswered, taken = [], []

    def hold(ingest):
        unanswered.append(ingest)
        return Future()

    def take(ingest):
        taken.append(ingest)
        answer = Future()
        answer.set_result({})
        return answer

    messages = [(f"heat/d{number}", "1") for number in range(50)]
    with running_mosquitto() as broker:
        with subscribed(broker, hold):
            send(broker, *messages)
            eventually(lambda: unanswered, PATIENT)
        with subscribed(broker, take):
            eventually(lambda: devices(taken) == {topic for topic, _ in messages}, PATIENT, lambda: devices(taken))
        # A new connection takes the session over, and what the old one said last may not have been read by then.
        eventually(lambda: broker.service.log.read_text().count("PUBACK from alone") >= len(messages), PATIENT)
        with subscribed(broker, lambda _ingest: pytest.fail("it came although it was acknowledged")):
            send(broker, ("other", "1"))


def test_over_tls_nothing_stays_in_the_buffer(tmp_path):
    password = tmp_path / "password"
    password.write_text("a1")
    taken = []

    def take(ingest):
        taken.append(ingest)
        answer = Future()
        answer.set_result({})
        return answer

    with running_mosquitto(tls=True, users={"agent": "a1"}) as broker:
        kept = [(f"heat/kept{number}", "1") for number in range(20)]
        send(broker, *kept, retain=True)
        account = {"user": "agent", "password_file": password, "tls": True, "ca_file": broker.ca_file}
        with subscribed(broker, take, retained=True, **account):
            # These come in one piece with the answer to the subscription, and after them nothing does.
            eventually(lambda: devices(taken) == {topic for topic, _ in kept}, 60.0, lambda: devices(taken))
            send(broker, ("heat/large", "1" + " " * 300_000), *[(f"heat/d{number}", "1") for number in range(200)])
            eventually(lambda: len(devices(taken)) == 221, 60.0, lambda: len(devices(taken)))
