"""A recording under way: the engine shows what it takes on one side, somebody fetches it as text on the other."""

import secrets
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from agent.clock import Clock
from agent.engine.commands import CommandError
from agent.engine.delivery import Answered
from agent.engine.engine import Engine
from agent.engine.parts import Parts
from agent.engine.queue import Item
from agent.intake import recording
from agent.intake.recording import End, Header
from collectors.sample import Labels, Reading
from remediations.sandbox import HostEnvironment

LONGEST_SECONDS = 86400.0
_MOST_SAMPLES = 500_000
"""So many may wait to be fetched."""
_ABANDONED_SECONDS = 60.0
"""Who has not fetched for so long does not come back."""
_PIECE = 4 * 1024 * 1024
"""About how many characters are fetched at once."""


class Recorder:
    """`see` belongs to the engine's thread, `fetch` to anybody's."""

    def __init__(self, engine: Engine, clock: Clock, header: Header, seconds: float) -> None:
        self.id = secrets.token_hex(8)
        self._engine = engine
        self._clock = clock
        self._until = header.at + seconds
        self._fetched_at = clock.boottime()
        self._lock = threading.Lock()
        self._head = recording.line(header)
        self._taken: deque[tuple[float, Item | Answered]] = deque()
        self._samples = 0
        self._end: End | None = None
        engine.witness = self.see

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more is taken down, also because it has been abandoned."""
        if self._clock.boottime() - self._fetched_at > _ABANDONED_SECONDS:
            self._finish("nobody fetched it")
        return self._end is not None

    def see(self, now: float, item: Item | Answered) -> None:
        """Take down what the engine took."""
        if now >= self._until:
            self._finish("")
        if self.is_over:
            return
        with self._lock:
            self._taken.append((now, item))
            self._samples += len(item.samples) if isinstance(item, Reading) else 1
        if self._samples > _MOST_SAMPLES:
            self._finish("more came in than was fetched")

    def fetch(self, *, stop: bool) -> Mapping[str, Any]:
        """Return the text that was not fetched yet, or a large piece of it, and whether that is all there will be."""
        self._fetched_at = self._clock.boottime()
        if stop or self._clock.now() >= self._until:
            self._finish("")
        text, self._head = [self._head], ""
        size = 0
        while size < _PIECE and (taken := self._next()) is not None:
            text.append("".join(recording.lines(*taken)))
            size += len(text[-1])
        over = self._end is not None and not self._taken
        if over and self._end is not None:
            text.append(recording.line(self._end))
        return {"text": "".join(text), "over": over}

    def _next(self) -> tuple[float, Item | Answered] | None:
        with self._lock:
            if not self._taken:
                return None
            now, item = self._taken.popleft()
            self._samples -= len(item.samples) if isinstance(item, Reading) else 1
            return now, item

    def _finish(self, cut: str) -> None:
        with self._lock:
            if self._end is None:
                self._end = End(at=min(self._clock.now(), self._until), cut=cut)
                self._engine.witness = None


def recorder(engine: Engine, parts: Parts, external: Labels, environment: HostEnvironment, seconds: float) -> Recorder:
    """Begin a recording of this host. Raise CommandError for one that would be too long."""
    if not 0 < seconds <= LONGEST_SECONDS:
        raise CommandError(f"seconds must be more than 0 and at most {LONGEST_SECONDS:.0f}", 400)
    labels = dict(external)
    header = Header(
        at=parts.clock.now(),
        job=labels.get("job", ""),
        instance=labels.get("instance", ""),
        settled_at=parts.situations.settled_at,
        environment=asdict(environment),
    )
    return Recorder(engine, parts.clock, header, seconds)
