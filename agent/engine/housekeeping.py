"""What the engine does beside deciding: move intervals when the clock steps, keep gauges true, forget what is old."""

import sqlite3
from collections import Counter
from contextlib import suppress

from agent.clock import Clock
from agent.engine import pruning, silencing
from agent.engine.parts import Parts
from agent.incidents.silences import SilenceState
from agent.itsm.changes import ChangeType
from agent.store import writes
from agent.store.database import Write, set_meta
from agent.telemetry import log, metrics
from collectors.sample import Origin, Source, gauge
from rules.alert import AlertState
from rules.spells import Told

_log = log.get("engine")
ALERT_STATE = gauge("paramedic_alert_state", "1 for every alert that is pending, firing or without data.")
ALERT_STATES = Source("alert_state")
_FOREIGN_STATES = Source("alert_state", "foreign")
_SHOWN = {state: ("alertstate", state.value) for state in AlertState}

REPORT_SECONDS = 15.0
ALIVE_SECONDS = 60.0
"""How exactly the length of an outage is known."""
ALIVE = "alive_at"


def shift(parts: Parts, delta: float) -> list[Write]:
    """Move every open interval by a step of the wall clock. Return what must be written."""
    moved = parts.casebook.shift(delta)
    standings = parts.ledger.shift(delta)
    parts.delivery.outbox.shift(delta)
    parts.series.shift(delta)
    parts.ruleset.shift(delta)
    parts.situations.settled_at += delta
    parts.situations.outages.shift(delta)
    parts.orders.schedule.shift(delta)
    muting = parts.situations.muting
    muting.maintain(muting.maintenance, muting.maintenance_until + delta)
    muting.sources.shift(delta)
    return [
        *anchor(parts.clock),
        silencing.put_maintenance(muting),
        *writes.shift_counters(delta),
        *writes.shift_outside(delta),
        *parts.desk.changes.shift(delta),
        *standings,
        *parts.situations.newcomers.shift(delta),
        *parts.appointments.shift(delta),
        parts.intake.shift(delta),
        *(writes.put_incident(incident) for incident in moved),
        *(writes.put_alert(alert) for alert in parts.ruleset.active()),
    ]


def anchor(clock: Clock) -> list[Write]:
    """Return the writes that say which boot this is and how its clocks relate."""
    return [set_meta("boot_id", clock.boot_id), set_meta("anchor", repr(clock.now() - clock.boottime()))]


def look_round(parts: Parts, now: float) -> list[Write]:
    """Bring the gauges up to date, and let go of what is old. Return what must be written."""
    _report(parts, now)
    due = _stay_alive(parts, now)
    try:
        _report_record(parts, now)
        if not parts.situations.degraded:
            due += _prune(parts, now)
    except sqlite3.Error as error:  # a disk that fails is no reason to stop watching
        if not parts.unreadable:
            _log.error("the record cannot be read", error=str(error))
        parts.unreadable = True
    else:
        parts.unreadable = False
    return due


def _report(parts: Parts, now: float) -> None:
    """Bring the gauges about incidents, alerts and series up to date."""
    metrics.INCIDENTS.clear()
    active = parts.casebook.active()
    for incident in parts.casebook:
        if not incident.drill:
            metrics.INCIDENTS.labels(incident.state, incident.priority).inc()
    metrics.PROBLEMS.clear()
    for problem in parts.desk.problems.open():
        metrics.PROBLEMS.labels(problem.state).inc()
    _report_changes(parts)
    metrics.OLDEST_TICKET.set(max((now - i.opened_at for i in active if i.tickets and not i.drill), default=0.0))
    metrics.OLDEST_INCIDENT.set(max((now - i.opened_at for i in active if not i.drill), default=0.0))
    _report_muting(parts, now)
    metrics.STOPPED.set(1.0 if parts.situations.stopped() else 0.0)
    states = [alert.state for alert in parts.ruleset.active() if alert.label("drill") != "true"]
    for state in (AlertState.PENDING, AlertState.FIRING, AlertState.NO_DATA):
        metrics.ALERTS.labels(state).set(states.count(state))
    parts.desk.tally.report(now)
    metrics.POSTED.set(len(parts.intake))
    _report_alerts(parts, now)
    for target, failing in parts.delivery.outbox.failing().items():
        metrics.DELIVERY_FAILING.labels(target).set(1.0 if failing else 0.0)
    metrics.SERIES.set(parts.series.series_count)
    _report_refused(parts)
    with suppress(OSError):  # somebody has moved the file away; what is written still goes there
        metrics.STATE_BYTES.set(parts.database.path.stat().st_size)


