"""Posted alerts: applied at once or kept in the inbox, durable before they are acknowledged; silent ones noticed."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from agent.engine.backlog import WAIT_SECONDS, Backlog
from agent.engine.batch import Batch
from agent.engine.commands import BusyError, PostAlerts
from agent.engine.leases import Leases
from agent.incidents.posted import LEASE_SECONDS, Glance, Held, Post, alert_of, held_of, labels_of, rest_of, seconds_of
from agent.store import writes
from agent.store.database import Write
from agent.telemetry import metrics
from rules.alert import Alert, AlertChange, AlertState

_ALERT_BYTES = 2048
"""How much an alert may say, on average: where some say more, there is room for fewer."""
_BACKLOG_ALERTS = 100_000
"""While requests follow each other, this many alerts may wait in the inbox: to acknowledge goes before to apply."""
_QUIET_SECONDS = 0.1
"""Requests that come within this follow each other."""
_TURN_SECONDS = 0.02
"""How long alerts are applied before the engine looks at its queue again."""
_SILENT_PER_TURN = 1000
SHOWN = 1000
"""When more are held, posted alerts are no series and no lines of `/metrics`."""


def _always(_labels: Mapping[str, str]) -> bool:
    return True


class Intake:
    """The inbox and the posted alerts that are active. `notable` says of which labels the desk must hear."""

    def __init__(
        self,
        *,
        next_row: int,
        next_alert: int = 1,
        most: int = 200_000,
        notable: Callable[[Mapping[str, str]], bool] = _always,
    ) -> None:
        self._next_row = next_row
        self._next_alert = next_alert
        self.most = most
        self._notable = notable
        self._backlog = Backlog()
        self._received_at = -math.inf
        self._follows = False
        """Whether the last request followed another one."""
        self._caught_up = threading.Event()
        self._caught_up.set()
        self._hurry = False
        self._turn = 1
        self._durable_turn = 0
        self._held: dict[bytes, Held] = {}
        self._held_bytes = 0
        self._spelled: dict[bytes, Held] = {}
        self._leases = Leases()
        self._version = 0
        self._shown: tuple[int, tuple[Alert, ...]] = (0, ())

    def __len__(self) -> int:
        return len(self._held)

    # -- any thread

    def refresh(self, glances: Sequence[Glance], now: float) -> bool:
        """Take a request that only repeats what is on record: nothing is written, the leases go on.

        Return False if it holds anything else or nothing, or a lease is half over: then it must be posted in full.
        While an end waits to be applied nothing is a repeat: what looks like one may be what that ends.
        """
        if self._backlog.ends:
            return False
        repeats: list[tuple[Held, float]] = []
        for glance in glances:
            held = self._spelled.get(bytes(glance.labels))
            if held is None or held.rest != rest_of(glance) or now >= held.write_at or held.turn > self._durable_turn:
                return False
            until = _until(glance, now)
            if until < held.until or held.state is not AlertState.FIRING:
                return False
            repeats.append((held, until))
        for held, until in repeats:
            held.until = until
            held.seen_at = now
        self._version += 1
        return bool(repeats)

    def hurry(self) -> None:
        """Ask that everything is applied now."""
        self._hurry = True

    def catch_up(self, seconds: float) -> None:
        """Wait until it is. The engine must have been woken for it."""
        self._caught_up.wait(seconds)

    @property
    def is_behind(self) -> bool:
        return not self._caught_up.is_set()

    def active(self) -> Sequence[Alert]:
        """Return the alerts as they are now."""
        version, alerts = self._shown
        if version == self._version:
            return alerts
        version = self._version
        alerts = tuple(self.each())
        if len(alerts) <= SHOWN:
            self._shown = (version, alerts)
        return alerts

    def each(self) -> Iterator[Alert]:
        """Return the same one by one: all at once may be hundreds of megabytes."""
        return map(alert_of, list(self._held.values()))

    def shown(self) -> Sequence[Alert]:
        """Return the same while they are not too many for series and metrics."""
        return self.active() if len(self._held) <= SHOWN else ()

    # -- the engine thread

    def receive(self, command: PostAlerts, now: float) -> int:
        """Take a request; it is acknowledged when this turn is durable. Return how many alerts were left out."""
        if self._backlog.is_full:
            raise BusyError("too many posted alerts wait to be applied")
        alerts, body = command.alerts, command.body or _body(command.alerts)
        if self._is_crowded(len(alerts), len(body)):
            alerts = [post for post in alerts if post.identity in self._held]
            body = _body(alerts)
        if alerts:
            self._backlog.add(self._next_row, command.origin, alerts, body=body, size=len(body), since=now)
            self._follows = now - self._received_at < _QUIET_SECONDS
            self._received_at = now
            self._caught_up.clear()
            self._next_row += 1
        dropped = len(command.alerts) - len(alerts)
        metrics.POSTED_DROPPED.inc(dropped)
        return dropped

    def _is_crowded(self, alerts: int, size: int) -> bool:
        """Tell whether there is no room for so many more alerts of so many bytes together."""
        crowd = len(self._held) + self._backlog.alerts + alerts
        return crowd > self.most or self._held_bytes + self._backlog.size + size > self.most * _ALERT_BYTES

    def secure(self, batch: Batch) -> None:
        """Put what was not applied in the turn in which it came into the inbox."""
        for waiting in reversed(self._backlog):
            if waiting.body is None:
                break
            batch.writes.append(writes.receive(waiting.row, at=batch.now, origin=waiting.origin, body=waiting.body))
            waiting.body = None

    def durable(self) -> None:
        """Note that everything is: from now on, repeats need not be written."""
        self._durable_turn = self._turn
        self._turn += 1

    def restore(self, rows: Sequence[tuple[int, str, Sequence[Post]]], held: Sequence[Held]) -> None:
        """Take up what a restart left: rows that were not applied, alerts that were active."""
        for row, origin, posts in rows:
            self._backlog.add(row, origin, posts, body=None, size=sum(map(_size, posts)))
            self._caught_up.clear()
        for each in held:
            self._keep(each, None)

    @property
    def at_hand(self) -> int:
        """Return the row of the inbox that is to be applied next, or of which a part is."""
        return self._backlog.first.row

    def replay(self, batch: Batch) -> Iterator[AlertChange]:
        """Apply everything that a restart left in the inbox; yield the alerts that changed."""
        put: dict[int, Held] = {}
        while self._backlog:
            yield from self._apply_some(batch, put)
        if put:
            batch.writes.append(writes.put_posted(put.values()))

    def next_at(self) -> float | None:
        return self._apply_at() if self._backlog else self._leases.next_at()

    def _apply_at(self) -> float:
        """Return when what waits is to be applied."""
        if not self._follows or self._hurry or self._backlog.alerts >= _BACKLOG_ALERTS:
            return 0.0
        return min(self._received_at + _QUIET_SECONDS, self._backlog.first.since + WAIT_SECONDS)

    def due(self, batch: Batch, *, writing: bool) -> Iterator[AlertChange]:
        """Apply what waits, unless `writing` has failed; yield the alerts that changed."""
        put: dict[int, Held] = {}
        if self._backlog and writing and self._apply_at() <= batch.now:
            yield from self._apply_some(batch, put)
        for held in self._leases.over(batch.now, _SILENT_PER_TURN):
            if self._held.get(held.identity) is held and held.state is AlertState.FIRING:
                held.state = AlertState.NO_DATA
                put[held.row] = held
                self._version += 1
                if self._notable(labels_of(held)):
                    yield AlertChange(alert=alert_of(held), before=AlertState.FIRING, at=batch.now)
        if put:
            batch.writes.append(writes.put_posted(put.values()))

    def shift(self, seconds: float) -> Write:
        """Move the leases, because the wall clock was set by that much."""
        self._received_at += seconds
        self._backlog.shift(seconds)
        self._leases = Leases()
        for held in self._held.values():
            held.until += seconds
            held.write_at += seconds
            self._leases.add(held)
        return writes.shift_posted(seconds)

    def _apply_some(self, batch: Batch, put: dict[int, Held]) -> Iterator[AlertChange]:
        """Apply for as long as a turn may take. A request that is not through stays: to apply it again does no harm."""
        gone: list[int] = []
        through = 0
        enough = time.perf_counter() + _TURN_SECONDS
        while self._backlog:
            waiting = self._backlog.first
            for post in waiting.posts:
                self._backlog.alerts -= 1
                change = self._apply(post, waiting.origin, batch.now, put, gone)
                if change is not None:
                    yield change
                if time.perf_counter() >= enough:
                    break
            else:
                self._backlog.drop_first()
                through = waiting.row if waiting.body is None else through
                continue
            break
        else:
            self._follows = self._hurry = False
            self._caught_up.set()
        if through:
            batch.writes.append(writes.applied(through))
        if gone:
            batch.writes.append(writes.drop_posted(gone))

    def _apply(self, post: Post, origin: str, now: float, put: dict[int, Held], gone: list[int]) -> AlertChange | None:
        before = self._held.get(post.identity)
        if post.ends_at is not None and post.ends_at <= now:
            return self._end(before, post, now, put, gone) if before is not None else None
        said = before is not None and before.rest == post.rest
        if said and before is not None and self._goes_on(before, post, now):
            return None
        row = before.row if before is not None else self._next_alert
        self._next_alert += before is None
        held = held_of(post, row=row, origin=origin, before=before, now=now, turn=self._turn)
        self._keep(held, before)
        put[row] = held
        state = before.state if before is not None else None
        if (said and state is held.state) or not self._notable(post.labels):
            return None
        return AlertChange(alert=alert_of(held), before=state, at=now)

    def _end(self, held: Held, post: Post, now: float, put: dict[int, Held], gone: list[int]) -> AlertChange | None:
        gone.append(held.row)
        put.pop(held.row, None)
        del self._held[held.identity]
        self._held_bytes -= _size(held)
        self._spelled.pop(held.spelling, None)
        self._version += 1
        if not self._notable(post.labels):
            return None
        return AlertChange(alert=alert_of(held, ended_at=post.ends_at), before=held.state, at=now)

    def _goes_on(self, held: Held, post: Post, now: float) -> bool:
        """Take a repeat that need not be written: it says nothing new, and enough of the lease on record is left."""
        until = post.until(now)
        if held.state is not AlertState.FIRING or until < held.until or now >= held.write_at:
            return False
        self._spelled.pop(held.spelling, None)
        held.spelling, held.until, held.seen_at = post.spelling, until, now
        self._spelled[held.spelling] = held
        return True

    def _keep(self, held: Held, before: Held | None) -> None:
        if before is not None and before.spelling != held.spelling:
            self._spelled.pop(before.spelling, None)
        self._held[held.identity] = held
        self._held_bytes += _size(held) - (_size(before) if before is not None else 0)
        self._spelled[held.spelling] = held
        self._leases.add(held)
        self._version += 1


def _until(glance: Glance, now: float) -> float:
    """Return when the alert must be posted again; now, if that cannot be told."""
    try:
        ends_at = seconds_of(bytes(glance.ends_at))
    except (msgspec.DecodeError, OverflowError):
        return now
    return now + LEASE_SECONDS if ends_at is None else ends_at


def _size(alert: Post | Held) -> int:
    """Return how many bytes an alert has to say."""
    return len(alert.identity) + len(alert.rest)


def _body(alerts: Sequence[Post]) -> bytes:
    return b"[%b]" % b",".join([post.document() for post in alerts])
