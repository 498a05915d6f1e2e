"""The incidents that are not closed, in memory, found by id and by subject; and when each wants to be asked again."""

import heapq
import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from operator import attrgetter

from agent.incidents.incident import ACTIVE, Incident, State
from agent.incidents.moving import moved
from rules.alert import Alert
from rules.alert import shifted as alert_moved

_REMEMBERED = 1000
_WORKING = frozenset({State.REMEDIATING, State.VERIFYING})


class Casebook:
    """Incidents by id and by key, the heap of their wake-ups, and the fingerprints that hold each open."""

    def __init__(self) -> None:
        self._by_id: dict[str, Incident] = {}
        self._by_key: dict[str, str] = {}
        self._holding: dict[str, dict[str, Alert]] = {}
        """By key and fingerprint the alerts that hold an incident open, the newest last."""
        self._working: set[str] = set()
        self._wakes: list[tuple[float, str]] = []
        self.opened_at: deque[tuple[float, str]] = deque(maxlen=_REMEMBERED)
        """(when, alertname) of new incidents, for the storm brake."""
        self._kinds: dict[str, deque[float]] = {}
        """When the last incidents of a kind were opened."""
        self._children: dict[str, dict[str, None]] = {}
        self._folded: dict[str, str] = {}
        """Storm incidents by the fingerprints of alerts that are counted there and have no incident of their own."""
        self._folds: dict[str, set[str]] = {}

    def __iter__(self) -> Iterator[Incident]:
        return iter(list(self._by_id.values()))

    def get(self, incident_id: str) -> Incident | None:
        return self._by_id.get(incident_id)

    def by_key(self, key: str) -> Incident | None:
        incident_id = self._by_key.get(key)
        return self._by_id[incident_id] if incident_id is not None else None

    def put(self, incident: Incident) -> None:
        """Take the incident's newest revision; a closed one is forgotten."""
        before = self._by_id.get(incident.id)
        if incident.state in _WORKING:
            self._working.add(incident.id)
        else:
            self._working.discard(incident.id)
        if incident.state is State.CLOSED:
            self._by_id.pop(incident.id, None)
            for fingerprint in self._folds.pop(incident.id, ()):
                del self._folded[fingerprint]
            self._children.pop(incident.id, None)
            for head in (incident.parent, incident.covered_by):
                self._children.get(head, {}).pop(incident.id, None)
            if self._by_key.get(incident.key) == incident.id:
                del self._by_key[incident.key]
            self._holding.pop(incident.key, None)
            return
        for head in (incident.parent, incident.covered_by):
            if head:
                self._children.setdefault(head, {})[incident.id] = None
        self._by_id[incident.id] = incident
        self._by_key[incident.key] = incident.id
        for at in _times(incident) - (_times(before) if before else set()):
            heapq.heappush(self._wakes, (at, incident.id))

    def hold(self, key: str, alert: Alert) -> None:
        holding = self._holding.setdefault(key, {})
        holding.pop(alert.fingerprint, None)
        holding[alert.fingerprint] = alert

    def release(self, key: str, fingerprint: str) -> Alert | None:
        """One alert no longer holds. Return the newest of the same subject that still does, if there is one."""
        holding = self._holding.get(key, {})
        holding.pop(fingerprint, None)
        if not holding:
            self._holding.pop(key, None)
        return next(reversed(holding.values()), None)

    def due(self, now: float) -> list[Incident]:
        """Return the incidents whose wake-up has come, the gravest first."""
        due: dict[str, Incident] = {}
        while self._wakes and self._wakes[0][0] <= now:
            at, incident_id = heapq.heappop(self._wakes)
            incident = self._by_id.get(incident_id)
            if incident is not None and at in _times(incident):
                due[incident_id] = incident
        return sorted(due.values(), key=attrgetter("priority"))

    def next_at(self) -> float | None:
        while self._wakes:
            at, incident_id = self._wakes[0]
            incident = self._by_id.get(incident_id)
            if incident is not None and at in _times(incident):
                return at
            heapq.heappop(self._wakes)
        return None

    def verifying(self) -> list[Incident]:
        return [i for i in self.working() if i.state is State.VERIFYING]

    def working(self) -> list[Incident]:
        """Return the incidents on which an attempt runs or is being verified."""
        return [self._by_id[incident_id] for incident_id in sorted(self._working)]

    def active(self) -> list[Incident]:
        return [i for i in self if i.state in ACTIVE]  # a copy, for other threads ask too

    def children(self, parent: str) -> list[Incident]:
        found = (self._by_id.get(child) for child in self._children.get(parent, ()))
        return [child for child in found if child is not None and parent in (child.parent, child.covered_by)]

    def note_opening(self, kind: str, now: float, *, apart: bool, most: int) -> Sequence[float]:
        """Take note of a new incident; return when those of its kind before it were opened, the last `most`.

        Those that open muted, and drills, are `apart`, a kind of their own: they do not pull the brake.
        """
        if not apart:
            self.opened_at.append((now, kind))
        before = tuple(self._kinds.pop(kind, ()))
        self._kinds[kind] = deque((*before, now), maxlen=max(1, most))
        if len(self._kinds) > _REMEMBERED:
            del self._kinds[next(iter(self._kinds))]
        return before

    def fold(self, fingerprint: str, storm: str) -> None:
        """Count an alert for a storm incident instead of giving it one of its own."""
        if fingerprint not in self._folded:
            self._folded[fingerprint] = storm
            self._folds.setdefault(storm, set()).add(fingerprint)

    def is_folded(self, fingerprint: str) -> bool:
        return fingerprint in self._folded

    def unfold(self, fingerprint: str) -> str:
        """Forget such an alert, which is over; return the storm incident's id, "" if it was in none."""
        storm = self._folded.pop(fingerprint, "")
        if storm:
            self._folds[storm].discard(fingerprint)
        return storm

    def is_over(self, parent: str) -> bool:
        """Tell whether nothing of a storm or summary is active any more."""
        return not self._folds.get(parent) and not any(child.state in ACTIVE for child in self.children(parent))

    def opened_since(self, since: float) -> tuple[float, ...]:
        """Return when incidents were opened, oldest first."""
        recent = itertools.takewhile(lambda opened: opened[0] >= since, reversed(self.opened_at))
        return tuple(at for at, _ in recent)[::-1]

    def shift(self, delta: float) -> list[Incident]:
        """Move what may go on by a step of the wall clock. Return the incidents that changed."""
        shifted = [moved(incident, delta) for incident in self._by_id.values()]
        self._wakes.clear()
        for incident in shifted:
            self._by_id[incident.id] = incident
            for at in _times(incident):
                heapq.heappush(self._wakes, (at, incident.id))
        self.opened_at = deque(((at + delta, name) for at, name in self.opened_at), maxlen=_REMEMBERED)
        self._kinds = {kind: deque((at + delta for at in times), times.maxlen) for kind, times in self._kinds.items()}
        self._holding = {
            key: {fingerprint: alert_moved(alert, delta) for fingerprint, alert in holding.items()}
            for key, holding in self._holding.items()
        }
        return shifted


def _times(incident: Incident) -> set[float]:
    """Return when the incident wants to be asked again."""
    return {at for at in (incident.wake_at, incident.clock_at, incident.page_at) if at is not None}
