"""Publishes what the outbox owes to an MQTT 5 broker, and says online and offline. Reconnects for ever."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

from agent.incidents.effects import OutboxRow
from agent.incidents.events import EffectSettled
from agent.mqtt.link import Broker, Hearer, Link, MqttError, PublishError, new_client
from agent.mqtt.reconnecting import Delay, Fate
from agent.mqtt.topics import OFFLINE, ONLINE, Message, command_topic, status_topic, stop_topic
from agent.telemetry import log
from agent.telemetry.metrics import MQTT_CONNECTED

RETRY_SECONDS = 5.0
CLOSE_SECONDS = 2.0
_log = log.get("mqtt")


class MqttClient:
    """Stays connected from `start` to `close`.

    Each connection has a paho client of its own. One that reconnects by itself sends what was unanswered once more, so
    that a message that makes the broker hang up would do so for ever; here the outbox alone decides what is sent again.
    What was published with `retain` is told again on each connection: a broker that lost it gets it back.
    """

    def __init__(self, broker: Broker, *, prefix: str, host: str, session_seconds: int = 0) -> None:
        self._broker = broker
        self._session_seconds = session_seconds
        self._status = status_topic(prefix, host)
        self._stop = stop_topic(prefix, host)
        self.on_stop: Callable[[str], None] = lambda _reason: None
        """Called on paho's thread with the text of the stop topic; empty when it was taken away."""
        self._command = command_topic(prefix, host)
        self.on_command: Hearer | None = None
        """Called on paho's thread with what is said on the command topic; None: nobody listens there.

        While there is no connection the broker keeps what is said there, for `session_seconds`.
        """
        self._link: Link | None = None
        self._fate = Fate(str(broker), good="connected to the broker", bad="no connection to the broker")
        self._retained: dict[str, str] = {}
        self._closing = threading.Event()
        self._left = threading.Event()
        self._left.set()
        self._leaving = False
        self._thread = threading.Thread(target=self._run, name="mqtt-connect", daemon=True)

    def start(self, retained: Iterable[Message] = ()) -> None:
        """Connect in the background. `retained` is what the broker should hold. Raise MqttError."""
        self._retained = {message.topic: message.body for message in retained}
        new_client(self._broker)  # a file that cannot be read is an error now, not later in the log
        self._thread.start()

    def close(self) -> None:
        """Say offline and hang up; takes two seconds at most."""
        self._left.wait(CLOSE_SECONDS)
        link = self._link
        if link is not None and link.connected.is_set():
            try:
                body = "" if self._leaving else OFFLINE
                link.publish(Message(topic=self._status, body=body), CLOSE_SECONDS / 2)
            except PublishError as error:
                _log.info("could not say offline", reason=str(error))
        self._closing.set()
        if link is not None:
            link.ended.set()
        if self._thread.is_alive():
            # It may be in the middle of a slow connect; a daemon thread may be left behind.
            self._thread.join(CLOSE_SECONDS / 2)

    def leave(self) -> int:
        """Take away, in the background, every message that the broker retains; none is retained from now on."""
        self._leaving = True
        topics = tuple(self._retained)
        self._left.clear()
        threading.Thread(target=self._take_away, args=(topics,), name="mqtt-leave", daemon=True).start()
        return len(topics)

    def _take_away(self, topics: Iterable[str]) -> None:
        try:
            for topic in topics:
                self.publish(Message(topic=topic, body=""))
        except PublishError as error:
            _log.warning("retained messages stay at the broker", reason=str(error))
        finally:
            self._left.set()

    @property
    def is_connected(self) -> bool:
        link = self._link
        return link is not None and link.connected.is_set()

    def publish(self, message: Message) -> None:
        """Publish with QoS 1 and wait for the broker's word. Raise PublishError."""
        link = self._link
        if link is None or not link.connected.is_set():
            raise PublishError(self._fate.reason)
        if self._leaving and message.retain:
            message = replace(message, body="")
        link.publish(message, self._broker.publish_seconds)
        if message.retain and message.body:
            self._retained[message.topic] = message.body
        else:
            self._retained.pop(message.topic, None)

    def perform(self, row: OutboxRow) -> EffectSettled:
        """Publish what an outbox row owes."""
        payload = row.payload
        try:
            self.publish(Message(topic=payload["topic"], body=payload["body"], retain=payload["retain"]))
        except PublishError as error:
            retry_after = 0.0 if error.permanent else RETRY_SECONDS
            return EffectSettled(
                row=row.id, claim=row.claim, dead=error.permanent, reason=str(error), retry_after=retry_after
            )
        return EffectSettled(row=row.id, claim=row.claim, done=True)

    def _run(self) -> None:
        """Connect, wait for the end of the connection, and again."""
        delay = Delay()
        while not self._closing.is_set():
            was_accepted = self._live()
            self._closing.wait(delay.after(was_accepted=was_accepted))

    def _live(self) -> bool:
        """Keep one connection until it ends; return whether the broker ever accepted it."""
        try:
            will = Message(topic=self._status, body=OFFLINE)
            heard: dict[str, Hearer] = {self._stop: self.on_stop}
            if self.on_command is not None:
                heard[self._command] = self.on_command
            kept = self._session_seconds if self.on_command is not None else 0
            link = Link(self._broker, will=will, opened=self._opened, heard=heard, session_seconds=kept)
            link.open()
        except (OSError, ValueError, MqttError) as error:
            self._fate.note(f"cannot connect to {self._broker}: {error}")
            return False
        self._link = link
        if not self._closing.is_set():
            link.ended.wait()
        link.close()
        self._link = None
        MQTT_CONNECTED.set(0)
        if not self._closing.is_set():
            self._fate.note(link.reason)
        return link.accepted

    def _opened(self, link: Link) -> None:
        """Tell the broker what it should hold."""
        held = [Message(topic=topic, body=body) for topic, body in tuple(self._retained.items())]
        link.announce([*held, Message(topic=self._status, body=ONLINE)])
        MQTT_CONNECTED.set(1)
        self._fate.note("")
