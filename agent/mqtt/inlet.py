"""One connection that messages come in by. Its owner drives it: nothing happens but when it is asked to.

paho's own loop would call select for every message and wake itself for every answer; driven from outside it reads and
answers many at a time.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent.mqtt.feed import Subscription
from agent.mqtt.link import Broker, connect, new_client
from agent.telemetry import log

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage
    from paho.mqtt.reasoncodes import ReasonCode

MAX_PACKET_BYTES = (1 << 20) + (1 << 12)
"""The broker is asked not to send more: a message of 1 MiB, its topic and its properties."""
_NO_OLD_MESSAGES = 2
"""What MQTT calls "do not send retained messages" when subscribing."""
_log = log.get("mqtt")


class Inlet:
    """For one thread. QoS 1 messages are acknowledged by `acknowledge` and by nothing else."""

    def __init__(self, broker: Broker, *, receive_maximum: int, session_expiry_seconds: int) -> None:
        self.accepted = False
        """Whether the broker ever accepted the connection."""
        self.granted = False
        """Whether it granted every subscription."""
        self.ended = False
        self.reason = ""
        """Why it ended or was refused."""
        self._broker = broker
        self._receive_maximum = receive_maximum
        self._session_expiry_seconds = session_expiry_seconds
        self._subscriptions: Sequence[Subscription] = ()
        self._arrived: list[MQTTMessage] = []
        self._client = new_client(broker)
        self._client.manual_ack_set(True)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect
        # Its presence makes paho leave writing to us.
        self._client.on_socket_register_write = lambda *_: None

    def open(self, subscriptions: Sequence[Subscription]) -> None:
        """Connect; the broker's answer comes later. Raise OSError or ValueError."""
        self._subscriptions = subscriptions
        connect(
            self._client,
            self._broker,
            session_seconds=self._session_expiry_seconds,
            ReceiveMaximum=self._receive_maximum,
            MaximumPacketSize=MAX_PACKET_BYTES,
        )

    @property
    def descriptor(self) -> int:
        """Return the file descriptor to wait on; -1 when the connection has ended."""
        socket = self._client.socket()
        return socket.fileno() if socket is not None else -1

    @property
    def wants_write(self) -> bool:
        return self._client.want_write()

    def read(self, limit: int) -> "tuple[list[MQTTMessage], bool]":
        """Return the messages that are there, at most `limit`, and whether there may be more."""
        arrived: list[MQTTMessage] = []
        self._arrived = arrived
        while len(arrived) < limit:
            before = len(arrived)
            self._client.loop_read()
            if self.ended or len(arrived) == before:
                break
        return arrived, not self.ended and (len(arrived) >= limit or self._buffered() > 0)

    def _buffered(self) -> int:
        """Return how much TLS has unpacked already: no poll tells of that."""
        pending = getattr(self._client.socket(), "pending", None)
        return pending() if pending is not None else 0

    def write(self) -> None:
        self._client.loop_write()

    def keep_alive(self) -> None:
        self._client.loop_misc()

    def acknowledge(self, mids: Sequence[int]) -> None:
        """Send the PUBACK of every message, in the order in which they came."""
        for mid in mids:
            self._client.ack(mid, 1)
        self._client.loop_write()

    def close(self) -> None:
        """Hang up; the broker keeps the session."""
        self._client.disconnect()
        self._client.loop_write()
        self.ended = True

    # paho calls these while it is driven

    def _on_connect(
        self, _client: "Client", _userdata: object, _flags: object, code: "ReasonCode", _properties: object
    ) -> None:
        from paho.mqtt.subscribeoptions import SubscribeOptions  # noqa: PLC0415 - loaded already

        if code.is_failure:
            self.reason = f"the broker refused the connection: {code}"
            return
        self.accepted = True
        wanted: dict[str, SubscribeOptions] = {}
        for each in self._subscriptions:  # each time: the broker may have lost the session
            known = wanted.get(each.pattern.filter)
            qos = max(each.qos, known.QoS if known is not None else 0)
            old = each.retained or (known is not None and known.retainHandling == 0)
            wanted[each.pattern.filter] = SubscribeOptions(qos=qos, retainHandling=0 if old else _NO_OLD_MESSAGES)
        self._client.subscribe(list(wanted.items()))

    def _on_subscribe(
        self, _client: "Client", _userdata: object, _mid: int, codes: "list[ReasonCode]", _properties: object
    ) -> None:
        filters = list(dict.fromkeys(each.pattern.filter for each in self._subscriptions))
        refused = [f"{name}: {code}" for name, code in zip(filters, codes, strict=False) if code.is_failure]
        self.granted = not refused
        if refused:
            self.reason = f"the broker refused the subscription {'; '.join(refused)}"
            _log.warning("the broker refused a subscription", reason="; ".join(refused))

    def _on_message(self, _client: "Client", _userdata: object, message: "MQTTMessage") -> None:
        self._arrived.append(message)

    def _on_disconnect(
        self, _client: "Client", _userdata: object, _flags: object, code: "ReasonCode", _properties: object
    ) -> None:
        self.reason = self.reason or f"disconnected: {code}"
        self.ended = True
