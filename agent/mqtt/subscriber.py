"""Hears what is subscribed to, hands it to the engine, and acknowledges what the engine has taken. Reconnects for ever.

One thread owns connection and messages. While the engine works on one batch the next gathers; a message that was not
acknowledged when the connection or the daemon ends comes again, because the broker keeps the session.
"""

import os
import select
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from agent.engine.commands import BusyError, CommandError, Ingest
from agent.mqtt.feed import Batch, Feed
from agent.mqtt.inlet import Inlet
from agent.mqtt.link import Broker, MqttError, new_client
from agent.mqtt.reconnecting import MAX_DELAY_SECONDS, Delay, Fate
from agent.telemetry import log
from agent.telemetry.metrics import MQTT_INPUT_CONNECTED, QUEUE_DROPPED

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

Order = Callable[[Ingest], Future[Mapping[str, Any]]]

MAX_BATCH = 500
MAX_GATHERED = 2000
"""Messages that may wait for the engine before older values make room for newer ones; mostly QoS 0 can be so many."""
RETRY_SECONDS = 0.2
CLOSE_SECONDS = 1.0
_log = log.get("mqtt")


class Subscriber:
    """Works from `start` to `close`. `order` hands what was heard to the engine; it may raise BusyError."""

    def __init__(
        self,
        broker: Broker,
        feed: Feed,
        order: Order,
        *,
        receive_maximum: int = 100,
        session_expiry_seconds: int = 3600,
    ) -> None:
        self._broker = broker
        self._feed = feed
        self._order = order
        self._receive_maximum = receive_maximum
        self._session_expiry_seconds = session_expiry_seconds
        self._connected = MQTT_INPUT_CONNECTED.labels(str(broker))
        self._fate = Fate(str(broker), good="subscribed at the broker", bad="no messages from the broker")
        self._inlet: Inlet | None = None
        self._gathered = Batch()
        self._gathered_mids: list[int] = []
        self._gathered_count = 0
        self._more = False
        """Whether there may be messages that no poll would announce, because they were read into a buffer."""
        self._sent: Ingest | None = None
        """What the engine has, or refused and must be asked again."""
        self._sent_mids: list[int] = []
        self._sent_from: Inlet | None = None
        self._answer: Future[Mapping[str, Any]] | None = None
        self._retry_at = 0.0
        self._closing = False
        self._woken = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="mqtt-in", daemon=True)

    def start(self) -> None:
        """Connect in the background. Raise MqttError."""
        new_client(self._broker)  # a file that cannot be read is an error now, not later in the log
        self._connected.set(0)
        self._feed.start()
        self._thread.start()

    def close(self) -> None:
        """Let the engine finish what it has, acknowledge that and hang up; takes two seconds at most."""
        self._closing = True
        self._wake()
        if self._thread.is_alive():
            # It may be in the middle of a slow connect; a daemon thread may be left behind.
            self._thread.join(2 * CLOSE_SECONDS)

    @property
    def is_connected(self) -> bool:
        inlet = self._inlet
        return inlet is not None and inlet.granted and not inlet.ended

    def _wake(self) -> None:
        os.eventfd_write(self._woken, 1)

    # -- its thread

    def _run(self) -> None:
        """Connect, live as long as the connection does, and again."""
        delay = Delay()
        while not self._closing:
            was_accepted = self._live()
            until = time.monotonic() + delay.after(was_accepted=was_accepted)
            while not self._closing and (left := until - time.monotonic()) > 0:
                self._turn(None, left)

    def _live(self) -> bool:
        """Keep one connection until it ends; return whether the broker ever accepted it."""
        inlet = None
        try:
            inlet = Inlet(
                self._broker,
                receive_maximum=self._receive_maximum,
                session_expiry_seconds=self._session_expiry_seconds,
            )
            inlet.open(self._feed.subscriptions)
        except (OSError, ValueError, MqttError) as error:
            self._fate.note(f"cannot connect to {self._broker}: {error}")
            return False
        self._inlet, self._more = inlet, False
        rest = self._broker.keepalive_seconds / 4
        while not (inlet.ended or self._closing):
            self._turn(inlet, rest)
            self._tell(inlet)
        if self._closing:
            self._finish(inlet)
        self._inlet = None
        self._gathered_mids = []  # they mean nothing to the next connection
        self._connected.set(0)
        if not self._closing:
            self._fate.note(inlet.reason)
        return inlet.accepted

    def _turn(self, inlet: Inlet | None, timeout_seconds: float) -> None:
        """Wait until there is something to do, and do it."""
        readable, writable = self._wait(inlet, timeout_seconds)
        if inlet is not None:
            if readable:
                self._read(inlet)
            if writable:
                inlet.write()
            inlet.keep_alive()
        self._feed.sweep(self._gathered)
        self._settle()
        self._hand_over()

    def _wait(self, inlet: Inlet | None, timeout_seconds: float) -> tuple[bool, bool]:
        """Return whether the connection can be read and written."""
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        descriptor = inlet.descriptor if inlet is not None else -1
        room = self._gathered_count < MAX_GATHERED
        if inlet is not None and descriptor >= 0:
            poll.register(descriptor, select.POLLIN * room | select.POLLOUT * inlet.wants_write)
        buffered = self._more and room
        found = dict(poll.poll(0 if buffered else 1000 * min(timeout_seconds, *self._deadlines())))
        if self._woken in found:
            os.eventfd_read(self._woken)
        events = found.get(descriptor, 0)
        broken = events & (select.POLLERR | select.POLLHUP)
        return bool(events & select.POLLIN or broken or buffered), bool(events & select.POLLOUT)

    def _deadlines(self) -> list[float]:
        """Return in how many seconds something is due."""
        due = [self._feed.sweep_seconds or MAX_DELAY_SECONDS]
        if self._sent is not None and self._answer is None:
            due.append(max(0.0, self._retry_at - time.monotonic()))
        return due

    def _read(self, inlet: Inlet) -> None:
        messages, self._more = inlet.read(MAX_BATCH)
        for message in messages:
            self._gather(message)
        self._gathered_count += len(messages)
        if self._gathered_count >= MAX_GATHERED:
            self._coalesce()

    def _coalesce(self) -> None:
        """Let only the newest value of each series wait; where that leaves too much, the socket is left alone.

        A message whose value was replaced is acknowledged with the batch that has what took its place.
        """
        left = self._gathered.coalesce()
        if left <= MAX_GATHERED // 2:  # else it would have to be done again at once
            self._gathered_count = left

    def _gather(self, message: "MQTTMessage") -> None:
        if message.qos:
            self._gathered_mids.append(message.mid)
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self._feed.refused_topic()
            return
        self._feed.take(self._gathered, topic, bytes(message.payload))

    def _settle(self) -> None:
        """Acknowledge what the engine has taken; what it refused is asked again in a while."""
        answer = self._answer
        if answer is None or not answer.done():
            return
        self._answer = None
        error = answer.exception()
        if isinstance(error, CommandError):
            self._later(error)
        elif error is not None:
            raise error
        else:
            self._acknowledge()

    def _acknowledge(self) -> None:
        self._sent = None
        if self._sent_from is not None and not self._sent_from.ended:  # else they come again
            self._sent_from.acknowledge(self._sent_mids)

    def _hand_over(self) -> None:
        """Give the engine what has gathered, or once more what it refused, unless it is busy with something of ours."""
        if self._answer is not None:
            return
        if self._sent is None:
            self._take_gathered()
        if self._sent is None or time.monotonic() < self._retry_at:
            return
        try:
            self._answer = self._order(self._sent)
        except BusyError as error:
            self._later(error)
        else:
            self._answer.add_done_callback(lambda _: self._wake())

    def _take_gathered(self) -> None:
        """Make what has gathered the next thing to hand over; what needs no engine is acknowledged at once."""
        self._sent = self._gathered.ingest()
        if self._sent is None and not self._gathered_count:
            return
        self._sent_mids, self._sent_from = self._gathered_mids, self._inlet
        self._gathered, self._gathered_mids, self._gathered_count = Batch(), [], 0
        if self._sent is None and self._sent_mids:
            self._acknowledge()

    def _later(self, error: CommandError) -> None:
        QUEUE_DROPPED.labels("mqtt").inc()
        self._retry_at = time.monotonic() + RETRY_SECONDS
        _log.debug("the engine is busy: messages wait", reason=str(error))

    def _finish(self, inlet: Inlet) -> None:
        """Wait for the engine's last answer, acknowledge, hang up."""
        if self._answer is not None:
            try:
                self._answer.exception(CLOSE_SECONDS)
            except TimeoutError:
                _log.info("messages were not taken in time; the broker sends them again")
            else:
                self._settle()
        inlet.close()

    def _tell(self, inlet: Inlet) -> None:
        if inlet.granted and self._fate.reason:
            self._connected.set(1)
            self._fate.note("")
