"""Signals as something to wait for that cannot be missed: a pipe that the interpreter writes each one into."""

import os
import select
import signal
from collections.abc import Callable
from types import FrameType
from typing import Self

_READ_BYTES = 4096
_Handler = Callable[[int, FrameType | None], object] | int | None


class Signals:
    """The given signals, for the main thread to wait for while entered.

    A handler that sets an Event is not enough: one that comes while the main thread waits for the interpreter lock, on
    its way into `Event.wait()`, runs only when that wait ends, which is never. A byte in a pipe stays there to be read.
    """

    def __init__(self, *numbers: signal.Signals) -> None:
        self._numbers = numbers
        self._before: dict[signal.Signals, _Handler] = {}
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._writer, False)

    def __enter__(self) -> Self:
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in self._numbers:
            # Without a handler of Python's nothing is written.
            self._before[number] = signal.signal(number, lambda *_: None)
        return self

    def __exit__(self, *_error: object) -> None:
        """Let them do again what they did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        os.close(self._writer)
        os.close(self._reader)

    def wait(self, seconds: float | None = None) -> set[signal.Signals]:
        """Return which came since the last call; wait for one if none did, at most so long."""
        if not select.select([self._reader], [], [], seconds)[0]:
            return set()
        return {signal.Signals(number) for number in os.read(self._reader, _READ_BYTES)}

    def tell(self, number: signal.Signals) -> None:
        """Make the waiting thread see `number` as if it had been sent. Any thread may."""
        os.write(self._writer, bytes([number]))
