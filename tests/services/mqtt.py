"""Others at a broker: who hears topics, and who says something."""

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.services.mosquitto import Broker
from tests.services.service import eventually

Heard = tuple[str, str, bool]
"""Topic, body, and whether the broker had retained it."""


def stranger(broker: Broker, user: str = "", client_id: str = "") -> Client:
    """Return a client that may connect as this user."""
    client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5)
    if broker.ca_file:
        client.tls_set(ca_certs=str(broker.ca_file))
    if user:
        client.username_pw_set(user, broker.users[user])
    return client


class Listener:
    """Hears a topic from its making on; remembers every message in its order."""

    def __init__(self, broker: Broker, topic: str = "paramedic/#", user: str = "") -> None:
        self.seen: list[Heard] = []
        self._unread: queue.Queue[Heard] = queue.Queue()
        subscribed: queue.Queue[bool] = queue.Queue()
        self._client = stranger(broker, user)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self._client.on_subscribe = lambda *_: subscribed.put(True)
        self._client.on_message = lambda _client, _data, message: self._hear(message)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        subscribed.get(timeout=60)

    def _hear(self, message: Any) -> None:
        self.seen.append((message.topic, message.payload.decode(), message.retain))
        self._unread.put(self.seen[-1])

    def next(self) -> Heard:
        """Return the first message that has not been returned; wait for it."""
        return self._unread.get(timeout=60)

    def await_message(self, topic: str, body: str) -> Heard:
        """Pass over messages up to this one."""
        return next(heard for heard in iter(self.next, None) if heard[:2] == (topic, body))

    def of(self, topic: str) -> list[str]:
        """Return all that the topic has said."""
        return [body for seen, body, _ in list(self.seen) if seen == topic]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def sender(broker: Broker, patience_seconds: float = 60.0) -> Iterator[tuple[Callable[..., int], Callable[..., None]]]:
    """A publisher that sends what the broker has not acknowledged once more when that comes back."""
    client = stranger(broker, "agent" if broker.users else "", client_id="sender")
    client.reconnect_delay_set(1, 1)
    client.max_queued_messages_set(0)
    acknowledged = set()
    client.on_publish = lambda _client, _data, mid, *_: acknowledged.add(mid)
    client.connect(broker.host, broker.port)
    client.loop_start()

    def publish(topic: str, payload: str, *, retain: bool = False) -> int:
        return client.publish(topic, payload, qos=1, retain=retain).mid

    def settled(mids: set[int]) -> None:
        eventually(
            lambda: mids <= acknowledged, patience_seconds, lambda: f"{len(mids - acknowledged)} not acknowledged"
        )

    try:
        yield publish, settled
    finally:
        client.disconnect()
        client.loop_stop()


def send(broker: Broker, *messages: tuple[str, str], retain: bool = False) -> None:
    with sender(broker) as (publish, settled):
        settled({publish(topic, payload, retain=retain) for topic, payload in messages})
