"""Taking up the work after a restart: what was durable is all there is."""

import sqlite3
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import NamedTuple

import msgspec

from agent.clock import Clock
from agent.engine import attempts, housekeeping, orders, silencing
from agent.engine.batch import Batch
from agent.engine.ledger import owner
from agent.engine.outbox import Owed
from agent.engine.parts import Parts
from agent.incidents.effects import Kind
from agent.incidents.events import AttemptNeverBegan, AttemptSettled
from agent.incidents.incident import Incident, Outcome
from agent.incidents.posted import posts_of
from agent.store import documents, writes
from agent.store.database import Database, set_meta
from agent.telemetry import log
from rules.alert import AlertState

_log = log.get("recovery")
FORGOTTEN_SECONDS = 3600.0
"""After a longer outage the `for` timers of pending alerts start again."""

_OWED = """SELECT id, kind, lane, target, key, incident_id, state, payload FROM outbox
WHERE state IN ('pending', 'running') ORDER BY id"""

_INTERRUPTED = "SELECT key, target FROM outbox WHERE state = 'running' AND kind = 'remediation'"

EndSurvivors = Callable[[str], str]
"""Ends what is left of an interrupted run, by its id; returns what it found, for the record."""
Began = Callable[[str], bool]
"""Asks the root helper whether a run of that id has begun. It goes on and is collected, or nothing has happened."""
_HELPER = "helper"


class _Interrupted(NamedTuple):
    """A run that was under way when the daemon ended. `asked_on`: see `attempts.by_boot`."""

    run_id: str
    incident_id: str
    remediation: str
    resource: str
    asked_on: str


def next_row(connection: sqlite3.Connection, table: str) -> int:
    """Return the first free row id; ids are given out in memory so that a claim can join the transaction of its row."""
    (highest,) = connection.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()  # noqa: S608 - our names
    return int(highest) + 1


def elapsed_shift(database: Database, clock: Clock) -> float:
    """Return by how much instants on record must move so that the time that has truly passed is what counts.

    Within one boot that is what CLOCK_BOOTTIME says; after another boot it is the wall clock's word, unless that says
    that less than no time has passed.
    """
    boot_id, anchor = database.meta("boot_id"), database.meta("anchor")
    if anchor is None:
        return 0.0
    if boot_id != clock.boot_id:
        return min(0.0, clock.now() - _last_sign(database))
    return (clock.now() - clock.boottime()) - float(anchor)


def _last_sign(database: Database) -> float:
    """Return when the life before said something last, on its clock; 0: never."""
    latest = database.connection.execute("SELECT at FROM audit ORDER BY id DESC LIMIT 1").fetchone()
    return max(float(database.meta(housekeeping.ALIVE) or 0.0), latest[0] if latest is not None else 0.0)


def recover(parts: Parts, end_survivors: EndSurvivors, began: Began) -> None:
    """Load incidents, alerts, counters and the outbox; settle what a crash interrupted."""
    connection = parts.database.connection
    # Ending what is left of a run takes its time, and what happens then is still the run's.
    rows = connection.execute(_INTERRUPTED).fetchall()
    found = {run_id: end_survivors(run_id) for run_id, target in rows if target != _HELPER}
    never = frozenset(run_id for run_id, target in rows if target == _HELPER and not began(run_id))
    for run_id in never:
        end_survivors(run_id)  # what is run before a run is no work of the helper's
    now = parts.clock.now()
    shift = elapsed_shift(parts.database, parts.clock)
    batch = Batch(now=now)
    _load_switches(parts)
    _load_silences(parts)
    _load_incidents(parts, now)
    parts.ledger.load(connection, without=never)
    parts.desk.problems.load(connection, now)
    parts.desk.changes.load(connection, now)
    _load_alerts(parts, batch, now - shift)
    parts.desk.first_start = parts.database.meta("started_at") is None and now < parts.situations.settled_at
    batch.writes += parts.situations.newcomers.load(parts.database, parts.ruleset.identities, now)
    interrupted = _load_outbox(parts, batch, never)
    if shift:
        settled_at = parts.situations.settled_at
        batch.writes += housekeeping.shift(parts, shift)
        parts.situations.settled_at = settled_at  # that one counts from this start
    _give_time(parts, now)
    _begin_again(parts, now)
    batch.writes += [*housekeeping.anchor(parts.clock), set_meta("started_at", repr(now))]
    for run in interrupted:
        said = found[run.run_id]
        _log.warning("run interrupted by a restart", run=run.run_id, found=said)
        parts.ledger.running[run.run_id] = run.resource
        event = AttemptSettled(run_id=run.run_id, outcome=Outcome.INTERRUPTED, detail=f"the daemon stopped; {said}")
        told = attempts.by_boot(event, run.asked_on, parts.clock.boot_id)
        attempts.ended(parts, batch, run.incident_id, told, run.remediation)
    for incident in [each for each in parts.casebook if each.work is not None and each.work.run_id in never]:
        _take_back(parts, batch, incident)
    parts.database.commit(batch.writes)
    parts.delivery.durable()


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


