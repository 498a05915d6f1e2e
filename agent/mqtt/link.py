"""One connection to the broker, from connect to its end. paho is loaded with the first."""

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.mqtt.acknowledgements import Acknowledgements
from agent.mqtt.topics import Message
from agent.telemetry import log

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage
    from paho.mqtt.reasoncodes import ReasonCode

Hearer = Callable[[str], Future[Any] | None]

CONNECT_SECONDS = 5.0
MAX_QUEUED = 1000
_PERMANENT = frozenset({135, 144, 149, 153})
"""PUBACK codes that repeating cannot mend: not authorized, topic name invalid, packet too large, payload invalid."""
_MAX_BYTES = 4096
"""No more of a message is looked at."""
_HEADER_BYTES = 16
"""More than what a PUBLISH packet has beside topic and body."""
_log = log.get("mqtt")


class MqttError(Exception):
    """The connection cannot be set up as configured; the message says why."""


class PublishError(Exception):
    """The broker did not take the message; a permanent refusal will be the same next time."""

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.permanent = permanent


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """How to reach the broker."""

    host: str
    port: int = 1883
    client_id: str
    user: str = ""
    password_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = None
    keepalive_seconds: int = 30
    publish_seconds: float = 10.0
    """How long the broker may take to acknowledge a message."""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Link:
    """`opened` is called on paho's thread once the broker has accepted the connection.

    What `heard` has for a topic is called there, too, with the text of a message. It may return a future: the message
    is acknowledged when that has an answer. One for which it raises, or never answers, comes again with the next
    connection, if the broker keeps the session.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        will: Message,
        opened: Callable[["Link"], None],
        heard: Mapping[str, Hearer],
        session_seconds: int = 0,
    ) -> None:
        self.connected = threading.Event()
        self.ended = threading.Event()
        self.accepted = False
        """Whether the broker ever accepted it."""
        self.reason = ""
        """Why it ended or was refused."""
        self._broker = broker
        self._opened = opened
        self._heard = heard
        self._session_seconds = session_seconds
        self._acknowledgements = Acknowledgements()
        self._max_bytes = 0
        """The largest packet that the broker takes; 0 while it names no limit."""
        self._client = new_client(broker)
        self._client.manual_ack_set(True)
        self._client.will_set(will.topic, will.body, qos=1, retain=will.retain)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_log = _on_log
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe

    def open(self) -> None:
        """Connect; the broker's answer comes later. Raise OSError or ValueError."""
        connect(self._client, self._broker, session_seconds=self._session_seconds)
        self._client.loop_start()

    def close(self) -> None:
        """Hang up and wait for paho's thread."""
        self._client.disconnect()
        self._client.loop_stop()
        self._end()

    def announce(self, messages: Iterable[Message]) -> None:
        """Publish without waiting for answers."""
        for message in messages:
            info = self._client.publish(message.topic, message.body, qos=1, retain=message.retain)
            self._acknowledgements.abandon(info.mid)

    def publish(self, message: Message, timeout_seconds: float) -> None:
        """Publish with QoS 1 and wait for the broker's word. Raise PublishError."""
        self._check(message)
        try:
            info = self._client.publish(message.topic, message.body, qos=1, retain=message.retain)
        except ValueError as error:
            raise PublishError(f"cannot be published: {error}", permanent=True) from error
        answer = self._acknowledgements.expect(info.mid)
        try:
            code = answer.result(timeout_seconds)
        except FutureTimeoutError:
            self._acknowledgements.abandon(info.mid)
            raise PublishError(f"no PUBACK within {timeout_seconds:g} s") from None
        if code is None:
            raise PublishError(self.reason or "the connection ended")
        if code.is_failure:
            raise PublishError(f"the broker refused: {code}", permanent=code.value in _PERMANENT)

    def _check(self, message: Message) -> None:
        """Refuse what would make the broker hang up."""
        if not message.topic or any(character in message.topic for character in "#+\0"):
            raise PublishError(f"{message.topic!r} is no topic to publish to", permanent=True)
        size = _HEADER_BYTES + len(message.topic.encode()) + len(message.body.encode())
        if self._max_bytes and size > self._max_bytes:
            raise PublishError(f"{size} bytes are more than the broker takes ({self._max_bytes})", permanent=True)

    def _end(self) -> None:
        self.connected.clear()
        self._acknowledgements.end()
        self.ended.set()

    # paho calls these on its own thread. It survives what they raise (suppress_exceptions) and reports it to _on_log.

    def _on_connect(
        self, _client: "Client", _userdata: object, _flags: object, code: "ReasonCode", properties: object
    ) -> None:
        if code.is_failure:
            self.reason = f"the broker refused the connection: {code}"
            return
        self._max_bytes = getattr(properties, "MaximumPacketSize", 0)
        self.accepted = True
        for topic in self._heard:  # each time: the broker may have lost the session
            self._client.subscribe(topic, qos=1)
        self._opened(self)
        self.connected.set()

    def _on_subscribe(
        self, _client: "Client", _userdata: object, _mid: int, codes: "list[ReasonCode]", _properties: object
    ) -> None:
        refused = [str(code) for code in codes if code.is_failure]
        if refused:
            _log.warning("the broker refused a subscription", topics=" ".join(self._heard), reason=" ".join(refused))

    def _on_message(self, _client: "Client", _userdata: object, message: "MQTTMessage") -> None:
        heard = self._heard.get(message.topic)
        answer = heard(message.payload[:_MAX_BYTES].decode(errors="replace")) if heard is not None else None
        if answer is None:
            self._client.ack(message.mid, message.qos)
        else:
            answer.add_done_callback(lambda _answer: self._client.ack(message.mid, message.qos))

    def _on_disconnect(
        self, _client: "Client", _userdata: object, _flags: object, code: "ReasonCode", _properties: object
    ) -> None:
        self.reason = self.reason or f"disconnected: {code}"
        self._end()

    def _on_publish(
        self, _client: "Client", _userdata: object, mid: int, code: "ReasonCode", _properties: object
    ) -> None:
        self._acknowledgements.arrived(mid, code)