def _report_changes(parts: Parts) -> None:
    kinds = Counter(change.type for change in parts.desk.changes.open() if not change.drill)
    for kind in ChangeType:
        metrics.CHANGES_OPEN.labels(kind).set(kinds[kind])
    metrics.CHANGES_UNREVIEWED.set(parts.desk.changes.unreviewed())


def _report_refused(parts: Parts) -> None:
    """Say who has more series than there is room for: once, and again when it is somebody else."""
    refused = parts.series.refused
    before, parts.crowded = parts.crowded, frozenset(refused)
    metrics.SAMPLES_REFUSED.set(sum(refused.values()))
    if parts.crowded - before:
        _log.warning(
            "no room for more series", collectors=" ".join(sorted(parts.crowded)), left_out=sum(refused.values())
        )


def _report_muting(parts: Parts, now: float) -> None:
    states = Counter(silence.state(now) for silence in parts.situations.muting.silences.values())
    for state in SilenceState:
        metrics.SILENCES.labels(state).set(states[state])
    metrics.SUPPRESSED.set(sum(1 for i in parts.casebook.active() if i.suppressed and not (i.parent or i.drill)))


def _report_alerts(parts: Parts, now: float) -> None:
    """Store the state of every alert, so that dashboards find here what `/metrics` shows."""
    alerts = (*parts.ruleset.active(), *parts.intake.shown())
    for source, origin in ((ALERT_STATES, Origin.LOCAL), (_FOREIGN_STATES, Origin.HTTP)):
        local = origin is Origin.LOCAL  # what others say is theirs, also where a rule asks for it here
        shown = (alert for alert in alerts if (alert.origin is Origin.LOCAL) is local)
        told = {Told(ALERT_STATE.name, alert.labels, _SHOWN[alert.state]): 1.0 for alert in shown}
        parts.series.tell(source, now, told, origin=origin)


def _report_record(parts: Parts, now: float) -> None:
    """Bring those up to date that only the database can tell."""
    metrics.STATE_USED.set(parts.database.used_bytes())
    metrics.OUTBOX.clear()
    oldest = now
    query = (
        "SELECT kind, state, count(*), min(created_at) FROM outbox WHERE state IN ('pending', 'running') GROUP BY 1, 2"
    )
    for kind, state, count, created in parts.database.connection.execute(query):
        metrics.OUTBOX.labels(kind, state).set(count)
        oldest = min(oldest, created)
    metrics.OUTBOX_OLDEST.set(now - oldest)


def _stay_alive(parts: Parts, now: float) -> list[Write]:
    """Let go of old samples, and note now and then that we are alive."""
    schedule = parts.orders.schedule
    if now < schedule.alive:
        return []
    schedule.alive = now + ALIVE_SECONDS
    parts.series.drop_old(now)
    over = parts.overrides.expire(now) if parts.overrides is not None else []
    return [set_meta(ALIVE, repr(now)), *over]


def _prune(parts: Parts, now: float) -> list[Write]:
    schedule = parts.orders.schedule
    if now < schedule.prune:
        return []
    forgotten, again = pruning.prune(parts, now)
    schedule.prune = now + again
    return forgotten
