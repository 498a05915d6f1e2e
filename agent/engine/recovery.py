"""Taking up the work after a restart: what was durable is all there is."""

import sqlite3
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cache

from agent.clock import Clock
from agent.engine import attempts, housekeeping, loading
from agent.engine.batch import Batch
from agent.engine.ledger import owner
from agent.engine.parts import Parts
from agent.incidents.events import AttemptNeverBegan, AttemptSettled
from agent.incidents.incident import Incident, Outcome, State
from agent.store import quarantine, writes
from agent.store.database import Database, set_meta
from agent.telemetry import log, metrics

_log = log.get("recovery")
_INTERRUPTED = "WHERE state = 'running' AND kind = 'remediation'"

EndSurvivors = Callable[[str], str]
"""Ends what is left of an interrupted run, by its id; returns what it found, for the record."""
Began = Callable[[str], bool]
"""Asks the root helper whether a run of that id has begun. It goes on and is collected, or nothing has happened."""


def next_row(connection: sqlite3.Connection, table: str) -> int:
    """Return the first free row id; ids are given out in memory so that a claim can join the transaction of its row."""
    (highest,) = connection.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()  # noqa: S608 - our names
    return int(highest) + 1


def elapsed_shift(database: Database, clock: Clock) -> float:
    """Return by how much instants on record must move so that the time that has truly passed is what counts.

    Within one boot that is what CLOCK_BOOTTIME says; after another boot it is the wall clock's word, unless that says
    that less than no time has passed.
    """
    anchor = quarantine.meta(database, "anchor", float, None)
    if anchor is None:
        return 0.0
    if quarantine.meta(database, "boot_id", str, "") != clock.boot_id:
        return min(0.0, clock.now() - _last_sign(database))
    return (clock.now() - clock.boottime()) - anchor


def _last_sign(database: Database) -> float:
    """Return when the life before said something last, on its clock; 0: never."""
    signs = [quarantine.meta(database, housekeeping.ALIVE, float, 0.0)]
    newest = ("ORDER BY id DESC LIMIT 1", ())
    quarantine.each(database, "audit", "at", lambda at: signs.append(float(at)), where=newest)
    return max(signs)


def take_up(build: Callable[[], Parts], end_survivors: EndSurvivors, began: Began) -> Parts:
    """Return parts that know all that is durable, and can be read and applied: without what cannot, begun anew."""
    ended, asked = cache(end_survivors), cache(began)
    while True:
        parts = build()
        try:
            recover(parts, ended, asked)
        except loading.SetAsideError:  # what was made of it so far may be anything
            continue
        return parts


def recover(parts: Parts, end_survivors: EndSurvivors, began: Began) -> None:
    """Load incidents, alerts, counters and the outbox; settle what a crash interrupted.

    Raise SetAsideError when a row had to be set aside: the parts are of no use then.
    """
    database, known = parts.database, quarantine.count(parts.database)
    found, never = _interrupted(database, end_survivors, began)
    shift = elapsed_shift(database, parts.clock)
    batch = Batch(now=parts.clock.now())
    interrupted = _loaded(parts, batch, batch.now - shift, never)
    if quarantine.count(database) > known:
        raise loading.SetAsideError
    if shift:
        settled_at = parts.situations.settled_at
        batch.writes += housekeeping.shift(parts, shift)
        parts.situations.settled_at = settled_at  # that one counts from this start
    _give_time(parts, batch.now)
    _begin_again(parts, batch.now)
    batch.writes += [*housekeeping.anchor(parts.clock), set_meta("started_at", repr(batch.now))]
    for run in [*interrupted, *_orphaned(parts)]:
        with loading.aside(database, "incidents", run.incident_id):
            _interrupt(parts, batch, run, found.get(run.run_id, "what was ordered cannot be read"))
    for incident in [each for each in parts.casebook if each.work is not None and each.work.run_id in never]:
        with loading.aside(database, "incidents", incident.id):
            _take_back(parts, batch, incident)
    loading.replay(parts, batch)
    database.commit(batch.writes)
    parts.delivery.durable()
    parts.intake.durable()
    metrics.QUARANTINED.set(known)
    if parts.outside.hears_alerts and batch.alerts:
        parts.outside.told_alerts(batch.alerts)


