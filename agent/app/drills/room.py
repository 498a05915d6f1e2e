"""Drills in the running daemon: something of its own is broken, and seen mended, all marked as a drill.

What a drill takes is loaded when one is held: a daemon seldom holds one.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from agent.engine.commands import Command, CommandError, StartDrill
from agent.store.reader import Reader
from agent.telemetry import log
from collectors.sample import Reading, Sample, Source

if TYPE_CHECKING:
    from agent.app.drills.going import Going

_log = log.get("drill")
_SOURCE = Source("drill", "")
_CLOSE_SECONDS = 2.0
NOT_NOW = 503
"""The status of an answer to who wants a drill at the wrong time."""


class Engine(Protocol):
    """What a drill needs of the engine."""

    def read(self, reading: Reading) -> None: ...

    def call(self, command: Command, timeout: float) -> Mapping[str, Any]: ...


class DrillRoom:
    """Holds one drill at a time. `start` waits until all is set up, so it is not for the engine's thread.

    `objection` says why there must be none now, if there is a reason.
    """

    def __init__(self, folder: Path, reader: Reader, engine: Engine, objection: Callable[[], str]) -> None:
        self._folder = folder
        self._reader = reader
        self._engine = engine
        self._objection = objection
        self._lock = threading.Lock()
        self._going: Going | None = None
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._clear()

    def start(self, order: StartDrill) -> Mapping[str, Any]:
        """Begin a drill; return its id and when the fault was made. Raise CommandError."""
        from agent.app.drills.going import Going  # noqa: PLC0415 - once in a while

        with self._lock:
            if self._going is not None and not self._going.held.finished:
                raise CommandError(f"drill {self._going.held.id} is not over yet", NOT_NOW)
            if why := self._objection():
                raise CommandError(f"no drill now: {why}", NOT_NOW)
            going = Going(self._folder, self._reader, self._engine, order, self._closing)
            going.begin()
            self._going = going
            self._thread = threading.Thread(target=going.follow, name="drill", daemon=True)
            self._thread.start()
        _log.info("drill started", drill=going.held.id, scenario=order.scenario, actor=order.actor)
        return {"drill": going.held.id, "killed_at": going.held.struck_at}

    def progress(self, drill_id: str) -> Mapping[str, Any] | None:
        """Return how far a drill is, or what one that is over came to; None if there is none."""
        if self._going is not None and self._going.held.id == drill_id:
            return self._going.result()
        return next((each for each in self._reader.drills() if each["drill"] == drill_id), None)

    def close(self) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)
        self._clear()

    def _clear(self) -> None:
        """Take away what an interrupted drill has left, and say that what it measured is over."""
        if not any(self._folder.iterdir()):
            return
        from agent.app.drills import faults  # noqa: PLC0415 - once in a while

        faults.clear(self._folder)
        self._engine.read(reading())


def reading(samples: Sequence[Sample] = ()) -> Reading:
    """Return what is measured now, which is all there is to say about a drill."""
    return Reading(source=_SOURCE, at=time.time(), samples=samples, pushed=True)
