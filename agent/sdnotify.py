"""What systemd wants to hear from a service of Type=notify, over the socket it names in the environment."""

import os
import socket
import time
from collections.abc import Mapping

TIMEOUT_SECONDS = 1.0


class Notifier:
    """Sends states to $NOTIFY_SOCKET; without one, or when it is gone, says nothing: it is never a reason to stop."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        self.watchdog_seconds = _watchdog_seconds(environment)
        """How often `watchdog` must be called: half of what systemd allows. None: nobody watches."""

    def ready(self, status: str) -> None:
        self._send("READY=1", f"STATUS={_line(status)}")

    def status(self, text: str) -> None:
        self._send(f"STATUS={_line(text)}")

    def watchdog(self) -> None:
        self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """Say that a reload began; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, *states: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.settimeout(TIMEOUT_SECONDS)
                channel.sendto("\n".join(states).encode(), self._address)
        except OSError:
            return


def _watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    """Return half of the watchdog time if it was meant for this process."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 2_000_000


def _line(text: str) -> str:
    """Return the text as one line: a line end would start another state."""
    return " ".join(text.split())
