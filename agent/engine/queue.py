"""The one queue into the engine. What may be refused under load, and what never, is decided here (semantics §6)."""

import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from agent.engine.coalescing import coalesced
from agent.engine.commands import BusyError, Command
from agent.incidents.events import EffectSettled
from agent.telemetry import metrics
from collectors.sample import Failure, Reading

_COMMANDS = 1000
_PUSHED = 10_000
_SPARE = 2500
"""To coalesce costs a look at all that waits: so many readings come between two times."""
_SCHEDULED = 1000
_ROUND_SECONDS = 0.05
"""After the first reading of a round of collectors the rest is waited for: one wake-up for all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A command and where its answer goes."""

    command: Command
    answer: Future[Mapping[str, Any]] = field(default_factory=Future)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseChanged:
    """The host's service manager is starting, running or stopping."""

    phase: str


Item = EffectSettled | PhaseChanged | Ordered | Reading | Failure


class EngineQueue:
    """Classes in the order in which they are taken: settled effects, commands, pushed readings, scheduled readings."""

    def __init__(self) -> None:
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        self._emptied = threading.Condition(lock)
        """Told when the engine has taken what waited."""
        self._settled: deque[EffectSettled | PhaseChanged] = deque()
        self._commands: deque[Ordered] = deque()
        self._pushed: deque[Reading] = deque()
        self._scheduled: deque[Reading | Failure] = deque()
        self._woken = False
        self.stopping = False

    def settled(self, settled: EffectSettled) -> None:
        """Never refused: an effect that was performed must be known."""
        with self._changed:
            self._settled.append(settled)
            self._changed.notify()

    def phase(self, phase: str) -> None:
        with self._changed:
            self._settled.append(PhaseChanged(phase=phase))
            self._changed.notify()

    def order(self, command: Command) -> Future[Mapping[str, Any]]:
        """Return the future that gets the answer once it is durable. Raise BusyError when too many wait."""
        ordered = Ordered(command=command)
        ordered.answer.set_running_or_notify_cancel()  # from here on nobody can take it back
        with self._changed:
            if len(self._commands) >= _COMMANDS:
                metrics.QUEUE_DROPPED.labels("command").inc()
                raise BusyError
            self._commands.append(ordered)
            self._changed.notify()
        return ordered.answer

    def read(self, reading: Reading) -> None:
        with self._changed:
            if reading.pushed:
                self._push(reading)
                self._changed.notify()
            elif len(self._scheduled) >= _SCHEDULED:
                metrics.QUEUE_DROPPED.labels("scheduled").inc()
            else:
                self._schedule(reading)

    def _push(self, reading: Reading) -> None:
        if len(self._pushed) >= _PUSHED:
            self._coalesce()
        self._pushed.append(reading)

    def _coalesce(self) -> None:
        """Of each series only the newest sample goes on waiting. If that leaves too much, the oldest is lost."""
        before = len(self._pushed)
        self._pushed = coalesced(self._pushed)
        metrics.QUEUE_COALESCED.labels("pushed").inc(before - len(self._pushed))
        while len(self._pushed) > _PUSHED - _SPARE:
            self._pushed.popleft()
            metrics.QUEUE_DROPPED.labels("pushed").inc()

    def fail(self, failure: Failure) -> None:
        with self._changed:
            if len(self._scheduled) >= _SCHEDULED:
                metrics.QUEUE_DROPPED.labels("scheduled").inc()
            else:
                self._schedule(failure)

    def _schedule(self, item: Reading | Failure) -> None:
        if not self._scheduled:
            self._changed.notify()
        self._scheduled.append(item)

    def wake(self) -> None:
        with self._changed:
            self._woken = True
            self._changed.notify()

    def stop(self) -> None:
        with self._changed:
            self.stopping = True
            self._changed.notify()

    def take(self, timeout: float, limit: int) -> list[Item]:
        """Wait up to `timeout` seconds and return at most `limit` items, the most urgent first."""
        with self._changed:
            if not self._waiting() and timeout > 0:
                self._changed.wait(timeout)
            if self._scheduled and timeout > 0 and not self._hurried():
                self._changed.wait(min(timeout, _ROUND_SECONDS))
            self._woken = False
            taken: list[Item] = []
            for lane in (self._settled, self._commands, self._pushed, self._scheduled):
                while lane and len(taken) < limit:
                    taken.append(lane.popleft())
            self._emptied.notify_all()
            return taken

    def until_taken(self, timeout: float) -> None:
        """Wait until every scheduled reading that waits now has been taken, at most so long."""
        with self._changed:
            self._woken = True
            self._changed.notify()
            self._emptied.wait_for(lambda: not self._scheduled, timeout)

    def has_urgent(self) -> bool:
        """Return whether something waits that must not wait for a long evaluation."""
        return bool(self._settled or self._commands or self._pushed)

    def _hurried(self) -> bool:
        return self._woken or self.stopping or self.has_urgent()

    def _waiting(self) -> bool:
        return self._hurried() or bool(self._scheduled)

    def report(self) -> None:
        """Bring the gauges up to date."""
        metrics.QUEUE_LENGTH.labels("settled").set(len(self._settled))
        metrics.QUEUE_LENGTH.labels("command").set(len(self._commands))
        metrics.QUEUE_LENGTH.labels("pushed").set(len(self._pushed))
        metrics.QUEUE_LENGTH.labels("scheduled").set(len(self._scheduled))


def answered(future: Future[Mapping[str, Any]], answer: Mapping[str, Any] | Exception) -> None:
    """Tell whoever gave an order how it went, unless they wait no more."""
    if future.cancelled():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
