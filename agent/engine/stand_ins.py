"""People who stand in on a rota for a while because somebody said so: one at a time on each, until it expires."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from agent.engine.batch import Batch
from agent.engine.commands import CommandError, StandIn
from agent.engine.situations import Situations
from agent.itsm import rota as rotas
from agent.itsm.rota import Override
from agent.store import quarantine, writes
from agent.store.database import Database, Write, set_meta
from agent.telemetry import log

_log = log.get("people")
KEPT = "stand_ins"


class _Kept(msgspec.Struct, frozen=True):
    person: str
    start: float
    end: float


_kept = msgspec.json.Decoder(dict[str, _Kept])


class StandIns:
    """Puts them before the overrides of the configuration. Belongs to the engine."""

    def __init__(self, situations: Situations, database: Database) -> None:
        self._situations = situations
        self._configured = dict(situations.policy.roster.rotas)
        self._kept = quarantine.meta(database, KEPT, _kept.decode, dict[str, _Kept]())
        self._apply()

    def carry_out(self, batch: Batch, command: StandIn) -> Mapping[str, Any]:
        """Begin or end one. Raise CommandError."""
        roster, now = self._situations.policy.roster, batch.now
        if command.rota not in roster.rotas:
            raise CommandError(
                f"there is no rota {command.rota!r}; there are: {', '.join(roster.rotas) or 'none'}", 404
            )
        if command.seconds and command.person not in roster.people:
            raise CommandError(f"there is no person {command.person!r}; there are: {', '.join(roster.people)}", 404)
        self._kept = {name: each for name, each in self._kept.items() if each.end > now and name != command.rota}
        if command.seconds:
            self._kept[command.rota] = _Kept(command.person, now, now + command.seconds)
        self._apply()
        person = rotas.on_call(self._situations.policy.roster.rotas[command.rota], now)
        said = f"{command.rota}: {command.person or 'no stand-in'} for {command.seconds:.0f} s: {command.reason}"
        batch.writes += [self._written(), writes.audit_order(now, "stand_in", actor=command.actor, detail=said)]
        _log.warning("stand-in", rota=command.rota, person=person, actor=command.actor, reason=command.reason)
        return {"rota": command.rota, "person": person, "until": now + command.seconds if command.seconds else None}

    def shift(self, delta: float) -> list[Write]:
        """Move them by a step of the wall clock."""
        if not self._kept:
            return []
        self._kept = {
            name: _Kept(each.person, each.start + delta, each.end + delta) for name, each in self._kept.items()
        }
        self._apply()
        return [self._written()]

    def _apply(self) -> None:
        policy = self._situations.policy
        known = {
            name: replace(rota, overrides=(*self._of(name), *rota.overrides)) for name, rota in self._configured.items()
        }
        self._situations.policy = replace(policy, roster=replace(policy.roster, rotas=known))

    def _of(self, rota: str) -> tuple[Override, ...]:
        kept = self._kept.get(rota)
        return (Override(person=kept.person, start=kept.start, end=kept.end),) if kept is not None else ()

    def _written(self) -> Write:
        return set_meta(KEPT, msgspec.json.encode(self._kept).decode())
