"""The host's state topic: one retained message that follows the incidents, however fast they change."""

import threading
from collections.abc import Iterable

from agent.incidents.incident import Incident
from agent.mqtt.client import MqttClient
from agent.mqtt.link import PublishError
from agent.mqtt.topics import Message, state_message

RETRY_SECONDS = 5.0


class Summary:
    """Publishes the newest state on a thread of its own; what came in between was never seen by anybody."""

    def __init__(self, client: MqttClient, *, prefix: str, host: str) -> None:
        self._client = client
        self._prefix = prefix
        self._host = host
        self._changed = threading.Condition()
        self._next: Message | None = None
        self._closed = False

    def start(self) -> None:
        threading.Thread(target=self._run, name="mqtt-state", daemon=True).start()

    def offer(self, incidents: Iterable[Incident], at: float) -> None:
        """Take the state over to be published. Never waits."""
        message = state_message(self._prefix, self._host, incidents, at)
        with self._changed:
            self._next = message
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._next is not None)
                if self._closed or self._next is None:
                    return
                message, self._next = self._next, None
            try:
                self._client.publish(message)
            except PublishError:
                self._try_again(message)

    def _try_again(self, message: Message) -> None:
        """Put the message back unless there is a newer one, after a rest or as soon as there is."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._next is not None, RETRY_SECONDS)
            self._next = self._next or message