def new_client(broker: Broker) -> "Client":
    """Return a client that is set up but not connected. Raise MqttError."""
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion  # noqa: PLC0415 - loaded only where a broker is

    from agent.mqtt.resting import RestingClient  # noqa: PLC0415 - same

    client = RestingClient(
        CallbackAPIVersion.VERSION2,
        client_id=broker.client_id,
        protocol=MQTTProtocolVersion.MQTTv5,
        reconnect_on_failure=False,
    )
    client.suppress_exceptions = True
    client.connect_timeout = CONNECT_SECONDS
    client.max_queued_messages_set(MAX_QUEUED)
    try:
        if broker.user:
            client.username_pw_set(broker.user, _password(broker.password_file))
        if broker.tls:
            client.tls_set(ca_certs=str(broker.ca_file) if broker.ca_file else None)
    except (OSError, ValueError) as error:
        raise MqttError(f"cannot set up the connection to the broker {broker}: {error}") from error
    return client


def connect(client: "Client", broker: Broker, *, session_seconds: int, **wanted: int) -> None:
    """Connect; the broker's answer comes later. `wanted` is what MQTT calls properties. Raise OSError or ValueError.

    Without `session_seconds` the session would end with the connection, and with it what was not acknowledged.
    """
    from paho.mqtt.packettypes import PacketTypes  # noqa: PLC0415 - loaded already
    from paho.mqtt.properties import Properties  # noqa: PLC0415 - same

    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = session_seconds
    for name, value in wanted.items():
        setattr(properties, name, value)
    client.connect(
        broker.host,
        broker.port,
        keepalive=broker.keepalive_seconds,
        clean_start=session_seconds == 0,
        properties=properties,
    )


def _password(path: Path | None) -> str | None:
    return path.read_text().strip("\r\n") if path else None


def _on_log(_client: "Client", _userdata: object, level: int, text: str) -> None:
    from paho.mqtt.enums import LogLevel  # noqa: PLC0415 - loaded already

    if level == LogLevel.MQTT_LOG_ERR:
        _log.warning("paho failed", message=text)
