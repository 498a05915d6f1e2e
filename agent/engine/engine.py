"""The engine, the single writer: it takes what happened, decides, makes it durable, and only then lets it out."""

import heapq
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from agent.engine import attempts, housekeeping, loading
from agent.engine.batch import Batch
from agent.engine.commands import BusyError, Command, Ingest
from agent.engine.delivery import Answered
from agent.engine.durable import Durable
from agent.engine.judgements import Judgement
from agent.engine.judging import Judging
from agent.engine.parts import IDLE_SECONDS, Parts
from agent.engine.queue import EngineQueue, Item, Ordered, PhaseChanged, answered
from agent.engine.standstill import Standstill
from agent.incidents.effects import Kind
from agent.incidents.events import ClockDue, EffectSettled, TimerDue
from agent.incidents.incident import Incident, State
from agent.telemetry import log, metrics
from collectors.sample import Failure, Reading
from remediations.situation import HostPhase
from rules.alert import Alert

_log = log.get("engine")

STEP_SECONDS = 2.0
"""A wall clock that is off by more than this has been stepped."""
_BATCH = 500
_PREEXISTING = 5
"""More faults than this at the first start get one ticket together."""
_REFRESH_SECONDS = 0.1
"""How long after an action the watches look again: what it started needs the CPU more, and mostly tells by itself."""
_RETRY_SECONDS = 1.0
"""How soon writing is tried again when it failed."""
_GROUP_OFFSET = 0.5
"""Groups are evaluated this long after the grid, when the collectors of that instant have spoken."""

Witness = Callable[[float, Item | Answered], None]
"""Is told when (wall seconds) what was taken: items of the queue, and the ends of attempts."""


