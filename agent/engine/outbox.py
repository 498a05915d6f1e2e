"""What is owed and to whom: which row may be performed next. The rows themselves are in the database."""

import random
from collections import deque
from dataclasses import dataclass, field

from agent.incidents.effects import Kind

_SLOTS = {Kind.REMEDIATION: 16, Kind.TICKET: 4, Kind.PUBLISH: 1}
"""Rows of one target performed at the same time. How many repairs may run is for the guards to say, not for this."""
_BACKOFF_START = 1.0
_BACKOFF_CAPS = {Kind.REMEDIATION: 300.0, Kind.TICKET: 300.0, Kind.PUBLISH: 10.0}
"""Asking a publisher costs nobody anything: it knows whether it is connected, and must not lag behind when it is."""
OVERDUE_SECONDS = 1800.0
"""Whoever performs has time-outs; this is for what they do not cover: a lane never waits for ever."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A row that waits or runs."""

    id: int
    kind: Kind
    lane: str
    target: str


@dataclass(slots=True)
class _Target:
    """One performer: the lanes that wait for it, how many rows it has in hand, and how it has been doing."""

    lanes: dict[str, list[Owed]] = field(default_factory=dict)
    """Lists, for there may be very many, and each is short."""
    ready: deque[str] = field(default_factory=deque)
    running: int = 0
    failures: int = 0
    not_before: float = 0.0


class Outbox:
    """Lanes are served oldest first, one row of each at a time; a target that fails is asked with one row at a time."""

    def __init__(self) -> None:
        self._targets: dict[str, _Target] = {}
        self._running: dict[int, tuple[Owed, str, float]] = {}
        """By row: what runs, under which claim, and since when."""

    def __len__(self) -> int:
        """Return how many rows are owed; any thread may ask."""
        return sum(len(lane) for target in tuple(self._targets.values()) for lane in tuple(target.lanes.values()))

    def failing(self) -> dict[str, bool]:
        """Return for every target that was ever owed something whether it fails now."""
        return {name: bool(target.failures) for name, target in self._targets.items()}

    def owes(self, target: str, lane: str) -> bool:
        """Tell whether anything of a lane is not done yet."""
        return target in self._targets and lane in self._targets[target].lanes

    def add(self, owed: Owed) -> None:
        target = self._targets.setdefault(owed.target, _Target())
        lane = target.lanes.setdefault(owed.lane, [])
        lane.append(owed)
        if len(lane) == 1:
            target.ready.append(owed.lane)

    def claim(self, now: float, claim_id: str) -> list[Owed]:
        """Take every row that may be performed now; each stays at the head of its lane until settled or postponed."""
        taken: list[Owed] = []
        for target in self._targets.values():
            while target.ready and target.not_before <= now:
                owed = target.lanes[target.ready[0]][0]
                slots = 1 if target.failures else _SLOTS[owed.kind]
                if target.running >= slots:
                    break
                target.ready.popleft()
                target.running += 1
                self._running[owed.id] = (owed, claim_id, now)
                taken.append(owed)
        return taken

    def running(self, row: int, claim_id: str) -> Owed | None:
        """Return the row if it runs under this claim, None for an answer that is not ours."""
        owed, claim, _ = self._running.get(row, (None, "", 0.0))
        return owed if claim == claim_id else None

    def overdue(self, now: float) -> list[tuple[Owed, str]]:
        """Return what has run for so long that nobody waits for its answer any more, with its claim; never a repair."""
        return [
            (owed, claim)
            for owed, claim, since in self._running.values()
            if owed.kind is not Kind.REMEDIATION and now - since > OVERDUE_SECONDS
        ]

    def settle(self, owed: Owed) -> None:
        """The row is done: the next one of its lane may go."""
        target = self._leave(owed)
        target.failures = 0
        target.not_before = 0.0
        lane = target.lanes[owed.lane]
        del lane[0]
        if lane:
            target.ready.append(owed.lane)
        else:
            del target.lanes[owed.lane]

    def drop_lane(self, owed: Owed) -> list[Owed]:
        """The row can never be done: give its lane up and return the rows that waited behind it."""
        target = self._leave(owed)
        return target.lanes.pop(owed.lane)[1:]

    def postpone(self, owed: Owed, now: float, retry_after: float) -> float:
        """The target failed: try again later, this row first. Return when."""
        target = self._leave(owed)
        target.ready.appendleft(owed.lane)
        ceiling = min(_BACKOFF_CAPS[owed.kind], _BACKOFF_START * 2 ** min(target.failures, 16))
        target.failures += 1
        target.not_before = now + max(retry_after, random.uniform(ceiling / 2, ceiling))  # noqa: S311 - jitter
        return target.not_before

    def _leave(self, owed: Owed) -> _Target:
        del self._running[owed.id]
        target = self._targets[owed.target]
        target.running -= 1
        return target

    def next_at(self) -> float | None:
        """Return when a target that failed may be asked again."""
        waits = [t.not_before for t in self._targets.values() if t.ready and t.failures]
        return min(waits, default=None)

    def shift(self, delta: float) -> None:
        for target in self._targets.values():
            target.not_before += delta if target.not_before else 0.0
        self._running = {row: (owed, claim, since + delta) for row, (owed, claim, since) in self._running.items()}
