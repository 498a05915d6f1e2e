"""Who waits for which PUBACK. It may arrive before the publisher learns its message's id, or after it gave up."""

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paho.mqtt.reasoncodes import ReasonCode


class Acknowledgements:
    """Matches the message ids of one connection with their answers. Nothing is called with the lock held."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[int, Future[ReasonCode | None]] = {}
        self._abandoned: set[int] = set()
        self._ended = False

    def expect(self, mid: int) -> "Future[ReasonCode | None]":
        """Return what will hold the broker's answer; None in it says that the connection ended first."""
        with self._lock:
            answer = self._answers.setdefault(mid, Future())
            if answer.done():
                del self._answers[mid]
            elif self._ended:
                answer.set_result(None)
            return answer

    def arrived(self, mid: int, code: "ReasonCode") -> None:
        with self._lock:
            if mid in self._abandoned:
                self._abandoned.discard(mid)
                return
            answer = self._answers.pop(mid, None)
            if answer is None:
                answer = self._answers[mid] = Future()
        answer.set_result(code)

    def abandon(self, mid: int) -> None:
        """Say that nobody waits for this id any more."""
        with self._lock:
            self._answers.pop(mid, None)
            self._abandoned.add(mid)

    def end(self) -> None:
        """Say that the connection ended: everybody who waits is told."""
        with self._lock:
            self._ended = True
            waiting = [answer for answer in self._answers.values() if not answer.done()]
        for answer in waiting:
            answer.set_result(None)
