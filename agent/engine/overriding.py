"""Overrides of limits: set, ended, expired and taken up again after a restart."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import msgspec

from agent.engine.batch import Batch
from agent.engine.commands import CommandError
from agent.engine.improvements import EndOverride, SetOverride
from agent.engine.situations import Situations
from agent.incidents.identity import new_id
from agent.itsm.overrides import Override
from agent.store import quarantine, writes
from agent.store.database import Database, Write
from agent.telemetry import log
from collectors.sample import Labels
from rules.alerting import AlertingRule
from rules.overrides import OverrideError, Variant, varied
from rules.promql.compile import compile_query
from rules.ruleset import Ruleset

_log = log.get("override")
_override = msgspec.json.Decoder(Override)


class OverrideBook:
    """The overrides that hold. The engine thread's own."""

    def __init__(self, ruleset: Ruleset, situations: Situations, database: Database) -> None:
        self._ruleset = ruleset
        self._situations = situations
        self._held: dict[str, Override] = {}
        quarantine.each(database, "overrides", "document", self._hold, where=("ORDER BY id", ()))
        ruleset.vary = self._variants
        ruleset.varied()

    def _hold(self, text: str) -> None:
        override = _override.decode(text)
        self._held[override.id] = override

    def held(self) -> tuple[Override, ...]:
        return tuple(self._held.values())

    def carry_out(self, batch: Batch, command: SetOverride | EndOverride) -> Mapping[str, Any]:
        """Raise CommandError."""
        return self._set(batch, command) if isinstance(command, SetOverride) else self._end(batch, command)

    def expire(self, now: float) -> list[Write]:
        """Forget what is over, with a line in the audit. Return what must be written."""
        over = [each for each in self._held.values() if each.ends_at <= now]
        return [write for each in over for write in self._drop(each, "override_expired", "", now)]

    def _set(self, batch: Batch, command: SetOverride) -> Mapping[str, Any]:
        """One override holds for a rule and a service: another one takes its place."""
        rule = self._rule(command.rule)
        if command.service and self._situations.policy.catalogue.get(command.service).name != command.service:
            raise CommandError(f"there is no service {command.service!r} in the catalogue", 404)
        try:
            text, old = varied(rule.text, command.limit, command.instead_of)
        except OverrideError as error:
            raise CommandError(f"{rule.name}: {error}", 400) from error
        made = Override(
            id=f"override-{new_id(batch.now, secrets.randbits(20))}",
            rule=rule.name,
            service=command.service,
            limit=command.limit,
            instead_of=old,
            by=command.actor,
            reason=command.reason,
            created_at=batch.now,
            ends_at=batch.now + command.seconds,
        )
        for each in [e for e in self._held.values() if (e.rule, e.service) == (made.rule, made.service)]:
            batch.writes += self._drop(each, "override_replaced", command.actor, batch.now)
        self._held[made.id] = made
        row = (made.id, made.ends_at, msgspec.json.encode(made).decode())
        batch.writes.append(("INSERT INTO overrides VALUES (?, ?, ?)", row))
        batch.writes.append(_note(made, "override_set", command.actor, batch.now))
        self._ruleset.varied()
        return {**asdict(made), "expression": text}

    def _end(self, batch: Batch, command: EndOverride) -> Mapping[str, Any]:
        known = self._held.get(command.override_id)
        if known is None:
            raise CommandError(f"there is no override {command.override_id!r}", 404)
        batch.writes += self._drop(known, "override_ended", command.actor, batch.now)
        self._ruleset.varied()
        return asdict(known)

    def _drop(self, override: Override, event: str, actor: str, now: float) -> list[Write]:
        del self._held[override.id]
        return [("DELETE FROM overrides WHERE id = ?", (override.id,)), _note(override, event, actor, now)]

    def _rule(self, name: str) -> AlertingRule:
        found = [r for g in self._ruleset.groups.values() for r in g.rules if isinstance(r, AlertingRule)]
        named = [rule for rule in found if rule.name == name]
        if not named:
            raise CommandError(f"there is no rule {name!r}", 404)
        if len({rule.text for rule in named}) > 1:
            raise CommandError(f"there is more than one rule {name!r}, and they differ: rename one of them", 400)
        return named[0]

    def _variants(self, rule: AlertingRule) -> tuple[Variant, ...]:
        """Return what the ruleset is to ask instead; a service's own override goes before one for all."""
        found = sorted(
            (each for each in self._held.values() if each.rule == rule.name), key=lambda each: not each.service
        )
        return tuple(variant for each in found if (variant := self._variant(rule, each)) is not None)

    def _variant(self, rule: AlertingRule, override: Override) -> Variant | None:
        try:
            text, _ = varied(rule.text, override.limit, override.instead_of)
        except OverrideError as error:  # the rule has changed since
            _log.warning("an override does not fit its rule any more", override=override.id, reason=str(error))
            return None
        applies = partial(self._applies, override.service)
        return Variant(query=compile_query(text), applies=applies, until=override.ends_at)

    def _applies(self, service: str, labels: Labels) -> bool:
        return not service or self._situations.policy.catalogue.of(labels).name == service


def _note(override: Override, event: str, actor: str, now: float) -> Write:
    _log.info(event.replace("_", " "), override=override.id, actor=actor, detail=str(override))
    return writes.audit_order(now, event, actor=actor, detail=f"{override.id}: {override}")
