"""What people are told at times of the calendar, each once: hand-overs of rotas, and digests."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from agent.engine.batch import Batch
from agent.engine.casebook import Casebook
from agent.engine.commands import StandIn
from agent.engine.delivery import Delivery, Inline
from agent.engine.parts import Appointments
from agent.engine.situations import Situations
from agent.engine.stand_ins import StandIns
from agent.incidents.effects import Effect, Kind, OutboxRow
from agent.incidents.events import EffectSettled
from agent.incidents.incident import Incident
from agent.incidents.policy import Policy
from agent.itsm import rota as rotas
from agent.itsm.digests import Collected, Digest
from agent.itsm.rota import HandOver, Rota
from agent.itsm.teams import split
from agent.store import quarantine, writes
from agent.store.database import Database, Write, set_meta
from agent.telemetry import log

_log = log.get("people")
KEPT = "appointments"
"""What was told last stands under this key."""
_DAY = 86400.0
_AGAIN_SECONDS = 3600.0
"""How soon is looked again where nothing is foreseen."""


class Announcer(Protocol):
    """Words what people are told: subject and text, by the audience of the channel."""

    def hand_over(
        self, rota: Rota, person: str, following: HandOver | None, incidents: Sequence[Incident], channel: str
    ) -> Mapping[str, Any]: ...

    def digest(self, digest: Digest, collected: Sequence[Collected], recipient: str) -> Mapping[str, Any]: ...


class _Told(msgspec.Struct):
    """Who came on call last by rota, and which time of a digest was the last, each with its instant."""

    rotas: dict[str, tuple[str, float]] = {}
    digests: dict[str, float] = {}


_told = msgspec.json.Decoder(_Told)


class CalendarAppointments(Appointments):
    """Belongs to the engine. What was told is durable in the transaction that owes it."""

    def __init__(
        self,
        *,
        situations: Situations,
        casebook: Casebook,
        delivery: Delivery,
        database: Database,
        announcer: Announcer,
        digests: Sequence[Digest],
    ) -> None:
        self._situations = situations
        self._stand_ins = StandIns(situations, database)
        self._casebook = casebook
        self._delivery = delivery
        self._connection = database.connection
        self._announcer = announcer
        self._digests = {digest.name: digest for digest in digests}
        self._told = quarantine.meta(database, KEPT, _told.decode, _Told())
        self._next_at = 0.0

    @property
    def _policy(self) -> Policy:
        return self._situations.policy

    def next_at(self) -> float | None:
        return self._next_at

    def shift(self, delta: float) -> list[Write]:
        self._next_at = 0.0
        return self._stand_ins.shift(delta)

    def stand_in(self, batch: Batch, command: StandIn) -> Mapping[str, Any]:
        self._next_at = 0.0
        return self._stand_ins.carry_out(batch, command)

    def keep(self, batch: Batch) -> None:
        """Owe what is due, and know when to look again."""
        if batch.now < self._next_at:
            return
        before = msgspec.json.encode(self._told)
        times = [self._rota(batch, rota) for rota in self._policy.roster.rotas.values()]
        times += [self._digest(batch, digest) for digest in self._digests.values()]
        self._next_at = min(times, default=batch.now + _AGAIN_SECONDS)
        if (after := msgspec.json.encode(self._told)) != before:
            batch.writes.append(set_meta(KEPT, after.decode()))

    def _rota(self, batch: Batch, rota: Rota) -> float:
        """Tell whoever has come on call since the last time; return when to look again."""
        now, person = batch.now, rotas.on_call(rota, batch.now)
        known, at = self._told.rotas.get(rota.name, (None, 0.0))
        if now < at < now + _DAY:  # the clock was set back: what is told is told
            return at
        following = rotas.next_change(rota, now)
        if known != person:
            self._told.rotas[rota.name] = (person, now)
            if known is not None and at <= now:
                detail = f"{rota.name}: {person or 'nobody'} after {known or 'nobody'}"
                batch.writes.append(writes.audit_order(now, "handed_over", actor="", detail=detail))
                self._hand_over(batch, rota, person)
        elif at > now:
            self._told.rotas[rota.name] = (person, now)
        return following if following is not None else now + _AGAIN_SECONDS

    def _hand_over(self, batch: Batch, rota: Rota, person: str) -> None:
        policy, following = self._policy, rotas.hand_over(rota, batch.now)
        incidents = [each for each in self._casebook.active() if _is_theirs(each, rota, policy)]
        _log.info("on call", rota=rota.name, person=person, incidents=len(incidents))
        for recipient in policy.roster.person(person):
            said = self._announcer.hand_over(rota, person, following, incidents, recipient)
            self._owe(batch, f"handover:{rota.name}:{batch.now!r}", recipient, said)

    def _digest(self, batch: Batch, digest: Digest) -> float:
        """Tell what was collected by the last time of the digest; return its next time."""
        slot, known = digest.latest(batch.now), self._told.digests.get(digest.name)
        if slot != known:
            self._told.digests[digest.name] = slot
            if known is not None and known < slot:
                self._tell(batch, digest)
        return digest.following(batch.now)

    def _tell(self, batch: Batch, digest: Digest) -> None:
        query = """SELECT incident_id, priority, first_at, last_at, times, subject, text FROM collected
        WHERE digest = ? AND last_at < ? ORDER BY priority, first_at, incident_id"""
        names = Collected.__slots__
        rows = self._connection.execute(query, (digest.name, batch.now))
        collected = [Collected(**dict(zip(names, row, strict=True))) for row in rows]
        if not collected:
            return
        batch.writes.append(("DELETE FROM collected WHERE digest = ? AND last_at < ?", (digest.name, batch.now)))
        for recipient in self._policy.roster.recipients([digest], batch.now):
            said = self._announcer.digest(digest, collected, recipient)
            self._owe(batch, f"digest:{digest.name}:{batch.now!r}", recipient, said)

    def _owe(self, batch: Batch, key: str, recipient: str, said: Mapping[str, Any]) -> None:
        what = key.rpartition(":")[0]
        effect = Effect(
            kind=Kind.PUBLISH,
            key=f"{key}:{recipient}",
            lane=f"{what}:{recipient}",
            target=split(recipient)[1],
            incident_id="",
            payload={"notice": {**said, "key": f"{key}:{recipient}"}},
        )
        self._delivery.owe_as_written(batch, effect)


def _is_theirs(incident: Incident, rota: Rota, policy: Policy) -> bool:
    """Tell whether an incident is handed over: of the team's services, or of those that no team looks after."""
    if incident.drill or incident.parent or incident.covered_by:
        return False
    return policy.catalogue.get(incident.service).team in ("", rota.team)


def collector(now: Callable[[], float]) -> Inline:
    """Return what puts a notice by for the digest that it is addressed to."""

    def put(connection: sqlite3.Connection, row: OutboxRow) -> EffectSettled:
        connection.execute(*writes.collect(row.target, row.incident_id, row.payload["notice"], now()))
        return EffectSettled(row=row.id, claim=row.claim, done=True)

    return put
