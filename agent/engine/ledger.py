"""The counters that guards read. They belong to remediations, action kinds and resources, and survive restarts."""

import itertools
from collections import defaultdict, deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from agent.store import documents, quarantine, writes
from agent.store.database import Database, Write
from remediations.limits import BreakerLimits
from remediations.standing import UNTRIED, Standing, judged, shifted, tried

Owner = tuple[str, str]
"""(remediation, resource)"""
Subject = tuple[str, str]
"""What has a standing: ("remediation", its name) or ("action", its kind)."""

DRILL = "drill:"
"""Stands before the name of a remediation that a drill has tried; no name holds a colon."""
_KEPT = 1000
_COLUMNS = ("run_id", "remediation", "resource", "action", "started_at", "ended_at")
_RUN = {name: name for name in _COLUMNS} | {
    "drill": "CASE WHEN json_valid(document) THEN json_extract(document, '$.drill') END"
}
_RAN = "LEFT JOIN incidents ON id = incident_id WHERE outcome IS NOT 'refused' ORDER BY started_at DESC LIMIT ?"


@dataclass(slots=True, kw_only=True)
class Run:
    """One execution. `ended_at` is None while it runs."""

    run_id: str
    remediation: str
    resource: str
    action: str
    started_at: float
    ended_at: float | None = None
    first_step: bool = False
    """It begins a pass of the ladder."""
    drill: bool = False

    @property
    def owner(self) -> Owner:
        return owner(self.remediation, self.resource, drill=self.drill)


def owner(remediation: str, resource: str, *, drill: bool) -> Owner:
    """Return whose counters an execution moves. A drill has limits, but its own: it uses up nobody else's."""
    return (DRILL + remediation if drill else remediation, resource)


def subject(remediation: str, *, drill: bool) -> Subject:
    """Return whose standing a verdict changes; a drill's says nothing about real repairs."""
    return ("remediation", DRILL + remediation if drill else remediation)