def _interrupted(
    database: Database, end_survivors: EndSurvivors, began: Began
) -> tuple[dict[str, str], frozenset[str]]:
    """End what is left of interrupted runs; return what was found of each, and those that never began.

    This takes its time, and what happens then is still the run's.
    """
    rows: list[tuple[str, str]] = []

    def take(run_id: str, target: str) -> None:
        rows.append((run_id.encode().decode(), target))

    quarantine.each(database, "outbox", "key, target", take, where=(_INTERRUPTED, ()))
    found = {run_id: end_survivors(run_id) for run_id, target in rows if target != loading.HELPER}
    never = frozenset(run_id for run_id, target in rows if target == loading.HELPER and not began(run_id))
    for run_id in never:
        end_survivors(run_id)  # what is run before a run is no work of the helper's
    return found, never


def _loaded(parts: Parts, batch: Batch, then: float, never: Collection[str]) -> list[loading.Interrupted]:
    """Load everything; return the runs that the crash interrupted. `then` is what the clock that wrote would say."""
    database, now = parts.database, batch.now
    loading.switches(parts)
    loading.silences(parts)
    loading.incidents(parts, now)
    parts.ledger.load(database, without=never)
    parts.desk.problems.load(database, now)
    parts.desk.changes.load(database, now)
    loading.alerts(parts, batch, then)
    parts.desk.first_start = database.meta("started_at") is None and now < parts.situations.settled_at
    batch.writes += parts.situations.newcomers.load(database, parts.ruleset.identities, now)
    return loading.outbox(parts, batch, never)


def _orphaned(parts: Parts) -> list[loading.Interrupted]:
    """Return the runs for which incidents would wait for ever: their order is set aside, and nobody performs it."""
    lost = quarantine.orders(parts.database)
    return [
        loading.Interrupted(each.work.run_id, each.id, each.attempts[-1].remediation, each.attempts[-1].resource, "")
        for each in parts.casebook.working()
        if each.state is State.REMEDIATING and each.work is not None and each.work.run_id in lost
    ]


def _interrupt(parts: Parts, batch: Batch, run: loading.Interrupted, said: str) -> None:
    """Settle a run that is not repeated, whatever became of it."""
    _log.warning("run interrupted by a restart", run=run.run_id, found=said)
    parts.ledger.running[run.run_id] = run.resource
    event = AttemptSettled(run_id=run.run_id, outcome=Outcome.INTERRUPTED, detail=f"the daemon stopped; {said}")
    told = attempts.by_boot(event, run.asked_on, parts.clock.boot_id)
    attempts.ended(parts, batch, run.incident_id, told, run.remediation)


def _take_back(parts: Parts, batch: Batch, incident: Incident) -> None:
    """Undo an attempt that never began: it does not count, and what to do is decided anew."""
    attempt = incident.attempts[-1]
    if attempt.compensates:  # what made things worse has run: a person must hear that it was not undone
        lost = AttemptSettled(run_id=attempt.run_id, outcome=Outcome.INTERRUPTED, detail="it never began")
        attempts.ended(parts, batch, incident.id, lost, attempt.remediation)
        return
    batch.writes.append(writes.drop_run(attempt.run_id))
    if attempt.step == 0:
        batch.writes += parts.ledger.take_back(owner(attempt.remediation, attempt.resource, drill=incident.drill))
    parts.desk.happened(batch, incident, AttemptNeverBegan(run_id=attempt.run_id))
    parts.desk.changes.never_began(batch, attempt.run_id)


def _give_time(parts: Parts, now: float) -> None:
    """Let verification that ran out of time while nobody looked begin anew: no attempt fails for want of a witness."""
    for incident in parts.casebook.verifying():
        work = incident.work
        if work is not None and work.deadline is not None and work.deadline <= now:
            ladder = parts.situations.policy.ladder(work.remediation)
            deadline = now + (ladder.verify.timeout if ladder is not None else 0.0)
            parts.casebook.put(replace(incident, work=replace(work, deadline=deadline)))


def _begin_again(parts: Parts, now: float) -> None:
    """Let a chain that would begin in the future count from now: the clock was wrong before the restart."""
    for incident in parts.casebook.active():
        page = incident.page
        if page is not None and page.since is not None and page.since > now:
            parts.casebook.put(replace(incident, page=replace(page, since=now), page_at=now))