class Engine:
    """`run` is the engine thread; everything else may be called from any thread."""

    def __init__(self, parts: Parts) -> None:
        self._p = parts
        self.queue = EngineQueue()
        self.alerts: tuple[Alert, ...] = ()
        """Alerts of rules that are pending, firing or without data, as last published for other threads."""
        self.witness: Witness | None = None
        """Sees what is taken, while somebody records."""
        self._groups: list[tuple[float, str]] = []
        self._durable = Durable(parts.database, parts.situations)
        self._judging = Judging(
            ruleset=parts.ruleset, desk=parts.desk, casebook=parts.casebook, situations=parts.situations
        )
        self._refresh_at: float | None = None
        self._standstill = Standstill(parts.clock)
        self._next_watchdog = 0.0
        self._next_report = 0.0
        self.schedule_groups()

    # -- from other threads

    def read(self, reading: Reading) -> None:
        self.queue.read(reading)

    def fail(self, failure: Failure) -> None:
        self.queue.fail(failure)

    def settled(self, settled: EffectSettled) -> None:
        self.queue.settled(settled)

    def phase(self, phase: str) -> None:
        self.queue.phase(phase)

    def call(self, command: Command, timeout: float) -> Mapping[str, Any]:
        """Order something and wait until it is durable. Raise CommandError; BusyError when no answer comes in time."""
        answer = self.queue.order(command)
        try:
            return answer.result(timeout)
        except TimeoutError as error:
            raise BusyError("the engine did not answer in time") from error

    def judgement(self, rule: str) -> Judgement | None:
        """Return how the last evaluation of a rule went; None if it never was evaluated."""
        return self._judging.judgements.of(rule)

    def stop(self) -> None:
        self.queue.stop()

    # -- the engine thread

    def run(self) -> None:
        """Work until stopped. What is in the queue by then is still taken and made durable."""
        while True:
            # Nothing here holds on to what was taken while it waits for more.
            self.turn(self.queue.take(self._standstill.rests(self._patience()), _BATCH))
            if self.queue.stopping and not self.queue.has_urgent():
                break
        self.turn(())

    def turn(self, items: Iterable[Item]) -> None:
        """Take a batch of items and everything that is due, make it durable, let out what is owed."""
        self._follow_clock()
        batch = Batch(now=self._p.clock.now())
        if lost := self._standstill.lost() + self._standstill.blind(now=self._durable.is_full):
            attempts.doubt(self._p, batch, lost)
            self.schedule_groups()  # not before the collectors have spoken
            self._refresh_at = batch.now
        began = time.perf_counter()
        self._take_all(batch, items)
        self._due(batch)
        self._claim(batch)
        wrote = bool(batch.writes)
        self._finish(batch)
        if wrote:
            metrics.BATCH_SECONDS.observe(time.perf_counter() - began)
        self._report(batch.now)

    def _take_all(self, batch: Batch, items: Iterable[Item]) -> None:
        for item in items:
            self._witnessed(batch, item)
            self._take(batch, item)

    def _witnessed(self, batch: Batch, item: Item | Answered) -> None:
        witness = self.witness  # other threads set it
        if witness is not None:
            witness(batch.now, item)

    def _take(self, batch: Batch, item: Item) -> None:
        if isinstance(item, Reading):
            self._reading(batch, item)
        elif isinstance(item, Failure):
            self._p.series.fail(item)
        elif isinstance(item, EffectSettled):
            self._settled(batch, item)
        elif isinstance(item, PhaseChanged):
            self._p.situations.host_is(HostPhase(item.phase), batch.now)
        else:
            self._ordered(batch, item)

    def _reading(self, batch: Batch, reading: Reading) -> None:
        touched = self._append(batch, reading)
        if reading.pushed and not self._durable.is_full:
            self._judging.touched(batch, touched)
        elif reading.pushed:
            self._judging.touch(touched)

    def _append(self, batch: Batch, reading: Reading) -> frozenset[str]:
        if reading.at > batch.now:  # it was stamped before the clock was set back
            reading = replace(reading, at=batch.now)
        if reading.pushed and batch.pushed_at is None:
            batch.pushed_at = reading.at
        return self._p.series.append(reading)

    def _ingest(self, batch: Batch, readings: Iterable[Reading | Failure]) -> None:
        """Take many readings at once, and judge once what depends on any of them."""
        for reading in readings:
            if isinstance(reading, Reading):
                self._judging.touch(self._append(batch, reading))
            else:
                self._p.series.fail(reading)

    def _settled(self, batch: Batch, settled: EffectSettled) -> None:
        answered = self._p.delivery.settle(batch, settled)
        if answered is None or answered.row.kind is not Kind.REMEDIATION:
            if answered is not None and answered.row.kind is Kind.TICKET:
                attempts.ticket_told(self._p, batch, answered)
            return
        self._witnessed(batch, answered)
        attempts.answered(self._p, batch, answered)

    def _ordered(self, batch: Batch, ordered: Ordered) -> None:
        if isinstance(ordered.command, Ingest):
            self._ingest(batch, ordered.command.readings)
        answer = self._durable.refusal(ordered.command) or self._p.orders.carry_out(batch, ordered.command)
        batch.answers.append((ordered.answer, answer))

    # -- time

    def due_at(self) -> float:
        """Return the next instant (wall seconds) at which something is to be done, whatever comes in until then."""
        instants = [
            self._groups[0][0] if self._groups else None,
            self._p.casebook.next_at(),
            self._p.delivery.outbox.next_at(),
            self._p.intake.next_at(),
            self._p.situations.muting.next_at(),
            self._p.appointments.next_at(),
            self._p.situations.settled_at if self._p.desk.first_start else None,
            self._refresh_at,
        ]
        return min((at for at in instants if at is not None), default=math.inf)

    def _patience(self) -> float:
        """Return for how many seconds nothing is due."""
        now, running = self._p.clock.now(), self._p.clock.boottime()
        ping = self._next_watchdog - running
        if self._p.situations.degraded:  # much may be due that must wait for the disk
            return max(0.0, min(ping, _RETRY_SECONDS))
        return max(0.0, min(self.due_at() - now, ping, IDLE_SECONDS, self._judging.rest(running)))

    def schedule_groups(self) -> None:
        """Put every rule group on the grid of its interval."""
        now = self._p.clock.now()
        rules = {rule.identity for group in self._p.ruleset.groups.values() for rule in group.rules}
        self._judging.judgements.keep(rules)
        self._groups = [(_next_slot(now, g.interval_seconds), key) for key, g in self._p.ruleset.groups.items()]
        heapq.heapify(self._groups)

    def _due(self, batch: Batch) -> None:
        if self._durable.is_full:
            return
        self._judging.catch_up(batch, self._p.clock.boottime)
        while self._groups and self._groups[0][0] <= batch.now:
            _, key = heapq.heappop(self._groups)
            group = self._p.ruleset.groups.get(key)
            if group is not None:
                self._judging.group(batch, key, partial(self._between, batch))
                heapq.heappush(self._groups, (_next_slot(batch.now, group.interval_seconds), key))
        if self._refresh_at is not None and self._refresh_at <= batch.now:
            self._refresh_at = None
            self._p.outside.refresh()
        if self._p.desk.first_start and batch.now >= self._p.situations.settled_at:
            self._p.desk.first_start_over(batch, _PREEXISTING)
        for change in self._p.intake.due(batch, writing=not self._p.situations.degraded):
            self._p.desk.alert_changed(batch, change)
        if self._p.situations.muting.due(batch.now):
            self._p.desk.mutes_changed(batch)
        for incident in self._p.casebook.due(batch.now):
            with loading.aside(self._p.database, "incidents", incident.id):  # or each start would end like this one
                self._wake(batch, incident)
        self._p.appointments.keep(batch)

    def _between(self, batch: Batch) -> None:
        """Between two rules: a repair that has become due does not wait for the rest of a long evaluation."""
        if not self.queue.has_urgent():
            return
        self._finish(batch)
        batch.begin_again(self._p.clock.now())
        self._take_all(batch, self.queue.take(0.0, _BATCH))
        self._claim(batch)

    def _claim(self, batch: Batch) -> None:
        """Let go what is owed, unless nothing can be made durable: then it is not even in the database yet."""
        if not self._p.situations.degraded:
            self._p.delivery.claim(batch, self._p.database.connection)

    def _wake(self, batch: Batch, incident: Incident) -> None:
        if incident.wake_at is None or incident.wake_at > batch.now:
            self._p.desk.happened(batch, incident, ClockDue())
        elif incident.state is State.VERIFYING:
            self._p.desk.happened(batch, incident, self._judging.health(incident, batch.now))
        else:
            self._p.desk.happened(batch, incident, TimerDue())

    def _follow_clock(self) -> None:
        """Notice a step of the wall clock and move every open interval with it, calendar dates excepted."""
        clock = self._p.clock
        delta = clock.drift()
        if abs(delta) <= STEP_SECONDS:
            return
        clock.follow()
        _log.warning("the wall clock was stepped", seconds=round(delta, 3))
        metrics.CLOCK_STEPS.inc()
        self._p.situations.muting.changed = True  # what is told in dates holds again, or no longer
        self._durable.unwritten += housekeeping.shift(self._p, delta)
        self._next_report += delta
        self._refresh_at = self._refresh_at + delta if self._refresh_at is not None else None
        self.schedule_groups()

    # -- making it durable

    def _finish(self, batch: Batch) -> None:
        if batch.judged:
            self.alerts = tuple(self._p.ruleset.active())
        self._p.desk.flush(batch)
        self._p.intake.secure(batch)
        if not self._durable.commit(batch.writes):
            self._withhold(batch)
            return
        self._p.intake.durable()
        self._p.delivery.durable()
        for row in batch.claimed:
            self._p.outside.hand_over(row)
        if batch.pushed_at is not None and batch.writes:
            metrics.DETECTION_SECONDS.observe(max(0.0, self._p.clock.now() - batch.pushed_at))
        for future, answer in batch.answers:
            answered(future, answer)
        if batch.alerts:
            self._p.outside.told_alerts(batch.alerts)
        if batch.decided:
            self._p.outside.told_incidents(self._p.casebook.active())
        if batch.settled:
            self._refresh_at = self._p.clock.now() + _REFRESH_SECONDS

    def _withhold(self, batch: Batch) -> None:
        """Nothing leaves: repairs are refused rather than run blind, the rest is tried again, callers are told."""
        reason = self._p.situations.degraded
        for row in batch.claimed:
            refused = {"never_began": True} if row.kind is Kind.REMEDIATION else {}
            self.queue.settled(
                EffectSettled(row=row.id, claim=row.claim, done=bool(refused), reason=reason, result=refused)
            )
        for future, _ in batch.answers:
            answered(future, BusyError(reason))
        if batch.alerts:
            self._p.outside.told_alerts(batch.alerts)

    def _report(self, now: float) -> None:
        running = self._p.clock.boottime()  # which never steps: a clock set back must not get the daemon killed
        if running >= self._next_watchdog:
            self._p.outside.watchdog()
            self._next_watchdog = running + self._p.outside.watchdog_seconds
        if now >= self._next_report:
            self.queue.report()
            for settled in self._p.delivery.overdue(now):
                self.queue.settled(settled)
            self._durable.unwritten += housekeeping.look_round(self._p, now)
            self._next_report = now + housekeeping.REPORT_SECONDS


def _next_slot(now: float, interval: float) -> float:
    return (now - _GROUP_OFFSET) // interval * interval + interval + _GROUP_OFFSET