class Ledger:
    """Runs, passes and standings in memory; every change comes with the writes that make it durable."""

    def __init__(self) -> None:
        self._all: deque[Run] = deque(maxlen=_KEPT)
        self._by_owner: dict[Owner, deque[Run]] = defaultdict(lambda: deque(maxlen=_KEPT))
        self._by_action: dict[str, deque[Run]] = defaultdict(lambda: deque(maxlen=_KEPT))
        self._passes: dict[Owner, tuple[int, float]] = {}
        self._standings: dict[Subject, Standing] = {}
        self.running: dict[str, str] = {}
        """run id -> resource of executions that have not ended."""

    def load(self, database: Database, without: Collection[str] = ()) -> None:
        """Rebuild the counters from the record, `without` these runs. What was refused never ran."""
        runs: list[Run] = []

        def take_run(*columns: Any) -> None:  # noqa: ANN401 - whatever stands there
            run = Run(**dict(zip(_RUN, columns, strict=True)))
            runs.append(
                replace(
                    run,
                    started_at=float(run.started_at),
                    ended_at=float(run.ended_at) if run.ended_at is not None else None,
                    drill=bool(run.drill),
                )
            )

        quarantine.each(database, "runs", ", ".join(_RUN.values()), take_run, where=(_RAN, (_KEPT,)))
        for run in reversed(runs):
            if run.run_id not in without:
                self._note(run)

        def take_pass(remediation: str, resource: str, count: int, unhealthy: float) -> None:
            self._passes[remediation, resource] = (int(count), float(unhealthy))

        def take_standing(scope: str, name: str, document: str) -> None:
            self._standings[scope, name] = documents.standing(document)

        quarantine.each(database, "passes", "remediation, resource, count, unhealthy_at", take_pass)
        quarantine.each(database, "standings", "scope, name, document", take_standing)

    def _note(self, run: Run) -> None:
        for runs in self._lists(run):
            runs.append(run)

    def _lists(self, run: Run) -> tuple[deque[Run], ...]:
        own = (self._all, self._by_owner[run.owner])
        return own if run.drill else (*own, self._by_action[run.action])

    def started(
        self, run: Run, *, ill_since: float, reset: float, breakers: Iterable[tuple[Subject, BreakerLimits]]
    ) -> list[Write]:
        """Count an execution, and a pass if it begins one; see `passes`. Return what must be written."""
        self._note(run)
        self.running[run.run_id] = run.resource
        now = run.started_at
        changes = [
            write
            for subject, limits in breakers
            for write in self.stand(subject, tried(self.standing(subject), limits, now))
        ]
        if run.first_step:
            self._passes[run.owner] = (self.passes(run.owner, ill_since, reset) + 1, now)
            changes.append(writes.put_passes(*run.owner, *self._passes[run.owner]))
        return changes

    def ended(self, run_id: str, now: float) -> None:
        self.running.pop(run_id, None)
        for run in reversed(self._all):
            if run.run_id == run_id:
                run.ended_at = now
                return

    def never_ran(self, run_id: str) -> list[Write]:
        """Take an execution back that was counted and refused before anything happened. Return what must be written."""
        self.running.pop(run_id, None)
        run = next((run for run in reversed(self._all) if run.run_id == run_id), None)
        if run is None:
            return []
        for runs in self._lists(run):
            runs.remove(run)
        return self.take_back(run.owner) if run.first_step else []

    def judged(self, subject: Subject, limits: BreakerLimits, *, helped: bool, now: float) -> list[Write]:
        """Take the verdict on an attempt into a standing. Return what must be written."""
        return self.stand(subject, judged(self.standing(subject), limits, helped=helped, now=now))

    def stand(self, subject: Subject, standing: Standing) -> list[Write]:
        """Take a new standing. Return what must be written."""
        if standing == self.standing(subject):
            return []
        self._standings[subject] = standing
        return [writes.put_standing(*subject, standing)]

    def standing(self, subject: Subject) -> Standing:
        return self._standings.get(subject) or UNTRIED

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """Return what was ever judged or tried."""
        return tuple(self._standings)

    def take_back(self, owner: Owner) -> list[Write]:
        """Uncount a pass whose first step never began."""
        count, unhealthy_at = self._passes[owner]
        self._passes[owner] = (max(0, count - 1), unhealthy_at)
        return [writes.put_passes(*owner, *self._passes[owner])]

    def unhealthy(self, owner: Owner, now: float) -> list[Write]:
        """Note that the resource was not well until now: the healthy time that resets passes begins anew."""
        count, _ = self._passes.get(owner, (0, now))
        self._passes[owner] = (count, now)
        return [writes.put_passes(*owner, count, now)]

    def passes(self, owner: Owner, ill_since: float, reset: float) -> int:
        """Return how many passes were begun since the resource was well for `reset` seconds, the last time it was.

        It has not been well since `ill_since`.
        """
        count, unhealthy_at = self._passes.get(owner, (0, ill_since))
        return 0 if ill_since - unhealthy_at >= reset else count

    def runs(self, owner: Owner, since: float) -> tuple[float, ...]:
        """Return when executions on (remediation, resource) started, oldest first."""
        return _starts(self._by_owner.get(owner), since)

    def runs_of(self, action: str, since: float) -> tuple[float, ...]:
        """Return when executions of this kind of action started, oldest first."""
        return _starts(self._by_action.get(action), since)

    def host_runs(self, since: float) -> tuple[float, ...]:
        """Return when executions on this host started, oldest first; drills act on nothing of it."""
        return _starts(deque(run for run in self._all if not run.drill), since)

    def last_run_at(self, owner: Owner) -> float | None:
        """Return when the last execution on (remediation, resource) ended, or started if it has not ended."""
        return _last(self._by_owner.get(owner))

    def last_run_of(self, action: str) -> float | None:
        return _last(self._by_action.get(action))

    def shift(self, delta: float) -> list[Write]:
        """Move every instant by a step of the wall clock, so that intervals keep their length."""
        for run in self._all:
            run.started_at += delta
            run.ended_at = run.ended_at + delta if run.ended_at is not None else None
        self._passes = {owner: (count, at + delta) for owner, (count, at) in self._passes.items()}
        self._standings = {subject: shifted(standing, delta) for subject, standing in self._standings.items()}
        return [writes.put_standing(*subject, standing) for subject, standing in self._standings.items()]


def _starts(runs: deque[Run] | None, since: float) -> tuple[float, ...]:
    recent = itertools.takewhile(lambda run: run.started_at >= since, reversed(runs or ()))
    return tuple(run.started_at for run in recent)[::-1]


def _last(runs: deque[Run] | None) -> float | None:
    if not runs:
        return None
    return max(run.ended_at if run.ended_at is not None else run.started_at for run in runs)