def _load_switches(parts: Parts) -> None:
    """Take back the operators' stop and maintenance. The broker tells its own again."""
    situations, database = parts.situations, parts.database
    stops = msgspec.json.decode(database.meta(orders.STOP) or "{}", type=dict[str, str])
    situations.stopped_by = {origin: reason for origin, reason in stops.items() if origin == "operator"}
    reason, until = msgspec.json.decode(database.meta(silencing.MAINTENANCE) or '["", 0]', type=tuple[str, float])
    situations.muting.maintain(reason, until)


def _load_silences(parts: Parts) -> None:
    found = []
    for key, text in parts.database.connection.execute("SELECT id, document FROM silences"):
        try:
            found.append(documents.silence(text))
        except ValueError as error:  # its time zone may have gone from this host
            _log.error("silence cannot be restored", silence=key, error=str(error))
    parts.situations.muting.place(found)


def _load_incidents(parts: Parts, now: float) -> None:
    for (text,) in parts.database.connection.execute("SELECT document FROM incidents WHERE state != 'closed'"):
        incident = _clamped(documents.incident(text), parts, now)
        parts.casebook.put(incident)
        parts.situations.note(incident, now)


def _clamped(incident: Incident, parts: Parts, now: float) -> Incident:
    """No wait may be longer than its full period: the clock may have been wrong before the restart."""
    longest = max(parts.situations.policy.reopen_window, parts.situations.policy.no_data_after, 86400.0)
    if incident.wake_at is None or incident.wake_at <= now + longest:
        return incident
    return replace(incident, wake_at=now + longest)


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


def _load_alerts(parts: Parts, batch: Batch, then: float) -> None:
    """Take up alerts; `then` is what the clock that wrote them would say now."""
    now = batch.now
    alerts = [documents.alert(text) for (text,) in parts.database.connection.execute("SELECT document FROM alerts")]
    alive = [a for a in alerts if a.state is not AlertState.RESOLVED]
    outage = then - float(parts.database.meta(housekeeping.ALIVE) or then)
    cutoff = then if outage > FORGOTTEN_SECONDS else 0.0
    ended = parts.ruleset.restore(alive, then, cutoff)
    for change in ended:
        parts.desk.alert_changed(batch, change)
    _load_posted(parts, now)
    posted = parts.intake.active()
    parts.desk.take_up((*parts.ruleset.active(), *posted))
    parts.situations.muting.note((*parts.ruleset.active(), *posted), now)
    parts.outside.told_alerts([a for a in alerts if a.state is not AlertState.PENDING])
    if parts.outside.hears_alerts:
        parts.outside.told_alerts(posted)


def _load_posted(parts: Parts, now: float) -> None:
    connection = parts.database.connection
    waiting = connection.execute("SELECT id, origin, body FROM inbox ORDER BY id").fetchall()
    held = [documents.held(row, now) for row in connection.execute("SELECT * FROM posted")]
    parts.intake.restore([(row, origin, posts_of(body)) for row, origin, body in waiting], held)


def _load_outbox(parts: Parts, batch: Batch, never: Collection[str]) -> list[_Interrupted]:
    """Put owed rows back into their lanes. Return the runs that the crash interrupted: those are never repeated.

    A run that the helper has in hand goes on: its row stays owed, and whoever performs it collects the result.
    """
    interrupted = []
    rows = parts.database.connection.execute(_OWED).fetchall()
    for row, kind, lane, target, key, incident_id, state, payload in rows:
        if kind == Kind.REMEDIATION and state == "running" and key in never:
            batch.writes.append(writes.settle(row, state="interrupted", at=batch.now, reason="it never began"))
        elif kind == Kind.REMEDIATION and state == "running" and target != _HELPER:
            batch.writes.append(writes.settle(row, state="interrupted", at=batch.now, reason="the daemon stopped"))
            order = msgspec.json.decode(payload)
            interrupted.append(_Interrupted(key, incident_id, order["remediation"], lane, order.get("boot_id", "")))
        else:
            parts.delivery.outbox.add(Owed(row, Kind(kind), lane, target))
            if kind == Kind.REMEDIATION:
                parts.ledger.running[key] = lane
    return interrupted
