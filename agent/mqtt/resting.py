"""paho's client without its look around once a second. Importing this loads paho."""

from typing import TYPE_CHECKING

from paho.mqtt.client import Client

if TYPE_CHECKING:
    from paho.mqtt.enums import MQTTErrorCode


class RestingClient(Client):
    """Sleeps until its socket or somebody who publishes wakes it, or it is time to see whether it must say it lives."""

    def loop_forever(self, timeout: float = 0.0, retry_first_connection: bool = False) -> "MQTTErrorCode":  # noqa: FBT001, FBT002 - paho's own
        """Run until the connection ends; its thread calls this without a timeout."""
        return super().loop_forever(timeout or self.keepalive / 4, retry_first_connection)
